"""From the contract's columns to what predict and predict_proba answer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_service.columns.transformers import Stage
from model_service.contract.contract import Column, InputKind
from model_service.fast_path import single_row as single
from model_service.fast_path.compile import UNEXPECTED, known_predictor
from model_service.fast_path.data import NotCompiled, Predict, Prediction, Step, Table, in_turn
from model_service.fast_path.quick import is_known, is_quick
from model_service.fast_path.transformer_steps import final_step, step_of

# What a request may hold beside what the model needs at once: a wide matrix of 200,000 rows of a
# CSV would not fit into a dyno.
ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class FastPath:
    """A way through the model, from columns in any order."""

    names: tuple[str, ...] | None
    kind: InputKind
    prepare: Step
    predict: Predict
    quick: bool  # a row costs less than to hand it to another thread and back
    row: single.Way | None = None  # what is quicker for one alone

    def __call__(self, columns: Sequence[Column]) -> Prediction:
        """Return what predict and predict_proba (or None) answer; raises whatever a step does."""
        if self.names is not None:
            by_name = {column.name: column for column in columns}
            columns = [by_name[name] for name in self.names]
        size = len(columns[0].values)
        if size <= ROWS_AT_ONCE:
            return self.predict(self.prepare(Table(columns, self.kind)))
        parts = [
            self.predict(self.prepare(Table(_slice(columns, start), self.kind)))
            for start in range(0, size, ROWS_AT_ONCE)
        ]
        values, shares = zip(*parts, strict=True)
        return np.concatenate(values), None if shares[0] is None else np.concatenate(shares)


def _slice(columns: Sequence[Column], start: int) -> list[Column]:
    return [Column(c.name, c.kind, c.values[start : start + ROWS_AT_ONCE]) for c in columns]


def make(
    estimator: Any,
    stages: Sequence[Stage],
    kind: InputKind,
    names: tuple[str, ...] | None,
    wanted: tuple[str, ...] | None,
    probabilities: bool,
    alone: bool = True,
) -> FastPath:
    """Make the plan of a loaded model. Raises NotPlanned with the reason.

    `names` are the columns in their order, `wanted` those of the model where stages come before.
    `alone` says whether a single row may go a way of its own.
    """
    try:
        predict = known_predictor(estimator, probabilities)
        steps = [step_of(stage) for stage in stages]
        if stages:
            steps.append(final_step(stages[-1].after, wanted))
    except NotCompiled:
        raise
    except UNEXPECTED as error:
        cls = type(estimator).__name__
        reason = f"{type(error).__name__}: {error}"
        raise NotCompiled(f"{cls} is not as this version should be ({reason})") from error

    quick = is_quick(estimator, predict) and all(is_known(stage.transformer) for stage in stages)
    row: single.Way | None = None
    if alone and not steps and kind != "texts":
        with suppress(*UNEXPECTED):
            row = single.way(estimator, predict)
    return FastPath(names, kind, in_turn(steps), predict, quick, row)
