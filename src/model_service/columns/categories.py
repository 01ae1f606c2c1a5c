"""The columns that the model takes as categories, as the manifest lists them.

To a model a pandas category is a code: its position in the list of all categories. In a frame of
one row each value would get the code 0, so the full list of the training is kept. Standard library
only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model_service.contract.json_values import Scalar


@dataclass(frozen=True)
class ColumnCategories:
    """How the model takes one column; without `values` CatBoost takes it as text or integers."""

    values: tuple[Scalar, ...] | None  # in the order of their codes
    dtype: str | None = None  # of the values, if the model insists on one


def listed_categories(
    categories: Mapping[str, ColumnCategories],
) -> dict[str, tuple[Scalar, ...]]:
    """Return the categories of the columns that accept no others."""
    return {name: column.values for name, column in categories.items() if column.values is not None}
