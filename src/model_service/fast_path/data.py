"""What compiled steps pass to each other, and its conversion to floats.

Many rows start as a ColumnTable and become matrices; one row is a list of Python values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_service.columns.frames import NUMERIC, model_input
from model_service.contract.batch import Coded, Column, ColumnKind, Values, listed, map_values
from model_service.contract.contract import InputKind

# A ColumnTable, an array of the shape (rows, columns), a SciPy sparse matrix of that shape, or a
# pandas frame that a user-defined transformer returned.
Data = Any
MatrixTransform = Callable[[Data], Data]
# What predict and predict_proba return; None if no probabilities are wanted.
Outputs = tuple[Any, Any]
MatrixPredict = Callable[[Data], Outputs]

# The values of one row; None and NaN are missing.
RowValues = list[Any]
RowTransform = Callable[[RowValues], RowValues]
# The prediction and the probabilities of one row, as Python values.
RowOutputs = tuple[Any, list[float] | None]
RowPredict = Callable[[RowValues], RowOutputs]


class NotCompiled(Exception):
    """The fast path does not know this estimator or its parameters; the message says why."""


def compose(functions: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """Return the function that applies all of these, the first one first."""

    def apply(data: Any) -> Any:
        for function in functions:
            data = function(data)
        return data

    return apply


@dataclass(frozen=True)
class ColumnTable:
    """Columns in the model's order, and the kind of input that the model was trained on."""

    columns: Sequence[Column]
    kind: InputKind
    # A single column that a ColumnTransformer selects by name instead of by list: the transformer
    # gets it with one dimension.
    series: bool = False

    def take(self, indices: Sequence[int], *, series: bool = False) -> ColumnTable:
        """Return the columns at these indices."""
        return ColumnTable([self.columns[index] for index in indices], self.kind, series)

    def to_native(self) -> Any:
        """Return the frame, array or list of texts that scikit-learn's own methods expect."""
        data = model_input(self.columns, self.kind, None)
        if not self.series or self.kind == "texts":
            return data
        return data.iloc[:, 0] if self.kind == "frame" else data[:, 0]

    def fill_missing(self, fill_values: Sequence[Any]) -> ColumnTable:
        """Replace missing values by the column's fill value. Raises TypeError for dates."""
        self._refuse_dates()
        columns = [
            Column(c.name, c.kind, _filled(c.values, fill))
            for c, fill in zip(self.columns, fill_values, strict=True)
        ]
        return ColumnTable(columns, "array")

    def to_matrix(self) -> Any:
        """Return floats if all columns are numeric, else objects; missing values are NaN."""
        if all(column.kind in NUMERIC for column in self.columns):
            return to_floats(self)
        self._refuse_dates()
        values = [[math.nan if v is None else v for v in listed(c.values)] for c in self.columns]
        return np.array(values, dtype=object).T

    def _refuse_dates(self) -> None:
        if any(column.kind == "date" for column in self.columns):
            raise TypeError("dates are left to the model's own methods")


def _filled(values: Values, fill: Any) -> Values:
    """Return a column with a value in the place of missing ones."""
    if isinstance(values, Coded):
        return map_values(lambda v: fill if v is None or v != v else v, values)
    return [fill if v is None or v != v else v for v in listed(values)]


# Nearly all data is one of these, and isinstance is faster than looking for an attribute.
_COMMON_TYPES = (np.ndarray, ColumnTable)


def is_frame(data: Data) -> bool:
    """Return whether the data is a pandas frame or series."""
    return not isinstance(data, _COMMON_TYPES) and hasattr(data, "iloc")


def is_sparse(data: Data) -> bool:
    """Return whether the data is a SciPy sparse matrix."""
    return not isinstance(data, _COMMON_TYPES) and hasattr(data, "tocsr")


def column_count(data: Data) -> int:
    """Return the number of columns of a table or matrix."""
    return len(data.columns) if isinstance(data, ColumnTable) else data.shape[1]


def to_matrix(data: Data) -> Any:
    """Return a table or frame as an array; arrays and sparse matrices stay as they are."""
    if isinstance(data, ColumnTable):
        return data.to_matrix()
    return data.to_numpy() if is_frame(data) else data


