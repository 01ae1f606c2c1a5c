"""Find the parts of composite estimators: wrappers, pipelines and ensembles."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from workbench.inspect.estimators.sklearn_classes import rules_of
from workbench.inspect.pickle.values import Array, Instance

MAX_NESTING = 20


def prediction_chain(model: Instance) -> Iterator[Instance]:
    """Yield the model, the estimator that it wraps, and so on down to the one that predicts."""
    return _follow(model, _predicting_part)


def input_chain(model: Instance) -> Iterator[Instance]:
    """Yield the parts that receive the input features unchanged, the outermost first."""
    return _follow(model, _first_part)


def final_estimator(model: Instance) -> Instance:
    """Return the estimator at the end of a pipeline or inside wrappers, or the model itself."""
    *_, final = prediction_chain(model)
    return final


def first_estimator(model: Instance) -> Instance:
    """Return the innermost part that receives the input features unchanged."""
    *_, first = input_chain(model)
    return first


def pipeline_in(model: Instance) -> Instance:
    """Return the first pipeline in the prediction chain, or the model itself."""
    return next((node for node in prediction_chain(model) if steps_of(node)), model)


def steps_of(node: Instance) -> list[tuple[str, object]]:
    """Return the named steps of a Pipeline; none for anything else."""
    steps = node.attribute("steps") if node.cls.name == "Pipeline" else None
    return [
        (step[0], step[1])
        for step in (steps if isinstance(steps, list) else ())
        if isinstance(step, tuple | list) and len(step) == 2 and isinstance(step[0], str)
    ]


def step_names(node: Instance) -> list[str]:
    """Return the class names of the steps of a Pipeline; none for anything else."""
    return [step.cls.name for _, step in steps_of(node) if isinstance(step, Instance)]


def part_of(node: Instance, *attributes: str) -> Instance | None:
    """Return the estimator in the first of these attributes that holds one."""
    for attribute in attributes:
        part = node.attribute(attribute)
        if isinstance(part, Instance):
            return part
    return None


def parts_of(node: Instance, attribute: str) -> list[Instance]:
    """Return the estimators in a list or array of estimators, or of tuples that end with one."""
    value = node.attribute(attribute)
    if isinstance(value, Array):
        value = value.data
    parts = value if isinstance(value, list) else []
    last = (part[-1] if isinstance(part, tuple) and part else part for part in parts)
    return [part for part in last if isinstance(part, Instance)]


def _follow(
    model: Instance, next_part: Callable[[Instance], Instance | None]
) -> Iterator[Instance]:
    node: Instance | None = model
    for _ in range(MAX_NESTING):
        if node is None:
            return
        yield node
        node = next_part(node)


def _predicting_part(node: Instance) -> Instance | None:
    if steps := steps_of(node):
        last = steps[-1][1]
        return last if isinstance(last, Instance) else None
    return part_of(node, *rules_of(node.cls.name).wraps)


def _first_part(node: Instance) -> Instance | None:
    if steps := steps_of(node):
        return next((step for _, step in steps if isinstance(step, Instance)), None)
    rules = rules_of(node.cls.name)
    if rules.parts is not None:
        parts = parts_of(node, rules.parts)
        return parts[0] if parts else part_of(node, rules.parts)
    return part_of(node, *rules.wraps)
