"""The scikit-learn classes of XGBoost, LightGBM and CatBoost, by one call of their booster."""

from __future__ import annotations

from typing import Any

import numpy as np

from model_service.fast_path.data import (
    Data,
    MatrixTransform,
    NotCompiled,
    Outputs,
    check_width,
    is_sparse,
    to_floats,
)
from model_service.fast_path.steps.registry import CompiledModel, register_model
from model_service.fast_path.steps.trees import MAX_INLINE_TREES, tree_count


def _to_dense_floats(data: Data) -> Any:
    # An empty cell of a sparse matrix is missing to XGBoost, and zero to the others.
    if is_sparse(data):
        raise TypeError("sparse matrices are left to the model's own methods")
    return to_floats(data)


def _is_inline(estimator: Any) -> bool:
    return tree_count(estimator, per_class=True) <= MAX_INLINE_TREES


def _xgboost_predict(estimator: Any) -> MatrixTransform:
    if estimator.booster == "gblinear":
        raise NotCompiled("XGBoost's linear booster has no fast path.")
    booster, missing = estimator.get_booster(), estimator.missing
    booster.set_param({"nthread": 1})
    iteration_range, width = estimator._get_iteration_range(None), booster.num_features()

    def predict(data: Data) -> Any:
        matrix = _to_dense_floats(data)
        check_width(matrix, width)
        return booster.inplace_predict(
            matrix, iteration_range=iteration_range, missing=missing, validate_features=False
        )

    return predict


@register_model("xgboost", "XGBRegressor", "XGBRFRegressor")
def _xgboost_regressor(estimator: Any, probabilities: bool) -> CompiledModel:
    predict = _xgboost_predict(estimator)
    return CompiledModel(
        lambda data: (predict(data), None),
        inline=_is_inline(estimator),
        is_bitwise_batch_invariant=True,
    )


@register_model("xgboost", "XGBClassifier", "XGBRFClassifier")
def _xgboost_classifier(estimator: Any, probabilities: bool) -> CompiledModel:
    if estimator.objective not in ("binary:logistic", "multi:softprob"):
        raise NotCompiled(f"XGBoost's objective {estimator.objective} has no fast path.")
    predict = _xgboost_predict(estimator)

    def predict_both(data: Data) -> Outputs:
        shares = predict(data)
        if shares.ndim == 2:
            return shares.argmax(axis=1), shares
        return (shares > 0.5).astype(np.intp), np.array([1.0 - shares, shares]).T

    return CompiledModel(
        predict_both, inline=_is_inline(estimator), is_bitwise_batch_invariant=True
    )


def _lightgbm_predict(estimator: Any) -> MatrixTransform:
    booster, width = estimator.booster_, estimator.n_features_
    if booster.pandas_categorical:
        raise NotCompiled("The LightGBM model takes pandas categories.")

    def predict(data: Data) -> Any:
        matrix = _to_dense_floats(data)
        check_width(matrix, width)
        return booster.predict(matrix, num_threads=1)

    return predict


@register_model("lightgbm", "LGBMRegressor")
def _lightgbm_regressor(estimator: Any, probabilities: bool) -> CompiledModel:
    predict = _lightgbm_predict(estimator)
    return CompiledModel(
        lambda data: (predict(data), None),
        inline=_is_inline(estimator),
        is_bitwise_batch_invariant=True,
    )


@register_model("lightgbm", "LGBMClassifier")
def _lightgbm_classifier(estimator: Any, probabilities: bool) -> CompiledModel:
    predict, classes = _lightgbm_predict(estimator), estimator.classes_

    def predict_both(data: Data) -> Outputs:
        shares = predict(data)
        if shares.ndim != 2:
            shares = np.vstack([1.0 - shares, shares]).T
        return classes[shares.argmax(axis=1)], shares

    return CompiledModel(
        predict_both, inline=_is_inline(estimator), is_bitwise_batch_invariant=True
    )


@register_model("catboost", "CatBoostClassifier", "CatBoostRegressor")
def _catboost(estimator: Any, probabilities: bool) -> CompiledModel:
    if estimator.get_cat_feature_indices():
        raise NotCompiled("The CatBoost model takes categories.")

    def predict_both(data: Data) -> Outputs:
        matrix = _to_dense_floats(data)
        values = estimator.predict(matrix, thread_count=1)
        return values, estimator.predict_proba(matrix, thread_count=1) if probabilities else None

    # Not inline: predict and predict_proba are two calls of the library.
    return CompiledModel(predict_both, inline=False)
