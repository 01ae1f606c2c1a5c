"""Models without scikit-learn's methods, behind the methods of an estimator.

A raw booster of XGBoost, LightGBM or CatBoost predicts its native number. If the model or the
contract has classes, it predicts them as the library's scikit-learn class would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

DECISION = 0.5  # the second of two classes is predicted from this probability on

# From rows, a frame or an array, to an array with one number or several for each row.
Native = Callable[[Any], Any]


class BoosterAdapter:
    """A raw booster with the methods of an estimator."""

    def __init__(
        self,
        booster: Any,
        native: Native,
        probabilities: Native,
        margin: Native,
        classes: Sequence[Any] | None,
    ) -> None:
        self.booster = booster
        self._native, self._probabilities = native, probabilities
        self.margin = margin  # the sum over the trees, before it becomes a probability
        self.classes_ = classes

    def predict(self, rows: Any) -> Any:
        """Return the native numbers, or the most probable class of each row."""
        if self.classes_ is None:
            return self._native(rows)
        probabilities = self.predict_proba(rows)
        if len(self.classes_) == 2:
            chosen = (probabilities[:, 1] >= DECISION).astype(int)
        else:
            chosen = probabilities.argmax(axis=1)
        classes = np.empty(len(self.classes_), dtype=object)
        classes[:] = self.classes_
        return classes[chosen]

    def predict_proba(self, rows: Any) -> Any:
        """Return the probability of each class, of the shape (rows, classes)."""
        found = np.asarray(self._probabilities(rows))
        return found if found.ndim == 2 else np.column_stack([1 - found, found])


class StatsmodelsAdapter:
    """A statsmodels result whose model has a column of ones, as sm.add_constant inserts it."""

    def __init__(self, results: Any, constant: int) -> None:
        self._results, self._constant = results, constant

    def predict(self, rows: Any) -> Any:
        """Return the native number of each row of an array or a frame."""
        if isinstance(rows, np.ndarray):
            return self._results.predict(np.insert(rows, self._constant, 1.0, axis=1))
        complete = rows.copy()
        complete.insert(self._constant, "const", 1.0)
        return self._results.predict(complete)


def adapted(model: Any, classes: Sequence[Any] | None, constant: int | None) -> Any:
    """Return the model behind an adapter if it needs one; `constant` is that of statsmodels."""
    cls = type(model)
    if adapt := _BOOSTERS.get((cls.__module__, cls.__name__)):
        model = BoosterAdapter(model, *adapt(model), classes)
    return model if constant is None else StatsmodelsAdapter(model, constant)


# One thread is faster for few rows, and changes no result.


def _xgboost(booster: Any) -> tuple[Native, Native, Native]:
    import xgboost  # noqa: PLC0415  # the other libraries need not be installed

    booster.set_param({"nthread": 1})

    def matrix_of(rows: Any) -> Any:
        # A frame has names; the booster demands its own.
        names = None if hasattr(rows, "columns") else booster.feature_names
        return xgboost.DMatrix(rows, feature_names=names, nthread=1, enable_categorical=True)

    def predict(rows: Any) -> Any:
        return booster.predict(matrix_of(rows))

    def margin(rows: Any) -> Any:
        return booster.predict(matrix_of(rows), output_margin=True)

    return predict, predict, margin


def _lightgbm(booster: Any) -> tuple[Native, Native, Native]:
    def predict(rows: Any) -> Any:
        return booster.predict(rows, num_threads=1)

    def margin(rows: Any) -> Any:
        return booster.predict(rows, num_threads=1, raw_score=True)

    return predict, predict, margin


def _catboost(model: Any) -> tuple[Native, Native, Native]:
    def predict(rows: Any) -> Any:
        return model.predict(rows, thread_count=1)

    def predict_proba(rows: Any) -> Any:
        return model.predict(rows, prediction_type="Probability", thread_count=1)

    def margin(rows: Any) -> Any:
        return model.predict(rows, prediction_type="RawFormulaVal", thread_count=1)

    return predict, predict_proba, margin


_BOOSTERS: dict[tuple[str, str], Callable[[Any], tuple[Native, Native, Native]]] = {
    ("xgboost.core", "Booster"): _xgboost,
    ("lightgbm.basic", "Booster"): _lightgbm,
    ("catboost.core", "CatBoost"): _catboost,
}
