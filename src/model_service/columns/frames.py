"""Turn the contract's columns into what the model was trained on: a frame, an array or texts."""

from __future__ import annotations

import array
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from model_service.columns.categories import ColumnCategories, listed_categories
from model_service.contract.batch import Coded, Column, map_values
from model_service.contract.contract import InputKind
from model_service.contract.json_values import Value

NUMERIC = frozenset(("float", "int", "bool"))
_NONE: Mapping[str, ColumnCategories] = {}


def model_input(
    columns: Sequence[Column],
    kind: InputKind,
    names: tuple[str, ...] | None,
    categories: Mapping[str, ColumnCategories] = _NONE,
) -> Any:
    """Return a frame, an array of the shape (rows, columns), or the list of texts of one column.

    `names` chooses the columns and their order; None takes all of them as they are.
    """
    if kind == "texts":
        return [value if value is not None else "" for value in columns[0].values]
    if categories:
        columns = [_for_catboost(column, categories.get(column.name)) for column in columns]
    by_name = {column.name: column for column in columns}
    columns = [by_name[name] for name in names or by_name]
    if kind == "array":
        numeric = all(column.kind in NUMERIC for column in columns)
        arrays = [_array(column) for column in columns]
        return np.column_stack(arrays) if numeric else _objects(arrays)
    import pandas as pd  # noqa: PLC0415  # 60 MB that a model of arrays does not need

    text = "str" if int(pd.__version__.split(".")[0]) >= 3 else object
    frame = {}
    for column in columns:
        if column.kind in NUMERIC and column.name not in categories:
            frame[column.name] = _array(column)  # thousands of series would take a second
            continue
        series = pd.Series(_array(column), dtype=text if column.kind == "text" else None)
        frame[column.name] = _categorical(series, categories.get(column.name))
    return pd.DataFrame(frame)


def prepared_input(prepared: Any, kind: InputKind, names: tuple[str, ...] | None) -> Any:
    """Return what the author's prepare() made as the model takes it.

    prepare() can return a frame, a series, an array or a list. Raises ValueError for texts in
    several columns, or for another number of columns than the model's.
    """
    if kind == "texts":
        return _texts(prepared)
    is_frame = hasattr(prepared, "columns")
    if is_frame and names is not None:
        return prepared[list(names)]
    if hasattr(prepared, "to_numpy"):
        data = prepared.to_numpy()
    else:
        data = prepared if hasattr(prepared, "shape") else np.asarray(prepared)
    if data.ndim == 1:
        data = data.reshape(-1, 1)
    if names is None or kind == "array":
        return data
    import pandas as pd  # noqa: PLC0415  # as below

    if data.shape[1] != len(names):
        raise ValueError(f"prepare() returns {data.shape[1]} columns, the model takes {len(names)}")
    return pd.DataFrame(data.toarray() if hasattr(data, "toarray") else data, columns=list(names))


def _texts(prepared: Any) -> list[Any]:
    """Return the texts of a series, of a list, or of the only column of a frame or an array."""
    values = prepared.to_numpy() if hasattr(prepared, "to_numpy") else np.asarray(prepared, object)
    if values.ndim == 2 and values.shape[1] != 1:
        raise ValueError(
            f"prepare() returns {values.shape[1]} columns, and the model takes one text; return "
            "the column of texts"
        )
    texts: list[Any] = values.ravel().tolist()
    return texts


def with_categories(frame: Any, categories: Mapping[str, ColumnCategories]) -> Any:
    """Return a frame that prepare() or a transformer made, with its pandas categories."""
    names = [name for name in listed_categories(categories) if name in frame]
    # pandas deprecates to make a missing value of an unlisted one, as it does in training code.
    plain = {name: frame[name].astype(object) for name in names}
    known = {n: column.where(column.isin(categories[n].values)) for n, column in plain.items()}
    made = {name: _categorical(column, categories[name]) for name, column in known.items()}
    return frame.assign(**made) if made else frame


def unlisted_values(frame: Any, categories: Mapping[str, ColumnCategories]) -> list[str]:
    """Return the pandas categories of a frame with a value that is none of theirs."""
    return [
        name
        for name in listed_categories(categories)
        if name in frame and not frame[name].dropna().isin(categories[name].values).all()
    ]


def _categorical(series: Any, known: ColumnCategories | None) -> Any:
    """Return a series as a pandas category if the model takes a listed one, else as it is."""
    if known is None or known.values is None:
        return series
    import pandas as pd  # noqa: PLC0415  # as above

    return pd.Categorical(series, categories=pd.Index(known.values, dtype=known.dtype, name=None))


def _for_catboost(column: Column, known: ColumnCategories | None) -> Column:
    """Return a category of CatBoost as texts and integers: it refuses 1.0 as ambiguous."""
    if known is None or known.values is not None:
        return column
    return replace(column, kind="object", values=map_values(_integer, column.values))


def _integer(value: Value) -> Value:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _array(column: Column) -> Any:
    if isinstance(column.values, Coded):
        distinct = column.values.distinct
        if column.kind == "int":
            # None stands for a rejected cell; no remaining row has its code.
            distinct = [0 if value is None else value for value in distinct]
        return _array(replace(column, values=distinct))[column.values.codes]
    if isinstance(column.values, np.ndarray):
        return column.values
    if isinstance(column.values, array.array):
        return np.array(column.values)
    if column.kind == "float":
        return np.array([math.nan if v is None else v for v in column.values], dtype=np.float64)
    if column.kind == "int":
        return np.array(column.values, dtype=np.int64)
    if column.kind == "bool":
        return np.array(column.values, dtype=bool)
    if column.kind == "date":
        days = ["NaT" if v is None else v for v in column.values]
        return np.array(days, dtype="datetime64[ns]")
    objects = np.empty(len(column.values), dtype=object)
    objects[:] = [math.nan if v is None else v for v in column.values]
    return objects


def _objects(arrays: Sequence[Any]) -> Any:
    stacked = np.empty((len(arrays[0]), len(arrays)), dtype=object)
    for position, column in enumerate(arrays):
        stacked[:, position] = column
    return stacked
