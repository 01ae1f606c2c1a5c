"""One row through a compiled model, as Python values: NumPy is used only by compiled kernels.

A call of NumPy costs more than the arithmetic of a whole row. The operations and their order are
those of the matrices, so the results are the same bit for bit. Whatever fails here is repeated as
a matrix of one row, which decides whether it is an error.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model_service.fast_path.data import (
    MatrixPredict,
    RowOutputs,
    RowPredict,
    RowTransform,
    RowValues,
    compose,
    row_to_floats,
)
from model_service.fast_path.steps.registry import CompiledModel, CompiledTransformer


def compile_row_transform(transformers: Sequence[CompiledTransformer]) -> RowTransform | None:
    """Return one row's path through these transformers; None if one of them has none."""
    transforms = [step.row for step in transformers if step.row is not None]
    return compose(transforms) if len(transforms) == len(transformers) else None


def compile_row_predict(
    transformers: Sequence[CompiledTransformer], model: CompiledModel
) -> RowPredict | None:
    """Return one row's path through these transformers and the model; None if there is none."""
    if model.single_rows == "never" or (model.single_rows == "after steps" and not transformers):
        return None
    predict = model.row or _as_matrix_of_one_row(model.matrix)
    if not transformers:
        return predict
    if (transform := compile_row_transform(transformers)) is None:
        return None
    return lambda values: predict(transform(values))


def _as_matrix_of_one_row(predict: MatrixPredict) -> RowPredict:
    def predict_row(values: RowValues) -> RowOutputs:
        predictions, probabilities = predict(np.array([row_to_floats(values)]))
        shares = None if probabilities is None else np.asarray(probabilities)[0].tolist()
        return np.asarray(predictions).item(), shares

    return predict_row
