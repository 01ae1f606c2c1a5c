"""The registry: one entry for each class that the fast path compiles.

An entry is a function from a fitted estimator to a CompiledTransformer or a CompiledModel, which
hold everything that the fast path knows about it. To support one more class, write its entry.

    @register_transformer("sklearn", "MaxAbsScaler")
    def _max_abs_scaler(scaler: Any) -> CompiledTransformer: ...

An entry raises NotCompiled (or whatever a missing attribute raises) for parameters that it does
not cover; the estimator's own methods serve then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from model_service.fast_path.data import (
    MatrixPredict,
    MatrixTransform,
    NotCompiled,
    RowPredict,
    RowTransform,
)


@dataclass(frozen=True)
class CompiledTransformer:
    """A fitted transformer as plain functions with the results of its `transform`."""

    # For any number of rows.
    matrix: MatrixTransform
    # For one row of Python values, without NumPy and with the bits of `matrix`; None: a row takes
    # `matrix`, because of `no_row`.
    row: RowTransform | None = None
    no_row: str = ""
    # Whether one row takes less time than handing it to another thread would. This follows from
    # the class and its parameters, not from a clock, so that a model is always served in the same
    # way. Behind a ColumnTransformer a linear model took 0.02 ms and 100 trees 0.1 to 0.2 ms; an
    # estimator's own methods take 1 to 20 ms, and several waiting rows are faster as one batch.
    inline: bool = True
    # Whether `matrix` takes sparse matrices; if not, they go to the transformer's own method.
    takes_sparse: bool = False


@dataclass(frozen=True)
class CompiledModel:
    """A fitted final estimator as plain functions with the results of its own methods."""

    # For any number of rows.
    matrix: MatrixPredict
    # As in CompiledTransformer.
    inline: bool
    # For one row of Python values; None: the row goes to `matrix` as a matrix of one row.
    row: RowPredict | None = None
    # When a single row skips the ColumnTable. "after steps": only behind compiled transformers,
    # because the model has preprocessing of its own or is so slow that nothing is gained.
    single_rows: Literal["always", "after steps", "never"] = "always"
    # Whether a row has the same bits alone and among others: not in a product of matrices, where
    # the number of rows decides in which order BLAS adds.
    is_bitwise_batch_invariant: bool = False
    # The decision_function of a linear model, which a calibrated classifier uses.
    decision: MatrixTransform | None = None


CompileTransformer = Callable[[Any], CompiledTransformer]
# The second argument is whether probabilities are wanted.
CompileModel = Callable[[Any, bool], CompiledModel]
# The top-level package and the name of a class.
Key = tuple[str, str]
Entry = TypeVar("Entry")

TRANSFORMERS: dict[Key, CompileTransformer] = {}
MODELS: dict[Key, CompileModel] = {}


def register_transformer(
    library: str, *class_names: str
) -> Callable[[CompileTransformer], CompileTransformer]:
    """Register the decorated function as the entry of these transformer classes."""

    def register(compile_transformer: CompileTransformer) -> CompileTransformer:
        for name in class_names:
            TRANSFORMERS[library, name] = compile_transformer
        return compile_transformer

    return register


def register_model(library: str, *class_names: str) -> Callable[[CompileModel], CompileModel]:
    """Register the decorated function as the entry of these classes of final estimators."""

    def register(compile_model: CompileModel) -> CompileModel:
        for name in class_names:
            MODELS[library, name] = compile_model
        return compile_model

    return register


def transformer_entry(transformer: Any) -> CompileTransformer:
    """Return the entry of a fitted transformer's class. Raises NotCompiled."""
    return _entry(TRANSFORMERS, transformer)


def model_entry(model: Any) -> CompileModel:
    """Return the entry of a fitted model's class. Raises NotCompiled."""
    return _entry(MODELS, model)


def _entry(entries: Mapping[Key, Entry], estimator: Any) -> Entry:
    cls = type(estimator)
    # A user's subclass has another module: what it inherits does not say what it computes.
    if (entry := entries.get((cls.__module__.split(".")[0], cls.__name__))) is None:
        raise NotCompiled(f"{cls.__name__} has no fast path.")
    return entry