def as_table(data: Data, names: Sequence[str]) -> ColumnTable:
    """Return a frame or matrix as a table with these column names."""
    if isinstance(data, ColumnTable):
        return data
    if is_frame(data):
        columns = [data.iloc[:, index].to_numpy() for index in range(data.shape[1])]
    else:
        columns = list(data.toarray().T if is_sparse(data) else data.T)
    return ColumnTable([as_column(n, v) for n, v in zip(names, columns, strict=True)], "frame")


_COLUMN_KINDS: dict[str, ColumnKind] = {
    "f": "float",
    "i": "int",
    "u": "int",
    "b": "bool",
    "O": "object",
}


def as_column(name: str, values: Any) -> Column:
    """Return an array as a column. Raises KeyError for dtypes such as dates."""
    return Column(name, _COLUMN_KINDS[values.dtype.kind], values.tolist())


def to_floats(data: Data) -> Any:
    """Return a dense float matrix; missing values are NaN.

    A frame's values come in Fortran order, as pandas hands them to scikit-learn: the memory order
    decides the last bits of a matrix product.
    """
    if isinstance(data, ColumnTable):
        # NumPy reads None as NaN, and text that holds a number as scikit-learn does.
        if all(isinstance(column.values, list) for column in data.columns):
            columns = np.array([column.values for column in data.columns], dtype=np.float64)
        else:
            columns = np.empty((len(data.columns), len(data.columns[0].values)))
            for number, column in enumerate(data.columns):
                columns[number] = _floats(column.values)
        return columns.T if data.kind == "frame" else np.ascontiguousarray(columns.T)
    data = data.toarray() if is_sparse(data) else to_matrix(data)
    return data if data.dtype.char in "df" else data.astype(np.float64)


def _floats(values: Values) -> Any:
    if isinstance(values, Coded):
        return np.array(values.distinct, dtype=np.float64)[values.codes]
    return np.asarray(values, dtype=np.float64)


def has_finite_sum(matrix: Any) -> bool:
    """Return whether the sum of all numbers is finite.

    If it is, every number is; if it is not, finite numbers may have overflowed.
    """
    return math.isfinite(np.add.reduce(matrix, axis=None))


def to_floats_allow_nan(data: Data) -> Any:
    """Return floats. Raises ValueError if one is infinite, as scikit-learn does."""
    matrix = to_floats(data)
    if not has_finite_sum(matrix) and np.isinf(matrix).any():
        raise ValueError("an infinite number")
    return matrix


def to_finite_floats(data: Data) -> Any:
    """Return floats. Raises ValueError if one is missing or infinite."""
    matrix = to_floats(data)
    check_finite(matrix)
    return matrix


def check_finite(matrix: Any) -> None:
    """Raise ValueError if a number is missing or infinite."""
    if not has_finite_sum(matrix) and not np.isfinite(matrix).all():
        raise ValueError("a missing or infinite number")


def check_width(data: Data, expected: int) -> None:
    """Raise ValueError unless there are as many columns as in the training.

    A compiled kernel does not check this: it would read beyond the end of a row.
    """
    if (found := column_count(data)) != expected:
        raise ValueError(f"{found} columns; the model was trained on {expected}")


def row_to_floats(values: RowValues) -> list[float]:
    """Return the numbers of a row as floats. Raises TypeError for text."""
    return [value if type(value) is float else _to_float(value) for value in values]


def _to_float(value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, str):  # NumPy and Python do not read the same texts as numbers
        raise TypeError("text instead of a number")
    return float(value)


def row_to_floats_allow_nan(values: RowValues) -> list[float]:
    """Return the numbers of a row as floats. Raises ValueError if one is infinite."""
    floats = row_to_floats(values)
    # A sum of finite numbers can overflow, so an infinite one is looked for only then.
    if not math.isfinite(sum(floats)) and any(map(math.isinf, floats)):
        raise ValueError("an infinite number")
    return floats


def native_method(estimator: Any, name: str) -> Callable[[Data], Any]:
    """Return an estimator's own method as a function of Data.

    An estimator that was fitted on a frame gets a frame with its column names.
    """
    column_names = getattr(estimator, "feature_names_in_", None)
    method = getattr(estimator, name)

    def call(data: Data) -> Any:
        if isinstance(data, ColumnTable):
            data = data.to_native()
        if column_names is not None and isinstance(data, np.ndarray):
            import pandas as pd  # noqa: PLC0415  # only for estimators fitted on a frame

            data = pd.DataFrame(data, columns=column_names)
        return method(data)

    return call
