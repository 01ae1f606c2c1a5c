"""Build the explanations of a model from background rows. Used by verify only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from model_service.contract.batch import Batch
from model_service.explain.components import Component, NoSum, class_name, decompose, unwrapped
from model_service.explain.explainer import About, Explainer, Subject
from model_service.explain.leaves import LeafMasks, fits_tables
from model_service.explain.numbers import NotNumbers, Steps
from model_service.explain.owners import Untraceable, input_owners, transformed
from model_service.explain.parts import LinearPart, Part, TreePart
from model_service.explain.readers import Unreadable, has_reader, read_trees
from model_service.explain.responses import Kind, Unexplained, kind_of
from model_service.explain.trees import Nodes, TooDeep, flatten
from model_service.fast_path.compile import COMPILE_ERRORS

# Rows of the background of deep trees: the leaves of a default forest have a million masks then.
PAIR_BACKGROUNDS = (100, 50, 25)
# Rows that go through the steps to see which columns they make.
TRACED_ROWS = 8
# The largest relative difference of a component from the model's own numbers.
TOLERANCES = {True: 1e-5, False: 1e-9}

# What says that a model cannot be solved in closed form. It is evaluated as a whole then.
NOT_CLOSED = (NoSum, NotNumbers, TooDeep, Unreadable, Untraceable, *COMPILE_ERRORS)


def build_explainer(
    subject: Subject,
    fingerprint: str,
    sample: Batch | None,
    examples: Batch | None,
    background: str = "sample",
) -> Explainer:
    """Return the explanations of a model.

    `sample` is the background of what is solved in closed form; `examples` are the rows that other
    models are evaluated on. Raises Unexplained.
    """
    if sample is not None:
        try:
            return _closed(subject, fingerprint, sample, background)
        except NOT_CLOSED:
            pass
    if examples is None or not len(examples):
        raise Unexplained("There is no sample: give SAMPLE=, a CSV of typical rows.")
    return _opaque(subject, fingerprint, examples)


def _kind(subject: Subject, rows: Batch) -> Kind:
    respond, is_margin = subject.response()
    return kind_of(
        respond,
        subject.estimator,
        subject.model_input.native(rows),
        subject.task,
        subject.targets,
        probabilities=subject.probabilities,
        is_margin=is_margin,
    )


def _closed(subject: Subject, fingerprint: str, sample: Batch, background: str) -> Explainer:
    components = decompose(subject.estimator)
    model_input = subject.model_input
    root = model_input.root(sample)
    respond, _ = subject.response()
    native = respond(model_input.native(sample))
    matrices = [Steps(component.steps, model_input).matrix(root) for component in components]
    players = [_players(subject, component.steps, sample) for component in components]
    nodes = [
        _nodes(component, player) for component, player in zip(components, players, strict=True)
    ]
    for used in _background_sizes(nodes, len(sample)):
        parts = _parts(subject, components, matrices, players, nodes, used)
        if parts is not None:
            break
    else:
        raise TooDeep("the trees have too many different paths")
    about = About(
        _kind(subject, sample),
        fingerprint,
        used,
        background,
        tuple("trees" if isinstance(part, TreePart) else "linear" for part in parts),
    )
    _check_components(components, parts, matrices, native)
    return Explainer(subject, about, parts)


def _nodes(component: Component, player: Any) -> Nodes | None:
    """Return the trees of a component, None if it is linear. Raises Unreadable and TooDeep."""
    if not has_reader(component.model):
        return None
    found = read_trees(component.model)
    if not found.trees:
        raise Unreadable("there are no trees")
    return flatten(found.trees, player, found.comparison, found.outputs)


def _background_sizes(nodes: Sequence[Nodes | None], row_count: int) -> list[int]:
    """Return how many rows the background can have: fewer if trees are too deep for tables."""
    if all(each is None or fits_tables(each) for each in nodes):
        return [row_count]
    return sorted({min(row_count, size) for size in PAIR_BACKGROUNDS}, reverse=True)


def _parts(
    subject: Subject,
    components: Sequence[Component],
    matrices: Sequence[Any],
    players: Sequence[Any],
    nodes: Sequence[Nodes | None],
    used: int,
) -> list[Part] | None:
    """Return the parts with a background of so many rows; None if that takes too much memory."""
    count = len(subject.contract.features)
    parts: list[Part] = []
    for component, matrix, player, trees in zip(components, matrices, players, nodes, strict=True):
        rows = matrix[_spread(matrix.shape[0], used)]
        if trees is None:
            parts.append(_linear_part(component, rows, player, count))
            continue
        masks = LeafMasks.of_rows(trees, np.asarray(rows))
        if masks is None:
            return None
        parts.append(TreePart(trees, masks, np.zeros(trees.output_count), count))
    return parts


def _players(subject: Subject, steps: Sequence[Any], sample: Batch) -> Any:
    """Return the feature of each column before a component. Raises Untraceable."""
    rows = sample[slice(TRACED_ROWS)]
    data, owners = input_owners(subject.contract, subject.builder, rows)
    for step in steps:
        data, owners = transformed(step, data, owners)
    if any(len(owner) != 1 for owner in owners):
        raise Untraceable("a column comes from several features")
    return np.array([next(iter(owner)) for owner in owners], dtype=np.int32)


def _spread(row_count: int, wanted: int) -> Any:
    """Return the numbers of rows at equal distances."""
    return np.arange(wanted) * row_count // wanted


def _linear_part(component: Component, rows: Any, player: Any, count: int) -> LinearPart:
    coefficients, intercept = _coefficients(component.model)
    mean = np.asarray(rows.mean(axis=0)).ravel()
    if coefficients.shape[1] != len(mean):
        raise NoSum("the coefficients are those of other columns")
    if not np.isfinite(mean).all():
        raise NoSum("a column has missing values")
    return LinearPart(player, count, coefficients, intercept, mean)


def _coefficients(model: Any) -> tuple[Any, Any]:
    """Return coefficients (outputs, columns) and intercepts of the explained margins."""
    if class_name(model) in ("MultinomialNB", "ComplementNB"):
        coefficients = np.asarray(model.feature_log_prob_)
        intercept = np.asarray(model.class_log_prior_)
        if class_name(model) == "ComplementNB":
            intercept = intercept if len(model.classes_) == 1 else np.zeros(len(coefficients))
        if len(coefficients) == 2:
            return coefficients[1:] - coefficients[:1], intercept[1:] - intercept[:1]
        return coefficients, intercept
    coefficients = model.coef_
    if hasattr(coefficients, "toarray"):
        coefficients = coefficients.toarray()
    coefficients = np.atleast_2d(np.asarray(coefficients, dtype=np.float64))
    intercept = np.broadcast_to(
        np.asarray(model.intercept_, dtype=np.float64).ravel(), len(coefficients)
    )
    return coefficients, np.array(intercept)


def _check_components(
    components: Sequence[Component], parts: Sequence[Part], matrices: Sequence[Any], native: Any
) -> None:
    """Compare the sum of the parts with the model, and add what the trees lack. Raises NoSum."""
    total = np.zeros_like(native)
    scale = np.maximum(np.abs(native).max(axis=0), 1e-6)
    for component, part, matrix in zip(components, parts, matrices, strict=True):
        outputs = _outputs(part, matrix)
        end = component.first_output + outputs.shape[1]
        if end > native.shape[1]:
            raise NoSum("the outputs are not those of the model")
        total[:, component.first_output : end] += component.weight * outputs
    rest = np.median(native - total, axis=0)
    loose = any(part.tolerance > TOLERANCES[False] for part in parts)
    allowed = TOLERANCES[loose] * scale
    if not (np.abs(native - total - rest) <= allowed).all():
        raise NoSum("the parts do not add up to the model")
    for component, part in zip(components, parts, strict=True):
        if isinstance(part, TreePart):
            columns = slice(component.first_output, component.first_output + len(part.constant))
            part.add_constant(rest[columns] / component.weight)
            rest[columns] = 0.0
    if not (np.abs(rest) <= allowed).all():
        raise NoSum("the parts do not add up to the model")


def _outputs(part: Part, matrix: Any) -> Any:
    if isinstance(part, LinearPart):
        return np.asarray(matrix @ part.coefficients.T) + part.intercept
    columns = [[] for _ in part.constant]  # type: list[list[Any]]
    values = [part.nodes.output_values(output) for output in range(len(part.constant))]
    for masks in part.nodes.masks_in_chunks(np.asarray(matrix)):
        for column, own in zip(columns, values, strict=True):
            column.append((masks == 0) @ own)
    return np.column_stack([np.concatenate(column) for column in columns])


def _opaque(subject: Subject, fingerprint: str, examples: Batch) -> Explainer:
    kind = _kind(subject, examples)
    clusters = tuple(subject.classes or ()) if subject.task == "clustering" else None
    about = About(kind, fingerprint, len(examples), "examples", (), clusters)
    try:
        player = _mixed_players(subject, examples)
    except NOT_CLOSED:
        player = None
    return Explainer(subject, about, (), examples, player)


def _mixed_players(subject: Subject, examples: Batch) -> Any:
    """Return the feature of each column before the last step, if mixing there is right.

    Raises one of NOT_CLOSED.
    """
    steps, _ = unwrapped(subject.estimator)
    player = _players(subject, steps, examples)
    model_input = subject.model_input
    if subject.builder.categories:
        raise NotNumbers("the model takes pandas categories")
    Steps(steps, model_input).matrix(model_input.root(examples))
    return player
