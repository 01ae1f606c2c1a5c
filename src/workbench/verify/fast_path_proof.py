"""Prove that the fast path predicts what the model's own methods predict, before it may serve.

Both predict drawn rows: golden rows with values of other rows, missing and unseen values and
extremes, and pairs of neighbouring numbers between which the prediction jumps, which are the
thresholds of trees. The draw depends on the model alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice, pairwise

import numpy as np

from model_service.contract.batch import Batch
from model_service.contract.contract import Feature
from model_service.contract.golden import RELATIVE_TOLERANCE, differences
from model_service.contract.json_values import Row, Value
from model_service.contract.parsing import parse_rows, parse_value
from model_service.contract.problems import Invalid
from model_service.fast_path import FastPath, NotCompiled
from model_service.model.manifest import ServedBy
from model_service.model.model import Model
from model_service.model.predictions import Prediction

TOLERANCE = 1e-12
# Fewer rows are drawn for a model with thousands of columns.
DRAWN_ROWS, MIN_DRAWN_ROWS, DRAWN_CELLS = 2000, 500, 2_000_000
# So many rows are also predicted alone, if a single row has no path of its own; else all are.
SINGLE_ROWS = 200
BATCH_ROWS = 500
# Thresholds are searched in so many features, on a grid, and between so many pairs of its points.
SEARCHED_FEATURES, GRID_POINTS, SEARCHED_INTERVALS = 16, 33, 8
# After so many halvings the ends of an interval are neighbouring 64-bit floats.
HALVINGS = 64

# None stands for a row that could not be predicted.
Results = Sequence[Prediction | None]
PredictRows = Callable[[Sequence[Row]], Sequence[Prediction]]


def choose_path(model: Model, golden_rows: Sequence[Row]) -> ServedBy:
    """Return whether the fast path may serve, and if not, why."""
    try:
        fast_path = model.compile_fast_path()
    except NotCompiled as error:
        return ServedBy(path="native", reason=str(error))
    reason = find_difference(model, fast_path, golden_rows)
    return ServedBy(path="fast" if reason is None else "native", reason=reason)


def find_difference(model: Model, fast_path: FastPath, golden_rows: Sequence[Row]) -> str | None:
    """Return how the fast path differs from the model's own methods; None if it does not.

    The text is public: it holds no values of a row.
    """

    def predict_fast(rows: Sequence[Row]) -> Sequence[Prediction]:
        return model.by_fast_path(fast_path, Batch.of_rows(rows))

    def predict_natively(rows: Sequence[Row]) -> Sequence[Prediction]:
        return model.natively(Batch.of_rows(rows))

    try:
        predict_fast(golden_rows[:1])
    except Exception as error:  # any error here would be raised for each request
        return f"The fast path fails on the first golden row ({type(error).__name__})."
    rows = proof_rows(model, predict_fast, golden_rows)
    native = predict_in_batches(predict_natively, rows)
    fast = predict_in_batches(predict_fast, rows)
    if found := _compare(native, fast):
        return found
    # The model's own methods predict such rows, after the fast path has cost its time.
    failed = sum(f is None and n is not None for f, n in zip(fast, native, strict=True))
    if failed > len(rows) / 2:
        return "The fast path fails on most of the rows."
    # A single row with a path of its own has to be compared, every one of them.
    step = 1 if fast_path.predict_row is not None else max(1, len(rows) // SINGLE_ROWS)
    for index in range(0, len(rows), step):
        single = _predict_each(predict_fast, [rows[index]])
        if _compare([fast[index]], single) is None:
            continue
        # The last digits of some models depend on the number of rows in the batch.
        if found := _compare(_predict_each(predict_natively, [rows[index]]), single):
            return found
    return None


def predict_in_batches(predict: PredictRows, rows: Sequence[Row]) -> list[Prediction | None]:
    """Return a prediction for each row, None if the model fails on it."""
    batches = (rows[start : start + BATCH_ROWS] for start in range(0, len(rows), BATCH_ROWS))
    return [result for batch in batches for result in _predict_each(predict, batch)]


def _predict_each(predict: PredictRows, rows: Sequence[Row]) -> list[Prediction | None]:
    """Return a prediction for each row, None if it fails; a failing batch is halved."""
    if not rows:
        return []
    try:
        return list(predict(rows))
    except MemoryError:
        raise
    except Exception:  # whatever is raised, the row has no prediction
        if len(rows) == 1:
            return [None]
    middle = len(rows) // 2
    return _predict_each(predict, rows[:middle]) + _predict_each(predict, rows[middle:])


def _compare(native: Results, fast: Results) -> str | None:
    """Return the first difference; a row that only the fast path fails on is none."""
    for expected, actual in zip(native, fast, strict=True):
        if actual is None:
            continue
        if expected is None:
            return "The fast path predicts a row that the model fails on."
        if found := differences(expected, actual, TOLERANCE):
            return f"The fast path predicts differently from the model: {found[0]}."
    return None


def proof_rows(model: Model, predict: PredictRows, golden_rows: Sequence[Row]) -> list[Row]:
    """Return the golden rows, drawn rows and rows at thresholds, as parsed by the contract."""
    rows = drawn_rows(model, golden_rows)
    with suppress(Exception):  # a model that refuses some numbers goes without thresholds
        rows += _rows_at_thresholds(model, predict, rows[0])
    return rows


def drawn_rows(model: Model, golden_rows: Sequence[Row]) -> list[Row]:
    """Return the golden rows and drawn ones, as parsed by the contract."""
    random = np.random.Generator(np.random.PCG64(0))
    golden_rows = parse_rows(model.contract, golden_rows).rows()
    examples = parse_rows(model.contract, [*golden_rows, *model.manifest.examples]).rows()
    candidates = {f.name: list(_accepted_values(f, examples)) for f in model.contract.features}
    counts = np.array([len(values) for values in candidates.values()])
    columns = list(candidates.items())
    drawn: list[Row] = []
    for _ in range(max(MIN_DRAWN_ROWS, min(DRAWN_ROWS, DRAWN_CELLS // len(columns)))):
        row = dict(examples[random.integers(len(examples))])
        # The share of replaced values differs by row: far from all data, many models predict the
        # same for every row.
        replaced = np.flatnonzero(random.random(len(columns)) < random.random())
        choices = random.integers(counts[replaced]).tolist()
        for column, choice in zip(replaced.tolist(), choices, strict=True):
            name, values = columns[column]
            row[name] = values[choice]
        drawn.append(row)
    return [*golden_rows, *drawn]


def _accepted_values(feature: Feature, examples: Sequence[Row]) -> Iterator[Value]:
    """Yield those candidate values that the contract accepts."""
    for value in _candidate_values(feature, examples):
        with suppress(Invalid):
            yield parse_value(feature, value)


def _candidate_values(feature: Feature, examples: Sequence[Row]) -> Iterator[Value]:
    """Yield the values of the examples, and unusual ones of the feature's type."""
    seen = list(dict.fromkeys(row[feature.name] for row in examples))
    yield from seen
    if feature.nullable:
        yield None
    if feature.type in ("number", "integer"):
        low, high = _range(feature, seen)
        grid = np.linspace(low, high, 50).tolist()
        unusual = [low - 1, high + 1, 2 * low - high, 2 * high - low, 0, -1, 1e-9, 1e9, -1e9]
        values = [*grid, *unusual]
        yield from values if feature.type == "number" else map(round, values)
    elif feature.type == "category":
        yield from feature.categories or ()
        yield from () if feature.closed else ("a new category", "", -7, 0.5)
    elif feature.type == "text":
        words = [word for value in seen if isinstance(value, str) for word in value.split()]
        yield from ("", "a text of new words", *words)
        yield from (" ".join(words[start : start + 7]) for start in range(0, len(words), 5))
    elif feature.type == "boolean":
        yield from (True, False)
    else:
        yield from ("1999-12-31", "2024-02-29")


