"""The model's columns as it was trained on them: a frame, an array or a list of texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from model_service.contract.contract import Column

InputKind = Literal["frame", "array", "texts"]
NUMERIC = frozenset(("float", "int", "bool"))


def model_input(columns: Sequence[Column], kind: InputKind, names: tuple[str, ...] | None) -> Any:
    """Return the columns as the model was trained on them: a frame, an array or a list of texts.

    Arrays have the shape (rows, columns).
    """
    if kind == "texts":
        return [value if value is not None else "" for value in columns[0].values]
    if kind == "array":
        by_name = {column.name: column for column in columns}
        columns = [by_name[name] for name in names or by_name]
        numeric = all(column.kind in NUMERIC for column in columns)
        arrays = [_array(column) for column in columns]
        return np.column_stack(arrays) if numeric else _objects(arrays)
    import pandas as pd  # noqa: PLC0415  # 60 MB that a model trained on arrays does not need

    text = "str" if int(pd.__version__.split(".")[0]) >= 3 else object
    series = {
        column.name: pd.Series(_array(column), dtype=text if column.kind == "text" else None)
        for column in columns
    }
    return pd.DataFrame({name: series[name] for name in names or series})


def _array(column: Column) -> Any:
    if column.kind == "float":
        return np.array([math.nan if v is None else v for v in column.values], dtype=np.float64)
    if column.kind == "int":
        return np.array(column.values, dtype=np.int64)
    if column.kind == "bool":
        return np.array(column.values, dtype=bool)
    if column.kind == "date":
        days = ["NaT" if v is None else v for v in column.values]
        return np.array(days, dtype="datetime64[ns]")
    array = np.empty(len(column.values), dtype=object)
    array[:] = [math.nan if v is None else v for v in column.values]
    return array


def _objects(arrays: Sequence[Any]) -> Any:
    stacked = np.empty((len(arrays[0]), len(arrays)), dtype=object)
    for number, array in enumerate(arrays):
        stacked[:, number] = array
    return stacked
