"""Build the model's input from the contract's columns: prepare(), transformers, categories."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from model_service.columns.categories import ColumnCategories, listed_categories
from model_service.columns.frames import (
    model_input,
    prepared_input,
    unlisted_values,
    with_categories,
)
from model_service.columns.transformers import Stage, final_input
from model_service.contract.batch import Column
from model_service.contract.contract import InputKind

# The author's function, from a frame of features to what the model was trained on: a frame, a
# series, an array, or a list.
Prepare = Callable[[Any], Any]


@dataclass(frozen=True)
class InputBuilder:
    """The way from the contract's columns to the input of the model's own methods."""

    kind: InputKind
    names: tuple[str, ...] | None  # of the columns, in the order of the training
    categories: Mapping[str, ColumnCategories] = field(default_factory=dict)
    prepare: Prepare | None = None
    stages: Sequence[Stage] = ()
    model_names: tuple[str, ...] | None = None  # of the model's columns after the stages

    def build(self, columns: Sequence[Column]) -> Any:
        """Return a frame, an array or a list of texts."""
        if self.prepare is None and not self.stages:
            return model_input(columns, self.kind, self.names, self.categories)
        return with_categories(self._made(columns), self.categories)

    def unknown_categories(self, columns: Sequence[Column]) -> list[str]:
        """Return the pandas categories of the model that would lose a value that they do not list.

        Before a column that prepare() or a transformer makes, the contract cannot refuse it.
        """
        if (self.prepare is None and not self.stages) or not listed_categories(self.categories):
            return []
        return unlisted_values(self._made(columns), self.categories)

    def _made(self, columns: Sequence[Column]) -> Any:
        """Return what prepare() and the transformers make, without its pandas categories."""
        if self.prepare is None:
            data = model_input(columns, self.kind, self.names, self._unlisted)
        else:
            prepared = self.prepare(model_input(columns, "frame", None))
            data = prepared_input(prepared, self.kind, self.names)
        for stage in self.stages:
            data = stage.apply(data)
        if self.stages:
            data = final_input(data, self.stages[-1].after, self.model_names)
        return data

    @cached_property
    def _unlisted(self) -> Mapping[str, ColumnCategories]:
        # Transformers were fitted on plain values; pandas categories are made after them.
        return {name: known for name, known in self.categories.items() if known.values is None}
