"""The columns that the model takes as categories: made again as they were in its training.

A pandas category is a code to the model, its place in the list of all categories. A frame of one
row would give it the code 0, whatever it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from model_service.contract.contract import Column, Scalar, Value


@dataclass(frozen=True)
class Categories:
    """How the model takes one column; without `values` it takes texts and whole numbers."""

    values: tuple[Scalar, ...] | None  # in the order of their codes
    dtype: str | None = None  # of the values, where the model insists on it


def read(document: Mapping[str, Mapping[str, Any]]) -> dict[str, Categories]:
    """Read the categories of the manifest, by column."""
    return {
        name: Categories(
            tuple(entry["values"]) if entry["values"] is not None else None, entry["dtype"]
        )
        for name, entry in document.items()
    }


def listed(known: Mapping[str, Categories]) -> dict[str, tuple[Scalar, ...]]:
    """Return the categories of those columns that take no others."""
    return {name: column.values for name, column in known.items() if column.values is not None}


def as_values(columns: Sequence[Column], known: Mapping[str, Categories]) -> list[Column]:
    """Return the columns; those of CatBoost's categories as texts and whole numbers.

    CatBoost takes the text of a category, and refuses 1.0 because it could mean "1" and "1.0".
    """
    return [
        replace(column, kind="object", values=[_whole(value) for value in column.values])
        if column.name in known and known[column.name].values is None
        else column
        for column in columns
    ]


def _whole(value: Value) -> Value:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def restored(frame: Any, known: Mapping[str, Categories]) -> Any:
    """Return a frame with its pandas categories."""
    if not (lists := listed(known)):
        return frame
    import pandas as pd  # noqa: PLC0415  # as in model.py

    return frame.assign(
        **{
            name: pd.Categorical(
                frame[name], categories=pd.Index(values, dtype=known[name].dtype, name=None)
            )
            for name, values in lists.items()
            if name in frame
        }
    )