def _range(feature: Feature, seen: Iterable[Value]) -> tuple[float, float]:
    """Return the contract's minimum and maximum, or those of the values seen."""
    values = [float(v) for v in seen if isinstance(v, (int, float))]
    low = feature.minimum if feature.minimum is not None else min(values, default=0.0)
    high = feature.maximum if feature.maximum is not None else max(values, default=1.0)
    return float(low), float(high) if high > low else float(low) + 1.0


@dataclass(frozen=True)
class _Interval:
    """Two values of a feature with different predictions."""

    name: str
    low: float
    high: float
    at_low: Prediction
    at_high: Prediction

    @property
    def middle(self) -> float:
        return self.low + (self.high - self.low) / 2

    def halve(self, at_middle: Prediction) -> Iterator[_Interval]:
        """Yield a half whose ends have different predictions, if there is one."""
        if _differ(self.at_low, at_middle):
            yield replace(self, high=self.middle, at_high=at_middle)
        elif _differ(at_middle, self.at_high):
            yield replace(self, low=self.middle, at_low=at_middle)


def _rows_at_thresholds(model: Model, predict: PredictRows, row: Row) -> Iterator[Row]:
    """Yield pairs of rows that differ in the last bit of one number and in the prediction.

    Intervals whose ends have different predictions are halved until the ends are neighbours. With
    a smooth model the predictions are equal long before.
    """
    numbers = [feature for feature in model.contract.features if feature.type == "number"]
    # If only classes are predicted, the threshold is where two classes tie, and there the last bit
    # of a sum decides.
    if not numbers or not (
        model.manifest.task.probabilities or model.manifest.task.kind == "regression"
    ):
        return
    intervals: list[_Interval] = []
    for name, low, high in (
        (feature.name, *_range(feature, [row[feature.name]]))
        for feature in numbers[:: math.ceil(len(numbers) / SEARCHED_FEATURES)]
    ):
        grid = np.linspace(low, high, GRID_POINTS).tolist()
        predictions = predict([{**row, name: value} for value in grid])
        ends = zip(pairwise(grid), pairwise(predictions), strict=True)
        jumps = (_Interval(name, *values, *found) for values, found in ends if _differ(*found))
        intervals += islice(jumps, SEARCHED_INTERVALS)
    for _ in range(HALVINGS):
        if not intervals:
            return
        at_middle = predict([{**row, i.name: i.middle} for i in intervals])
        halves = (i.halve(p) for i, p in zip(intervals, at_middle, strict=True))
        intervals = [half for found in halves for half in found]
    for interval in intervals:
        yield {**row, interval.name: interval.low}
        yield {**row, interval.name: interval.high}


def _differ(one: Prediction, other: Prediction) -> bool:
    return bool(differences(one, other, RELATIVE_TOLERANCE))
