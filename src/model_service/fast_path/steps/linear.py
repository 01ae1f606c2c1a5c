"""Linear models: the same product, without the validation around it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_service.fast_path.data import (
    Data,
    NotCompiled,
    Predict,
    Prediction,
    Single,
    check_finite,
    finite,
    is_sparse,
)

Scores = Callable[[Data], Any]


def scores(estimator: Any) -> Scores:
    """Return the decision function, of the shape (rows,) or (rows, classes)."""
    coefficients, intercept = estimator.coef_, estimator.intercept_
    if is_sparse(coefficients):
        raise NotCompiled("its coefficients are sparse")
    factors = coefficients.T

    def score(data: Data) -> Any:
        if is_sparse(data):
            check_finite(data.data)
            found = data
        else:
            found = finite(data)
        return found @ factors + intercept

    return score


@dataclass(frozen=True)
class OneScore:
    """A model that says of a row what one score says: of a single row without NumPy's arrays."""

    predict: Predict
    factors: Any
    intercept: float
    say: Callable[[float], Single]

    def __call__(self, data: Data) -> Prediction:
        return self.predict(data)

    def alone(self, values: Sequence[float]) -> Single:
        """Predict one row of numbers. Raises ValueError where one is missing or infinite."""
        score = float(self.factors.dot(values)) + self.intercept
        if not math.isfinite(score):  # as it is where any of the numbers is not
            raise ValueError("a missing or infinite number, or a score that is too large")
        return self.say(score)


def _regressor(estimator: Any, wanted: bool) -> Predict:
    score = scores(estimator)

    def predict(data: Data) -> Prediction:
        return score(data), None

    if estimator.coef_.ndim != 1:
        return predict
    intercept = float(np.reshape(estimator.intercept_, ()))
    return OneScore(predict, estimator.coef_, intercept, lambda score: (score, None))


def _of_two(estimator: Any, predict: Predict, wanted: bool) -> Predict:
    """Return what a classifier predicts, if of two classes by the sign of one score."""
    labels = estimator.classes_.tolist()
    if len(labels) != 2 or len(estimator.coef_) != 1:
        return predict
    from scipy.special import expit  # noqa: PLC0415  # math has other last bits

    def say(score: float) -> Single:
        label = labels[score > 0]
        if not wanted:
            return label, None
        share = float(expit(score))
        return label, [1 - share, share]

    intercept = np.broadcast_to(estimator.intercept_, 1)[0]
    return OneScore(predict, estimator.coef_[0], float(intercept), say)


def classifier(estimator: Any, wanted: bool) -> Predict:
    """Return the classes, and no probabilities."""
    if wanted:
        raise NotCompiled("its probabilities are its own")
    score, classes = scores(estimator), estimator.classes_
    if classes.ndim != 1:
        raise NotCompiled("it has several targets")
    return _of_two(estimator, lambda data: (chosen(score(data), classes), None), wanted)


def chosen(found: Any, classes: Any) -> Any:
    """Return the class of each row from its scores."""
    if found.ndim == 1 or found.shape[1] == 1:
        return classes[(found.ravel() > 0).astype(np.intp)]
    return classes[found.argmax(axis=1)]


def _logistic(estimator: Any, wanted: bool) -> Predict:
    if not wanted:
        return classifier(estimator, wanted)
    score, classes = scores(estimator), estimator.classes_
    alone = _is_one_against_rest(estimator)
    share = one_against_rest if alone else softmax

    def predict(data: Data) -> Any:
        found = score(data)
        return chosen(found, classes), share(found)

    return _of_two(estimator, predict, wanted) if alone else predict


def _is_one_against_rest(estimator: Any) -> bool:
    # The parameter is gone from scikit-learn 1.8 on, but stays in models that were saved before.
    given = getattr(estimator, "multi_class", "auto")
    two = len(estimator.classes_) <= 2
    if given in ("auto", "deprecated"):
        return two or estimator.solver == "liblinear"
    return bool(given == "ovr")


def one_against_rest(found: Any) -> Any:
    from scipy.special import expit  # noqa: PLC0415  # as scikit-learn, which has imported it

    shares = expit(found)
    if shares.ndim == 1 or shares.shape[1] == 1:
        shares = shares.ravel()
        return np.array([1 - shares, shares]).T
    totals = shares.sum(axis=1, keepdims=True)
    if not totals.all():
        raise ValueError("no class has a share")  # versions differ in what they answer then
    return shares / totals


def softmax(found: Any) -> Any:
    if found.ndim == 1 or found.shape[1] == 1:
        found = found.ravel()
        found = np.array([-found, found]).T
    shares = np.exp(found - found.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def _sgd(estimator: Any, wanted: bool) -> Predict:
    if wanted and estimator.loss not in ("log_loss", "log"):
        raise NotCompiled("its probabilities are its own")
    if not wanted:
        return classifier(estimator, wanted)
    score, classes = scores(estimator), estimator.classes_

    def predict(data: Data) -> Any:
        found = score(data)
        return chosen(found, classes), one_against_rest(found)

    return _of_two(estimator, predict, wanted)


def _naive_bayes(estimator: Any, wanted: bool) -> Predict:
    """Multinomial: the joint log likelihood is linear, and the shares are its softmax."""
    factors, offset = estimator.feature_log_prob_.T, estimator.class_log_prior_
    classes = estimator.classes_

    def predict(data: Data) -> Any:
        if is_sparse(data):
            check_finite(data.data)
        else:
            data = finite(data)
        found = data @ factors + offset
        return classes[found.argmax(axis=1)], _shares(found) if wanted else None

    return predict


def _shares(joint: Any) -> Any:
    from scipy.special import logsumexp  # noqa: PLC0415  # as in one_against_rest

    return np.exp(joint - logsumexp(joint, axis=1)[:, np.newaxis])


def discriminant(estimator: Any, wanted: bool) -> Predict:
    score, classes = scores(estimator), estimator.classes_
    two = len(classes) == 2

    def predict(data: Data) -> Any:
        found = score(data)
        shares = (one_against_rest if two else softmax)(found) if wanted else None
        return chosen(found, classes), shares

    return _of_two(estimator, predict, wanted)


PREDICTORS: dict[str, Callable[[Any, bool], Predict]] = {
    "LogisticRegression": _logistic,
    "LogisticRegressionCV": _logistic,
    "SGDClassifier": _sgd,
    "MultinomialNB": _naive_bayes,
    "LinearDiscriminantAnalysis": discriminant,
    **dict.fromkeys(
        ("LinearSVC", "Perceptron", "PassiveAggressiveClassifier", "RidgeClassifier"), classifier
    ),
    **dict.fromkeys(
        (
            "ARDRegression",
            "BayesianRidge",
            "ElasticNet",
            "ElasticNetCV",
            "HuberRegressor",
            "Lars",
            "LarsCV",
            "Lasso",
            "LassoCV",
            "LassoLars",
            "LassoLarsCV",
            "LassoLarsIC",
            "LinearRegression",
            "LinearSVR",
            "OrthogonalMatchingPursuit",
            "OrthogonalMatchingPursuitCV",
            "QuantileRegressor",
            "Ridge",
            "RidgeCV",
            "SGDRegressor",
            "TheilSenRegressor",
        ),
        _regressor,
    ),
}
