"""The fast path of a whole model: from the contract's columns to its outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_service.columns.transformers import Stage
from model_service.contract.batch import Column
from model_service.contract.contract import InputKind
from model_service.fast_path.compile import COMPILE_ERRORS, compile_known_model
from model_service.fast_path.data import (
    ColumnTable,
    MatrixPredict,
    MatrixTransform,
    NotCompiled,
    Outputs,
    RowPredict,
    compose,
)
from model_service.fast_path.single_row import compile_row_predict
from model_service.fast_path.transformer_steps import compile_stage, to_model_columns

# A wide matrix of the 200,000 rows of a CSV file would not fit into a dyno.
MAX_CHUNK_ROWS = 1024


@dataclass(frozen=True)
class FastPath:
    """A compiled model and the transformers beside it."""

    column_names: tuple[str, ...] | None  # the model's columns in order; None: as they come
    kind: InputKind
    transform: MatrixTransform  # the transformers beside the model
    predict: MatrixPredict
    inline: bool  # predicting one row takes less time than handing it to another thread
    predict_row: RowPredict | None = None  # faster for a single row
    is_bitwise_batch_invariant: bool = False  # a row has the same bits alone and among others
    chunk_rows: int = MAX_CHUNK_ROWS

    def predict_columns(self, columns: Sequence[Column]) -> Outputs:
        """Return the results of predict and, else None, predict_proba for columns in any order.

        Raises whatever a step raises.
        """
        if self.column_names is not None:
            by_name = {column.name: column for column in columns}
            columns = [by_name[name] for name in self.column_names]
        row_count = len(columns[0].values)
        if row_count <= self.chunk_rows:
            return self._predict_chunk(columns)
        chunks = [
            self._predict_chunk(_slice(columns, start, start + self.chunk_rows))
            for start in range(0, row_count, self.chunk_rows)
        ]
        values, probabilities = zip(*chunks, strict=True)
        return (
            np.concatenate(values),
            None if probabilities[0] is None else np.concatenate(probabilities),
        )

    def _predict_chunk(self, columns: Sequence[Column]) -> Outputs:
        return self.predict(self.transform(ColumnTable(columns, self.kind)))


def _slice(columns: Sequence[Column], start: int, stop: int) -> list[Column]:
    return [Column(c.name, c.kind, c.values[start:stop]) for c in columns]


def compile_fast_path(
    estimator: Any,
    stages: Sequence[Stage],
    kind: InputKind,
    column_names: tuple[str, ...] | None,
    model_columns: tuple[str, ...] | None,
    probabilities: bool,
    single_rows: bool = True,
) -> FastPath:
    """Compile a loaded model. Raises NotCompiled with the reason.

    `column_names` are the input columns in order; `model_columns` are those of the model behind
    `stages`, the transformers beside it. `single_rows` allows a path of its own for one row.
    """
    try:
        model = compile_known_model(estimator, probabilities)
        compiled_stages = [compile_stage(stage) for stage in stages]
    except NotCompiled:
        raise
    except COMPILE_ERRORS as error:
        cls = type(estimator).__name__
        reason = f"{type(error).__name__}: {error}"
        raise NotCompiled(f"{cls} of this version has no fast path ({reason}).") from error

    transforms = [stage.matrix for stage in compiled_stages]
    if stages:
        transforms.append(to_model_columns(stages[-1].after, model_columns))
    has_row_path = single_rows and not stages and kind != "texts"
    return FastPath(
        column_names,
        kind,
        compose(transforms),
        model.matrix,
        inline=model.inline and all(stage.inline for stage in compiled_stages),
        predict_row=compile_row_predict([], model) if has_row_path else None,
        is_bitwise_batch_invariant=model.is_bitwise_batch_invariant,
    )
