"""Linear models: scikit-learn's own matrix product and link functions, without its validation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from model_service.fast_path.data import (
    Data,
    MatrixTransform,
    NotCompiled,
    Outputs,
    RowOutputs,
    RowPredict,
    check_finite,
    is_sparse,
    to_finite_floats,
)
from model_service.fast_path.steps.registry import CompiledModel, register_model

# Coefficients of more memory are kept once, and the products take longer.
MAX_COPIED_BYTES = 32 << 20


def _decision_function(estimator: Any) -> MatrixTransform:
    """Return the decision function; its values have the shape (rows,) or (rows, classes)."""
    if is_sparse(estimator.coef_):
        raise NotCompiled(f"{type(estimator).__name__} has sparse coefficients.")
    return _affine(estimator.coef_.T, estimator.intercept_)


def _affine(coefficients: Any, intercept: Any) -> MatrixTransform:
    # SciPy copies what is not in this order for each product: for a text and ten thousand words
    # and a few classes that takes as long as the whole request. The sums are the same.
    is_small = coefficients.nbytes <= MAX_COPIED_BYTES
    for_sparse = np.ascontiguousarray(coefficients) if is_small else coefficients

    def apply(data: Data) -> Any:
        if is_sparse(data):
            check_finite(data.data)
            return data @ for_sparse + intercept
        return to_finite_floats(data) @ coefficients + intercept

    return apply


def _row_predict(
    coefficients: Any, intercept: float, to_outputs: Callable[[float], RowOutputs]
) -> RowPredict:
    """Predict a row from its only decision score, without making an array of the row."""

    def predict_row(values: Sequence[float]) -> RowOutputs:
        score = float(coefficients.dot(values)) + intercept
        if not math.isfinite(score):  # as it is if any of the values is not
            raise ValueError("a missing or infinite number, or a score that is too large")
        return to_outputs(score)

    return predict_row


@register_model(
    "sklearn",
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
)
def _regressor(estimator: Any, probabilities: bool) -> CompiledModel:
    decide = _decision_function(estimator)

    def predict(data: Data) -> Outputs:
        return decide(data), None

    row = None
    if estimator.coef_.ndim == 1:
        intercept = float(np.reshape(estimator.intercept_, ()))
        row = _row_predict(estimator.coef_, intercept, lambda score: (score, None))
    return CompiledModel(predict, inline=True, row=row)


@register_model(
    "sklearn", "LinearSVC", "PassiveAggressiveClassifier", "Perceptron", "RidgeClassifier"
)
def _classifier_without_probabilities(estimator: Any, probabilities: bool) -> CompiledModel:
    if probabilities:
        raise NotCompiled(f"{type(estimator).__name__} has probabilities of its own.")
    if estimator.classes_.ndim != 1:
        raise NotCompiled(f"{type(estimator).__name__} predicts several targets.")
    return _classifier(estimator, None)


def _classifier(
    estimator: Any, to_probabilities: MatrixTransform | None, *, one_score: bool = True
) -> CompiledModel:
    """Compile a classifier; `to_probabilities` takes decision scores.

    With `one_score`, two classes are decided by the sign of one score and their probabilities are
    its logistic function.
    """
    decide, classes = _decision_function(estimator), estimator.classes_

    def predict(data: Data) -> Outputs:
        scores = decide(data)
        probabilities = None if to_probabilities is None else to_probabilities(scores)
        return _classes_of(scores, classes), probabilities

    row = None
    if one_score and len(classes) == 2 and len(estimator.coef_) == 1:
        row = _row_predict(
            estimator.coef_[0],
            float(np.broadcast_to(estimator.intercept_, 1)[0]),
            _binary_outputs(classes.tolist(), probabilities=to_probabilities is not None),
        )
    return CompiledModel(predict, inline=True, row=row, decision=decide)


def _classes_of(scores: Any, classes: Any) -> Any:
    """Return the class of each row by its decision scores."""
    if scores.ndim == 1 or scores.shape[1] == 1:
        return classes[(scores.ravel() > 0).astype(np.intp)]
    return classes[scores.argmax(axis=1)]


def _binary_outputs(
    classes: Sequence[Any], *, probabilities: bool
) -> Callable[[float], RowOutputs]:
    """Return the function from a row's score to its class and, if wanted, probabilities."""
    from scipy.special import expit  # noqa: PLC0415  # with math.exp the last bits differ

    def to_outputs(score: float) -> RowOutputs:
        predicted = classes[score > 0]
        if not probabilities:
            return predicted, None
        share = float(expit(score))
        return predicted, [1 - share, share]

    return to_outputs


@register_model("sklearn", "LogisticRegression", "LogisticRegressionCV")
def _logistic_regression(estimator: Any, probabilities: bool) -> CompiledModel:
    if not probabilities:
        return _classifier_without_probabilities(estimator, probabilities)
    if _is_one_against_rest(estimator):
        return _classifier(estimator, _one_against_rest)
    return _classifier(estimator, _softmax, one_score=False)


def _is_one_against_rest(estimator: Any) -> bool:
    # scikit-learn 1.8 removed the parameter, but models that were saved before still have it.
    multi_class = getattr(estimator, "multi_class", "auto")
    if multi_class in ("auto", "deprecated"):
        return len(estimator.classes_) <= 2 or estimator.solver == "liblinear"
    return bool(multi_class == "ovr")


@register_model("sklearn", "SGDClassifier")
def _sgd_classifier(estimator: Any, probabilities: bool) -> CompiledModel:
    if not probabilities:
        return _classifier_without_probabilities(estimator, probabilities)
    if estimator.loss not in ("log_loss", "log"):
        raise NotCompiled(f"SGDClassifier has no fast path for loss={estimator.loss!r}.")
    return _classifier(estimator, _one_against_rest)


@register_model("sklearn", "LinearDiscriminantAnalysis")
def _linear_discriminant_analysis(estimator: Any, probabilities: bool) -> CompiledModel:
    to_probabilities = _one_against_rest if len(estimator.classes_) == 2 else _softmax
    return _classifier(estimator, to_probabilities if probabilities else None)


def _one_against_rest(scores: Any) -> Any:
    """Return probabilities as one logistic function for each class, normalised."""
    from scipy.special import expit  # noqa: PLC0415  # scikit-learn has imported it

    probabilities = expit(scores)
    if probabilities.ndim == 1 or probabilities.shape[1] == 1:
        probabilities = probabilities.ravel()
        return np.array([1 - probabilities, probabilities]).T
    totals = probabilities.sum(axis=1, keepdims=True)
    if not totals.all():
        raise ValueError("all probabilities are zero")  # versions of scikit-learn differ then
    return probabilities / totals


def _softmax(scores: Any) -> Any:
    if scores.ndim == 1 or scores.shape[1] == 1:
        scores = scores.ravel()
        scores = np.array([-scores, scores]).T
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


@register_model("sklearn", "MultinomialNB")
def _multinomial_naive_bayes(estimator: Any, probabilities: bool) -> CompiledModel:
    joint_log_likelihood = _affine(estimator.feature_log_prob_.T, estimator.class_log_prior_)
    classes = estimator.classes_

    def predict(data: Data) -> Outputs:
        joint = joint_log_likelihood(data)
        return classes[joint.argmax(axis=1)], _normalise(joint) if probabilities else None

    return CompiledModel(predict, inline=True)


def _normalise(joint_log_likelihood: Any) -> Any:
    from scipy.special import logsumexp  # noqa: PLC0415  # scikit-learn has imported it

    return np.exp(joint_log_likelihood - logsumexp(joint_log_likelihood, axis=1)[:, np.newaxis])
