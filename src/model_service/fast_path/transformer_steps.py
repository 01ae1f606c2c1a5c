"""The steps of the transformers that stand beside a model (transformers in features.json)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from model_service.columns.transformers import Stage
from model_service.contract.batch import Column
from model_service.contract.contract import InputKind
from model_service.fast_path.compile import compile_transformer
from model_service.fast_path.data import (
    ColumnTable,
    Data,
    MatrixTransform,
    as_column,
    as_table,
    is_sparse,
    to_matrix,
)
from model_service.fast_path.steps.registry import CompiledTransformer


def compile_stage(stage: Stage) -> CompiledTransformer:
    """Compile what Stage.apply does with a frame, for a table or a matrix."""
    compiled = compile_transformer(stage.transformer)
    fitted_names = getattr(stage.transformer, "feature_names_in_", None)
    kind: InputKind = "array" if fitted_names is None else "frame"
    names = (stage.columns or stage.before) if fitted_names is None else tuple(fitted_names)

    def transform_all(data: Data) -> Data:
        if isinstance(data, ColumnTable) and data.kind == "texts":
            return compiled.matrix(data)
        return compiled.matrix(_select(data, stage.before, names, kind))

    def transform_some(data: Data) -> ColumnTable:
        table = as_table(data, stage.before)
        output = compiled.matrix(_select(table, stage.before, names, kind))
        output = output.toarray() if is_sparse(output) else np.asarray(output)
        unchanged = dict(zip(stage.before, table.columns, strict=True))
        columns = [
            unchanged[name] if index is None else as_column(name, output[:, index])
            for name, index in stage.arrangement(output.shape[1])
        ]
        return ColumnTable(columns, "frame")

    return CompiledTransformer(
        transform_all if stage.columns is None else transform_some,
        no_row="arranging the columns of one row is not written",
        inline=compiled.inline,
    )


def to_model_columns(
    names: Sequence[str] | None, model_columns: Sequence[str] | None
) -> MatrixTransform:
    """Return the function from the last stage's output to the model's input.

    It selects the model's columns by name, or makes an array for a model without names. `names`
    are those of the output; None if its transformer does not name it.
    """

    def arrange(data: Data) -> Data:
        if model_columns is None and isinstance(data, ColumnTable):
            return dataclasses.replace(data, kind="array")
        if model_columns is None:
            return data
        if is_sparse(data):
            data = data.toarray()
        if names is not None and set(names) == set(model_columns):
            return _select(data, names, model_columns, "frame")
        return _select(data, model_columns, model_columns, "frame")

    return arrange


def _select(data: Data, names: Sequence[str], selected: Sequence[str], kind: InputKind) -> Data:
    """Return the selected columns in their order; `names` are the data's column names."""
    indices = [names.index(name) for name in selected]
    if not isinstance(data, ColumnTable):
        return to_matrix(data)[:, indices]
    renamed = [
        Column(name, data.columns[index].kind, data.columns[index].values)
        for name, index in zip(selected, indices, strict=True)
    ]
    return ColumnTable(renamed, kind)
