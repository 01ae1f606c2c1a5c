"""What is explained of a model: its margin, its probabilities, or the number that it predicts.

A response has a column for each target: one for a number, one for the second of two classes (the
first one's is its opposite), and one for each of several classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from model_service.contract.json_values import Scalar, json_key, json_text
from model_service.explain.components import class_name, unwrapped

# log-odds: of a class against all others. score: the model's own decision. log: of a number.
Kind = Literal["log-odds", "score", "probability", "value", "log", "vote"]
# From the input of the model's own methods to an array (rows, columns).
Respond = Callable[[Any], Any]

_DECIDES = frozenset(
    """
    GradientBoostingClassifier HistGradientBoostingClassifier LinearDiscriminantAnalysis LinearSVC
    LogisticRegression LogisticRegressionCV PassiveAggressiveClassifier Perceptron RidgeClassifier
    RidgeClassifierCV SGDClassifier
    """.split()
)
_BAYES = frozenset(("MultinomialNB", "ComplementNB"))


class Unexplained(Exception):
    """There are no explanations for this model; the message says why."""


@dataclass(frozen=True)
class TargetColumns:
    """The columns of one target in the response."""

    name: str | None  # None if there is only one target
    classes: tuple[Any, ...] | None  # None for a number
    first: int

    @property
    def width(self) -> int:
        """How many columns the target has."""
        return len(self.classes) if self.classes is not None and len(self.classes) > 2 else 1

    @cached_property
    def subjects(self) -> tuple[ExplainedColumn, ...]:
        """What can be explained of the target: each of its classes, or its number."""
        if self.classes is None:
            return (ExplainedColumn(self, self.first, None),)
        return tuple(
            ExplainedColumn(
                self,
                self.first + (place if self.width > 1 else 0),
                json_text(known),
                is_turned=self.width == 1 and place == 0,
            )
            for place, known in enumerate(self.classes)
        )

    @cached_property
    def _subject_by_class(self) -> Mapping[tuple[str, object], ExplainedColumn]:
        pairs = zip(self.classes or (), self.subjects, strict=False)
        return {json_key(known): subject for known, subject in pairs}

    def subject(self, wanted: Scalar) -> ExplainedColumn | None:
        """Return one of the classes; None if it is not among them."""
        return self._subject_by_class.get(json_key(wanted))


@dataclass(frozen=True)
class ExplainedColumn:
    """A class, or the number, of a target: a column of the response, perhaps turned."""

    target: TargetColumns
    column: int
    class_text: str | None  # the class as JSON text
    is_turned: bool = False  # the first of two classes, which has no column


def targets_of(
    names: Sequence[str] | None, classes: Sequence[Any] | None
) -> tuple[TargetColumns, ...]:
    """Return the targets; `classes` are those of one target, or of each of several."""
    if names is None:
        return (TargetColumns(None, tuple(classes) if classes is not None else None, 0),)
    found: list[TargetColumns] = []
    for number, name in enumerate(names):
        first = found[-1].first + found[-1].width if found else 0
        own = tuple(classes[number]) if classes is not None else None
        found.append(TargetColumns(name, own, first))
    return tuple(found)


def input_of_last(estimator: Any, data: Any) -> tuple[Any, Any]:
    """Return the innermost model and its input, by the transformers' own methods."""
    steps, model = unwrapped(estimator)
    for step in steps:
        data = step.transform(data)
    return model, data


def margin_of(estimator: Any) -> Respond | None:
    """Return the function to the margins of a model; None if it has none that is explained."""
    model = unwrapped(estimator)[1]
    name = class_name(model)
    own: Respond
    if name in _DECIDES:
        own = model.decision_function
    elif name in _BAYES:
        own = _joint_log_likelihood(model)
    elif name.startswith("XGB") and name != "XGBModel":
        own = lambda data: model.predict(data, output_margin=True)  # noqa: E731
    elif name.startswith("LGBM"):
        own = lambda data: model.predict(data, raw_score=True, num_threads=1)  # noqa: E731
    elif name.startswith("CatBoost"):
        own = lambda data: model.predict(  # noqa: E731
            data, prediction_type="RawFormulaVal", thread_count=1
        )
    elif name == "BoosterAdapter":
        own = model.margin
    elif _has_log_link(model, name):
        own = lambda data: np.log(model.predict(data))  # noqa: E731
    else:
        return None

    def respond(data: Any) -> Any:
        return as_columns(own(input_of_last(estimator, data)[1]))

    return respond


