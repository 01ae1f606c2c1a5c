"""The input features that an estimator was fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.inspect.estimators import explainable_boosting
from workbench.inspect.estimators.composite import (
    first_estimator,
    input_chain,
    pipeline_in,
    steps_of,
)
from workbench.inspect.estimators.estimator_kind import kind_of
from workbench.inspect.formats import pickled_boosters
from workbench.inspect.pickle.arrays import plain, values_of
from workbench.inspect.pickle.values import Instance, PickledClass


@dataclass(frozen=True)
class InputFeatures:
    """The features that a model, a Pipeline or a transformer was fitted on."""

    names: tuple[str, ...] | None
    count: int | None
    on_frame: bool  # some part knows its columns by name, or can ask for them by name


def input_features(root: Instance) -> InputFeatures:
    """Return the features that an estimator was fitted on, as far as the file has them."""
    names = _names(root)
    by_name = any(_has_feature_names(step) for _, step in steps_of(pipeline_in(root)))
    count = _count(root) or (len(names) if names else None)
    # A class of the user's own was most likely fitted on a frame, which is what notebooks have.
    first = first_estimator(root)
    of_user = kind_of(first) == "unknown" or isinstance(first.cls, PickledClass)
    return InputFeatures(names, count, names is not None or by_name or of_user)


def takes_texts(root: Instance) -> bool:
    """Return whether a text vectorizer comes first."""
    return first_estimator(root).cls.module == "sklearn.feature_extraction.text"


def _has_feature_names(value: object) -> bool:
    if not isinstance(value, Instance) or explainable_boosting.has_default_names(value):
        return False
    return value.attribute("feature_names_in_") is not None


def _names(model: Instance) -> tuple[str, ...] | None:
    for node in input_chain(model):
        if explainable_boosting.has_default_names(node):
            return None
        attribute = node.attribute("feature_names_in_")
        # scikit-learn keeps an array, other libraries a list.
        names: Sequence[object] | None = (
            attribute if type(attribute) is list else values_of(attribute)
        )
        booster = pickled_boosters.facts_of(node)
        if names is None and booster is not None:
            names = booster.feature_names
        if names is not None:
            texts = tuple(name for name in names if isinstance(name, str))
            return texts if len(texts) == len(names) else None
    return None


def _count(model: Instance) -> int | None:
    for node in input_chain(model):
        count = plain(node.attribute("n_features_in_"))
        if type(count) is int:
            return count
        booster = pickled_boosters.facts_of(node)
        if booster is not None and booster.n_features is not None:
            return booster.n_features
    return None
