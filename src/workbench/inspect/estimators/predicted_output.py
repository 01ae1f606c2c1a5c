"""What a fitted estimator predicts: task, classes, number of outputs, probabilities."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.inspect.estimators.composite import final_estimator, part_of, parts_of
from workbench.inspect.estimators.estimator_kind import TASKS
from workbench.inspect.estimators.sklearn_classes import rules_of
from workbench.inspect.estimators.user_classes import NO_CLASSES, UserClasses, describe_class
from workbench.inspect.facts import ClassLabel
from workbench.inspect.formats import pickled_boosters
from workbench.inspect.pickle.arrays import plain, values_of
from workbench.inspect.pickle.names import Estimator, known_names
from workbench.inspect.pickle.values import Array, Instance

MAX_CLASSES = 100_000
# Attributes with the encoder of the classes, in models that have no `classes_` of their own, or
# have it for something else.
LABEL_ENCODERS = ("_label_encoder", "label_binarizer_", "_label_binarizer")


def task_and_labels(
    chain: Sequence[Instance], known: Estimator | None
) -> tuple[str | None, object]:
    """Return the task, and for a classifier its classes as the pickle holds them.

    `chain` is the model's prediction chain.
    """
    task = TASKS.get(known.kind) if known else None
    labels = next((found for node in chain if (found := _labels(node)) is not None), None)
    if task is None and labels is not None:
        task = "classification"
    return task, labels if task == "classification" else None


def _labels(node: Instance) -> object:
    """Return `classes_` as scikit-learn does: for several outputs a list of their classes."""
    for attribute in LABEL_ENCODERS:
        encoder = node.attribute(attribute)
        if isinstance(encoder, list):
            return [part.attribute("classes_") for part in encoder if isinstance(part, Instance)]
        if isinstance(encoder, Instance):
            classes = encoder.attribute("classes_")
            if encoder.attribute("y_type_") == "multilabel-indicator":
                return [None] * (classes.shape[0] if isinstance(classes, Array) else 1)
            return classes
    classes = node.attribute("classes_")
    return _booster_labels(node) if classes is None else classes


def _booster_labels(node: Instance) -> tuple[object, ...] | None:
    """Return the classes of a boosting library's classifier, which can hold only their number."""
    if not rules_of(node.cls.name).is_booster:
        return None
    booster = pickled_boosters.facts_of(node)
    if booster is not None and booster.classes is not None:
        return booster.classes
    classes = values_of(node.attribute("_classes"))  # LightGBM without its label encoder
    if classes is not None:
        return tuple(classes)
    count = plain(node.attribute("n_classes_"))  # XGBoost takes no other classes than 0, 1, …
    return tuple(range(count)) if isinstance(count, int) and 0 < count < MAX_CLASSES else None


def classes_and_outputs(labels: object) -> tuple[tuple[ClassLabel, ...] | None, int]:
    """Return the classes of a single output, and the number of outputs."""
    if isinstance(labels, tuple):
        return tuple(label for label in labels if isinstance(label, str | int | float)), 1
    if isinstance(labels, list):
        return None, len(labels)
    values = values_of(labels)
    if values is None:
        return None, 1
    classes = tuple(value for value in values if isinstance(value, str | int | float))
    return (classes if len(classes) == len(values) else None), 1


def target_count(final: Instance) -> int:
    """Return the number of targets of a regressor."""
    rules = rules_of(final.cls.name)
    if rules.part_per_target:
        return len(parts_of(final, "estimators_")) or 1
    count = plain(final.attribute("n_outputs_"))
    if isinstance(count, int):
        return count
    attribute, dimension = rules.targets
    array = final.attribute(attribute)
    return array.shape[dimension] if isinstance(array, Array) and len(array.shape) == 2 else 1


def has_probabilities(node: Instance, user_classes: UserClasses = NO_CLASSES) -> bool:
    """Return whether `predict_proba` can be called, as far as the settings decide that."""
    final = final_estimator(node)
    known = describe_class(final.cls, user_classes)
    if known is None or "predict_proba?" not in known.methods:
        return known is not None and "predict_proba" in known.methods and _has_classes(final, known)
    rules = rules_of(known.like or final.cls.name)
    if rules.has_probabilities is not None:
        return rules.has_probabilities(final)
    if rules.probabilities_of is not None:
        inner = part_of(final, rules.probabilities_of)
        return inner is not None and has_probabilities(inner, user_classes)
    parts = [
        part for part in parts_of(final, "estimators_") if part.cls.name != "_ConstantPredictor"
    ]
    return bool(parts) and all(has_probabilities(part, user_classes) for part in parts)


def _has_classes(final: Instance, known: Estimator) -> bool:
    """Return whether an estimator has the classes that its probabilities belong to."""
    in_library = final.cls in known_names().estimators
    return in_library or "classes_" in known.methods or final.attribute("classes_") is not None