def _has_log_link(model: Any, name: str) -> bool:
    if name == "HistGradientBoostingRegressor":
        return model.loss in ("poisson", "gamma")
    if name == "TweedieRegressor":
        return bool(model.link == "log" or (model.link == "auto" and model.power > 0))
    return name in ("PoissonRegressor", "GammaRegressor")


def _joint_log_likelihood(model: Any) -> Respond:
    def respond(data: Any) -> Any:
        if hasattr(model, "predict_joint_log_proba"):
            joint = model.predict_joint_log_proba(data)
        else:  # before scikit-learn 1.2
            joint = model._joint_log_likelihood(data)
        return joint[:, 1] - joint[:, 0] if joint.shape[1] == 2 else joint

    return respond


def as_columns(values: Any) -> Any:
    """Return numbers as float64 of the shape (rows, columns)."""
    values = np.asarray(values, dtype=np.float64)
    return values.reshape(len(values), -1)


def probabilities_of(estimator: Any) -> Respond:
    """Return the function to the probabilities of a model."""

    def respond(data: Any) -> Any:
        found = estimator.predict_proba(data)
        if isinstance(found, list):  # an array for each target
            return np.concatenate([_without_first(shares) for shares in found], axis=1)
        return _without_first(found)

    return respond


def _without_first(shares: Any) -> Any:
    shares = as_columns(shares)
    return shares[:, 1:] if shares.shape[1] == 2 else shares


def votes_of(estimator: Any, targets: Sequence[TargetColumns]) -> Respond:
    """Return the function to 1 for the class that is predicted, and 0 for the others."""

    def respond(data: Any) -> Any:
        predicted = np.asarray(estimator.predict(data))
        predicted = predicted.reshape(len(predicted), -1)
        columns = [
            predicted[:, number] == known
            for number, target in enumerate(targets)
            for known in _voted(target)
        ]
        return np.array(columns, dtype=np.float64).T

    return respond


def _voted(target: TargetColumns) -> Sequence[Any]:
    classes = target.classes or ()
    return classes[1:] if len(classes) == 2 else classes


def values_of(estimator: Any) -> Respond:
    """Return the function to the numbers that a model predicts."""
    return lambda data: as_columns(estimator.predict(data))


def response_of(
    estimator: Any, task: str, targets: Sequence[TargetColumns], *, probabilities: bool
) -> tuple[Respond, bool]:
    """Return what is explained of a model, and whether it is a margin."""
    if (margin := margin_of(estimator)) is not None and (
        len(targets) == 1 or targets[0].classes is None
    ):
        return margin, True
    if probabilities:
        return probabilities_of(estimator), False
    if task == "classification" and hasattr(estimator, "decision_function") and len(targets) == 1:
        return lambda data: as_columns(estimator.decision_function(data)), True
    if task == "outlier" and hasattr(estimator, "decision_function"):
        return lambda data: as_columns(estimator.decision_function(data)), True
    if task in ("classification", "clustering"):
        return votes_of(estimator, targets), False
    return values_of(estimator), False


def kind_of(
    respond: Respond,
    estimator: Any,
    data: Any,
    task: str,
    targets: Sequence[TargetColumns],
    *,
    probabilities: bool,
    is_margin: bool,
) -> Kind:
    """Return what a response is, by comparing it with what the model answers for some rows."""
    if task in ("classification", "clustering"):
        if not is_margin:
            return "probability" if probabilities else "vote"
        if probabilities and targets[0].width == 1:
            shares = probabilities_of(estimator)(data)
            if np.allclose(logistic(respond(data)), shares, rtol=1e-5, atol=1e-7):
                return "log-odds"
        return "score"
    if not is_margin:
        return "value"
    native, margin = as_columns(estimator.predict(data)), respond(data)
    if np.allclose(native, margin, rtol=1e-5, atol=1e-7):
        return "value"
    with np.errstate(over="ignore"):
        if np.allclose(native, np.exp(margin), rtol=1e-5, atol=1e-7):
            return "log"
        is_logistic = np.allclose(native, logistic(margin), rtol=1e-5, atol=1e-7)
    return "log-odds" if is_logistic else "score"


def logistic(values: Any) -> Any:
    """Return the logistic function of log-odds."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-values))
