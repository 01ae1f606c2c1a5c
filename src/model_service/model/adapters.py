"""Boosters of XGBoost, LightGBM and CatBoost without their scikit-learn classes.

A raw booster has one answer, its native number. Where the model or the contract has classes, it
answers with them as the library's scikit-learn class would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

DECISION = 0.5  # from which probability on the second of two classes is predicted

# From rows, a frame or an array, to an array of one number or of several a row.
Native = Callable[[Any], Any]


class BoosterAdapter:
    """A booster with the methods of a scikit-learn estimator."""

    def __init__(
        self, native: Native, probabilities: Native, classes: Sequence[Any] | None
    ) -> None:
        self._native, self._probabilities = native, probabilities
        self.classes_ = classes

    def predict(self, rows: Any) -> Any:
        """Return the native numbers, or the likeliest class of each row."""
        if self.classes_ is None:
            return self._native(rows)
        shares = self.predict_proba(rows)
        if len(self.classes_) == 2:
            chosen = (shares[:, 1] >= DECISION).astype(int)
        else:
            chosen = shares.argmax(axis=1)
        classes = np.empty(len(self.classes_), dtype=object)
        classes[:] = self.classes_
        return classes[chosen]

    def predict_proba(self, rows: Any) -> Any:
        """Return the probability of each class."""
        shares = np.asarray(self._probabilities(rows))
        return shares if shares.ndim == 2 else np.column_stack([1 - shares, shares])


def load(library: str, content: bytes, task: str) -> Any:
    """Return the model in a file of the library's own format."""
    # Each is imported only for its own models: the others need not be installed.
    if library == "xgboost":
        import xgboost  # noqa: PLC0415

        # One thread while it loads, too: threads that were there before a fork hang after it.
        booster = xgboost.Booster({"nthread": 1})
        booster.load_model(bytearray(content))
        return booster
    if library == "lightgbm":
        import lightgbm  # noqa: PLC0415

        return lightgbm.Booster(model_str=content.decode("utf-8"))
    import catboost  # noqa: PLC0415

    kind = catboost.CatBoostClassifier if task == "classification" else catboost.CatBoost
    return kind().load_model(blob=content)


def estimator(model: Any, classes: Sequence[Any] | None) -> Any:
    """Return a raw booster as an estimator that knows these classes; anything else as it is."""
    cls = type(model)
    adapt = _ADAPTERS.get((cls.__module__, cls.__name__))
    return BoosterAdapter(*adapt(model), classes) if adapt is not None else model


# One thread is faster for few rows, and changes no result.


def _xgboost(booster: Any) -> tuple[Native, Native]:
    import xgboost  # noqa: PLC0415

    booster.set_param({"nthread": 1})

    def predict(rows: Any) -> Any:
        # A frame brings the names; the booster wants to see those that it knows.
        names = None if hasattr(rows, "columns") else booster.feature_names
        matrix = xgboost.DMatrix(rows, feature_names=names, nthread=1, enable_categorical=True)
        return booster.predict(matrix)

    return predict, predict


def _lightgbm(booster: Any) -> tuple[Native, Native]:
    def predict(rows: Any) -> Any:
        return booster.predict(rows, num_threads=1)

    return predict, predict


def _catboost(model: Any) -> tuple[Native, Native]:
    def predict(rows: Any) -> Any:
        return model.predict(rows, thread_count=1)

    def predict_proba(rows: Any) -> Any:
        return model.predict(rows, prediction_type="Probability", thread_count=1)

    return predict, predict_proba


_ADAPTERS: dict[tuple[str, str], Callable[[Any], tuple[Native, Native]]] = {
    ("xgboost.core", "Booster"): _xgboost,
    ("lightgbm.basic", "Booster"): _lightgbm,
    ("catboost.core", "CatBoost"): _catboost,
}
