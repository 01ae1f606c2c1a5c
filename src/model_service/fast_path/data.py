"""What goes from step to step: the columns of a request, then matrices."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_service.columns.frames import NUMERIC, model_input
from model_service.contract.contract import Column, ColumnKind, InputKind

# A Table, an array of the shape (rows, columns), a sparse matrix of it, or a frame that a step of
# the author's own made.
Data = Any
Step = Callable[[Data], Data]
# What predict answers, and what predict_proba answers or None.
Prediction = tuple[Any, Any]
Predict = Callable[[Data], Prediction]
# The same of a single row, as Python has it.
Single = tuple[Any, list[Any] | None]


def in_turn(steps: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """Return the function that takes what it is given through the steps, one after the other."""

    def apply(data: Any) -> Any:
        for step in steps:
            data = step(data)
        return data

    return apply


class NotCompiled(Exception):
    """There is no plan for an estimator; the message says why in a clause."""


@dataclass(frozen=True)
class Table:
    """Columns in the order of the model's, and what the model was trained on them as."""

    columns: Sequence[Column]
    kind: InputKind
    # One column that was chosen by its name alone is a series or a list of texts.
    series: bool = False

    def take(self, places: Sequence[int], *, series: bool = False) -> Table:
        return Table([self.columns[place] for place in places], self.kind, series)

    def native(self) -> Any:
        """Return what the model's own methods take."""
        data = model_input(self.columns, self.kind, None)
        if not self.series or self.kind == "texts":
            return data
        return data.iloc[:, 0] if self.kind == "frame" else data[:, 0]

    def filled(self, values: Sequence[Any]) -> Table:
        """Return the columns with a value of each where one is missing, as an array has them."""
        self._refuse_dates()
        columns = [
            Column(c.name, c.kind, [value if v is None or v != v else v for v in c.values])
            for c, value in zip(self.columns, values, strict=True)
        ]
        return Table(columns, "array")

    def matrix(self) -> Any:
        """Return floats where all columns are numbers, else objects; both have NaN for missing."""
        if all(column.kind in NUMERIC for column in self.columns):
            return numbers(self)
        self._refuse_dates()
        values = [[math.nan if v is None else v for v in c.values] for c in self.columns]
        return np.array(values, dtype=object).T

    def _refuse_dates(self) -> None:
        if any(column.kind == "date" for column in self.columns):
            raise TypeError("dates are for the model's own methods")


# Nearly all that goes from step to step: it is faster to know these than to look for an attribute.
_PLAIN = (np.ndarray, Table)


def matrix(data: Data) -> Any:
    if isinstance(data, Table):
        return data.matrix()
    return data.to_numpy() if is_frame(data) else data


def is_frame(data: Data) -> bool:
    return not isinstance(data, _PLAIN) and hasattr(data, "iloc")


def as_table(data: Data, names: Sequence[str]) -> Table:
    """Return a frame or a matrix as a table with these names."""
    if isinstance(data, Table):
        return data
    if is_frame(data):
        columns = [data.iloc[:, place].to_numpy() for place in range(data.shape[1])]
    else:
        columns = list(data.toarray().T if is_sparse(data) else data.T)
    return Table([column_of(n, v) for n, v in zip(names, columns, strict=True)], "frame")


_KINDS: dict[str, ColumnKind] = {"f": "float", "i": "int", "u": "int", "b": "bool", "O": "object"}


def column_of(name: str, values: Any) -> Column:
    """Return an array as a column. Raises KeyError where it is of an odd kind."""
    return Column(name, _KINDS[values.dtype.kind], values.tolist())


def is_sparse(data: Data) -> bool:
    return not isinstance(data, _PLAIN) and hasattr(data, "tocsr")


def numbers(data: Data) -> Any:
    """Return a dense matrix of floats; NaN is missing.

    Those of a frame lie column by column, for the order of the bytes decides the last bits of a
    product of matrices.
    """
    if isinstance(data, Table):
        # NumPy reads None as NaN, and a text that holds a number as scikit-learn does.
        columns = np.array([column.values for column in data.columns], dtype=np.float64)
        return columns.T if data.kind == "frame" else np.ascontiguousarray(columns.T)
    data = data.toarray() if is_sparse(data) else matrix(data)
    return data if data.dtype.char in "df" else data.astype(np.float64)


def has_finite_total(found: Any) -> bool:
    """Tell whether no number is missing or infinite; a large sum may say so wrongly."""
    return math.isfinite(np.add.reduce(found, axis=None))


def bounded(data: Data) -> Any:
    """Return numbers. Raises ValueError where one is infinite, as scikit-learn does."""
    found = numbers(data)
    if not has_finite_total(found) and np.isinf(found).any():
        raise ValueError("an infinite number")
    return found


def finite(data: Data) -> Any:
    """Return numbers. Raises ValueError where one is missing or infinite."""
    found = numbers(data)
    check_finite(found)
    return found


def check_finite(found: Any) -> None:
    # The sum of finite numbers may overflow: then they are looked at one by one.
    if not has_finite_total(found) and not np.isfinite(found).all():
        raise ValueError("a missing or infinite number")


def own_method(estimator: Any, method: str) -> Callable[[Data], Any]:
    """Return a method of the estimator, for data as it was fitted on them."""
    names = getattr(estimator, "feature_names_in_", None)
    call = getattr(estimator, method)

    def apply(data: Data) -> Any:
        if isinstance(data, Table):
            data = data.native()
        if names is not None and isinstance(data, np.ndarray):
            import pandas as pd  # noqa: PLC0415  # only for what was fitted on a frame

            data = pd.DataFrame(data, columns=names)
        return call(data)

    return apply
