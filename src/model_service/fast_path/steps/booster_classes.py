"""The scikit-learn classes of XGBoost, LightGBM and CatBoost: their boosters, asked once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from model_service.fast_path.data import Data, NotCompiled, Predict, is_sparse, numbers

LIBRARIES = ("xgboost", "lightgbm", "catboost")


def _matrix(data: Data) -> Any:
    # An empty cell of a sparse matrix is missing to XGBoost, and zero to the others.
    if is_sparse(data):
        raise TypeError("sparse matrices are for the model's own methods")
    return numbers(data)


def _xgboost(estimator: Any) -> Callable[[Data], Any]:
    if estimator.booster == "gblinear":
        raise NotCompiled("it is linear")
    booster, missing = estimator.get_booster(), estimator.missing
    booster.set_param({"nthread": 1})
    trees = estimator._get_iteration_range(None)
    width = booster.num_features()

    def native(data: Data) -> Any:
        found = _matrix(data)
        if found.shape[1] != width:
            raise ValueError("another number of columns than in the training")
        return booster.inplace_predict(
            found, iteration_range=trees, missing=missing, validate_features=False
        )

    return native


def _xgboost_regressor(estimator: Any, wanted: bool) -> Predict:
    native = _xgboost(estimator)
    return lambda data: (native(data), None)


def _xgboost_classifier(estimator: Any, wanted: bool) -> Predict:
    if estimator.objective not in ("binary:logistic", "multi:softprob"):
        raise NotCompiled("its objective is another")
    native = _xgboost(estimator)

    def predict(data: Data) -> Any:
        found = native(data)
        if found.ndim == 2:
            return found.argmax(axis=1), found
        return (found > 0.5).astype(np.intp), np.array([1.0 - found, found]).T

    return predict


def _lightgbm(estimator: Any) -> Callable[[Data], Any]:
    booster, width = estimator.booster_, estimator.n_features_
    if booster.pandas_categorical:
        raise NotCompiled("it takes pandas categories")

    def native(data: Data) -> Any:
        found = _matrix(data)
        if found.shape[1] != width:
            raise ValueError("another number of columns than in the training")
        return booster.predict(found, num_threads=1)

    return native


def _lightgbm_regressor(estimator: Any, wanted: bool) -> Predict:
    native = _lightgbm(estimator)
    return lambda data: (native(data), None)


def _lightgbm_classifier(estimator: Any, wanted: bool) -> Predict:
    native, classes = _lightgbm(estimator), estimator.classes_

    def predict(data: Data) -> Any:
        found = native(data)
        shares = found if found.ndim == 2 else np.vstack([1.0 - found, found]).T
        return classes[shares.argmax(axis=1)], shares

    return predict


def _catboost(estimator: Any, wanted: bool) -> Predict:
    if estimator.get_cat_feature_indices():
        raise NotCompiled("it takes categories")

    def predict(data: Data) -> Any:
        found = _matrix(data)
        values = estimator.predict(found, thread_count=1)
        return values, estimator.predict_proba(found, thread_count=1) if wanted else None

    return predict


PREDICTORS: dict[str, Callable[[Any, bool], Predict]] = {
    "XGBClassifier": _xgboost_classifier,
    "XGBRFClassifier": _xgboost_classifier,
    "XGBRegressor": _xgboost_regressor,
    "XGBRFRegressor": _xgboost_regressor,
    "LGBMClassifier": _lightgbm_classifier,
    "LGBMRegressor": _lightgbm_regressor,
    "CatBoostClassifier": _catboost,
    "CatBoostRegressor": _catboost,
}
