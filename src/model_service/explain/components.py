"""Take a fitted model apart into linear models and sums of trees, if it is a sum of them.

Shapley values of a sum are the sum of those of its terms. Pipelines and searches are walked down to
their models; voting and models of several targets to all of theirs. What is no such sum is
explained as a whole, by evaluating it on mixed rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from model_service.explain.readers import has_reader
from model_service.fast_path.compile import SEARCHES, acting_steps


@dataclass(frozen=True)
class Component:
    """A linear model or a sum of trees behind steps, as a term of the whole model."""

    steps: tuple[Any, ...]  # fitted transformers
    model: Any
    weight: float = 1.0
    first_output: int = 0  # its outputs are added to those of the whole from here on


class NoSum(Exception):
    """The model is no sum of linear models and trees."""


def class_name(estimator: Any) -> str:
    """Return the class of an estimator of a known library, "" for any other class."""
    cls = type(estimator)
    known = ("sklearn", "imblearn", "xgboost", "lightgbm", "catboost", "model_service")
    return cls.__name__ if cls.__module__.split(".")[0] in known else ""


def unwrapped(estimator: Any) -> tuple[list[Any], Any]:
    """Return the transformers before the innermost model, and that model."""
    steps: list[Any] = []
    while True:
        name = class_name(estimator)
        if name in SEARCHES:
            estimator = estimator.best_estimator_
        elif name == "FrozenEstimator":
            estimator = estimator.estimator
        elif name == "Pipeline":
            *before, (_, last) = estimator.steps
            steps += acting_steps(before)
            estimator = last
        else:
            return steps, estimator


def is_linear(model: Any) -> bool:
    """Return whether a model has coefficients for its columns; build.py checks that they do."""
    if class_name(model) in ("MultinomialNB", "ComplementNB"):
        return True
    return class_name(model) != "" and hasattr(model, "coef_") and hasattr(model, "intercept_")


def decompose(estimator: Any) -> list[Component]:
    """Return the terms of a model. Raises NoSum."""
    steps, model = unwrapped(estimator)
    found = [replace(component, steps=(*steps, *component.steps)) for component in _terms(model)]
    if not found:
        raise NoSum(f"{type(model).__name__} has no terms")
    return found


def _terms(model: Any) -> Iterator[Component]:
    name = class_name(model)
    if name == "VotingRegressor" or (name == "VotingClassifier" and model.voting == "soft"):
        yield from _votes(model, probabilities=name == "VotingClassifier")
    elif name == "MultiOutputRegressor":
        for number, member in enumerate(model.estimators_):
            yield from _moved(decompose(member), number)
    elif has_reader(model):
        # Since scikit-learn 1.4 HistGradientBoosting encodes its categorical features itself.
        own = getattr(model, "_preprocessor", None)
        yield Component(() if own is None else (own,), model)
    elif is_linear(model):
        yield Component((), model)
    else:
        raise NoSum(f"{type(model).__name__} is neither linear nor a sum of trees")


def _moved(components: Sequence[Component], first_output: int) -> Iterator[Component]:
    for component in components:
        yield replace(component, first_output=first_output)


def _votes(model: Any, *, probabilities: bool) -> Iterator[Component]:
    weights = model._weights_not_none or [1.0] * len(model.estimators_)
    for member, weight in zip(model.estimators_, weights, strict=True):
        components = decompose(member)
        # The probabilities of a boosting or of a logistic regression are no sum.
        if probabilities and not all(
            averages_probabilities(component.model) for component in components
        ):
            raise NoSum("a member of the voting gives probabilities that are no sum of trees")
        for component in components:
            yield replace(component, weight=component.weight * float(weight) / float(sum(weights)))


def averages_probabilities(model: Any) -> bool:
    """Return whether the leaves of a model's trees hold shares of classes."""
    name = class_name(model)
    return name.endswith("Classifier") and name.startswith(
        ("DecisionTree", "ExtraTree", "RandomForest")
    )
