"""The steps of the transformers beside the model."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from model_service.columns.transformers import Stage
from model_service.contract.contract import Column, InputKind
from model_service.fast_path.compile import transformer
from model_service.fast_path.data import Data, Step, Table, as_table, column_of, is_sparse, matrix


def step_of(stage: Stage) -> Step:
    """Return what Stage.apply does, for a table or a matrix."""
    apply = transformer(stage.transformer)
    own = getattr(stage.transformer, "feature_names_in_", None)
    kind: InputKind = "array" if own is None else "frame"
    chosen = stage.columns or stage.before
    names = chosen if own is None else tuple(own)

    def apply_to_all(data: Data) -> Data:
        if isinstance(data, Table) and data.kind == "texts":
            return apply(data)
        return apply(_chosen(data, stage.before, names, kind))

    def apply_to_some(data: Data) -> Table:
        table = as_table(data, stage.before)
        output = apply(_chosen(table, stage.before, names, kind))
        output = output.toarray() if is_sparse(output) else np.asarray(output)
        old = dict(zip(stage.before, table.columns, strict=True))
        columns = [
            old[name] if place is None else column_of(name, output[:, place])
            for name, place in stage.arrangement(output.shape[1])
        ]
        return Table(columns, "frame")

    return apply_to_all if stage.columns is None else apply_to_some


def final_step(names: Sequence[str] | None, wanted: Sequence[str] | None) -> Step:
    """Return what final_input does: the columns of the model by name, or an array."""

    def arrange(data: Data) -> Data:
        if wanted is None:
            return dataclasses.replace(data, kind="array") if isinstance(data, Table) else data
        if is_sparse(data):
            data = data.toarray()
        if names is not None and set(names) == set(wanted):
            return _chosen(data, names, wanted, "frame")
        return _chosen(data, wanted, wanted, "frame")

    return arrange


def _chosen(data: Data, names: Sequence[str], wanted: Sequence[str], kind: InputKind) -> Data:
    """Return the columns of these names, in their order; `names` are those of the data."""
    places = [names.index(name) for name in wanted]
    if not isinstance(data, Table):
        return matrix(data)[:, places]
    renamed = [
        Column(name, data.columns[place].kind, data.columns[place].values)
        for name, place in zip(wanted, places, strict=True)
    ]
    return Table(renamed, kind)
