"""From a batch to the matrix of numbers before a linear model or trees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from model_service.columns.builder import InputBuilder
from model_service.contract.batch import Batch
from model_service.contract.contract import Contract
from model_service.fast_path.compile import compile_transformer
from model_service.fast_path.data import (
    ColumnTable,
    Data,
    MatrixTransform,
    RowTransform,
    as_column,
    compose,
    is_frame,
    is_sparse,
    native_method,
    to_floats,
)
from model_service.fast_path.single_row import compile_row_transform
from model_service.fast_path.transformer_steps import compile_stage, to_model_columns

# A sparse matrix of so many columns is made dense.
MAX_DENSE_COLUMNS = 4000


class NotNumbers(TypeError):
    """The input of the model holds something other than numbers."""


class ModelInput:
    """The way to the model's input: compiled, where verify proved the fast path, else native."""

    def __init__(self, contract: Contract, builder: InputBuilder, *, compiled: bool) -> None:
        self._contract, self._builder = contract, builder
        self.compiled = compiled and builder.prepare is None and not builder.categories
        self._names = builder.names or tuple(contract.column_kinds)
        transforms: list[MatrixTransform] = []
        if self.compiled:
            transforms = [compile_stage(stage).matrix for stage in builder.stages]
            if builder.stages:
                after = builder.stages[-1].after
                transforms.append(to_model_columns(after, builder.model_names))
        self._transform = compose(transforms)
        self.takes_rows = self.compiled and not builder.stages and builder.kind != "texts"

    def root(self, batch: Batch) -> Data:
        """Return the input of the model's first step."""
        columns = self._contract.columns(batch)
        if not self.compiled:
            return self._builder.build(columns)
        if self._builder.names is not None:
            by_name = {column.name: column for column in columns}
            columns = [by_name[name] for name in self._builder.names]
        return self._transform(ColumnTable(columns, self._builder.kind))

    def native(self, batch: Batch) -> Any:
        """Return the input of the model's own methods."""
        return self._builder.build(self._contract.columns(batch))

    def row(self, batch: Batch) -> list[Any]:
        """Return the values of a batch of one row, in the order of the columns."""
        return self._contract.row_values(batch, self._names)


class Steps:
    """The steps before a component of the model."""

    def __init__(self, steps: Sequence[Any], model_input: ModelInput) -> None:
        self.row: RowTransform | None = None
        if model_input.compiled:
            compiled = [compile_transformer(step) for step in steps]
            self._transform = compose([step.matrix for step in compiled])
            if model_input.takes_rows and steps:
                self.row = compile_row_transform(compiled)
        else:
            self._transform = compose([native_method(step, "transform") for step in steps])

    def matrix(self, root: Data) -> Any:
        """Return the matrix that the model gets: floats, or a sparse matrix if it is wide."""
        return to_numbers(self._transform(root))


def to_numbers(data: Data) -> Any:
    """Return floats; a pandas category is the number of its category. Raises NotNumbers."""
    if is_sparse(data):
        return data.toarray() if data.shape[1] <= MAX_DENSE_COLUMNS else data.tocsr()
    if is_frame(data):
        return np.column_stack([_numbers(data.iloc[:, i]) for i in range(data.shape[1])])
    if isinstance(data, ColumnTable):
        if any(column.kind in ("text", "date") for column in data.columns):
            raise NotNumbers("text instead of numbers")
        return to_floats(data)
    if isinstance(data, list):
        raise NotNumbers("texts instead of numbers")
    return np.asarray(data, dtype=np.float64)


def naming(model: Any) -> Callable[[Any], Any]:
    """Return the function from a matrix to a frame, for a model that was fitted on one."""
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        return lambda matrix: matrix
    import pandas as pd  # noqa: PLC0415  # only for models fitted on a frame

    return lambda matrix: pd.DataFrame(matrix, columns=names)


def _numbers(series: Any) -> Any:
    if hasattr(series, "cat"):
        codes = series.cat.codes.to_numpy().astype(np.float64)
        return np.where(codes < 0, np.nan, codes)
    if as_column("", series.to_numpy()).kind == "object":
        raise NotNumbers("objects instead of numbers")
    return series.to_numpy(dtype=np.float64)
