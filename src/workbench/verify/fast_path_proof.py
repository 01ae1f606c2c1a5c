"""The proof of the plan: it answers as the model's own methods do, or it does not serve.

The rows are drawn from the examples and the contract: values of other rows, missing and unseen
ones, extremes, and pairs of neighbouring numbers between which the answer jumps, which are the
thresholds of trees. The same model gives the same rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice, pairwise

import numpy as np

from model_service.contract.contract import Feature, Invalid, Row, Value
from model_service.contract.golden import RELATIVE_TOLERANCE, differences
from model_service.fast_path import FastPath, NotCompiled
from model_service.model.model import Model
from model_service.model.predictions import Prediction

TOLERANCE = 1e-12
DRAWN, ALONE = 2000, 200
BATCH = 500
# Thresholds are looked for in so many features, and in so many places of each.
SEARCHED_FEATURES, PLACES, SPREAD = 16, 8, 33
# Halving a range so often leaves two neighbours of 64 bits.
HALVINGS = 64

Answers = Sequence[Prediction | None]
Ask = Callable[[Sequence[Row]], Sequence[Prediction]]


def examine(model: Model, goldens: Sequence[Row]) -> dict[str, str]:
    """Return the manifest's member `plan`: which way serves, and why if it is not the plan."""
    try:
        plan = model.make_plan()
    except NotCompiled as reason:
        return {"serves": "native", "reason": str(reason)}
    found = disproof(model, plan, goldens)
    return {"serves": "plan"} if found is None else {"serves": "native", "reason": found}


def disproof(model: Model, plan: FastPath, goldens: Sequence[Row]) -> str | None:
    """Return where the plan does not answer as the model's own methods do."""

    def planned(rows: Sequence[Row]) -> Sequence[Prediction]:
        return model.by_plan(plan, rows)

    try:
        planned(goldens[:1])
    except Exception as error:  # whatever is raised, it would be raised at each request
        return f"It fails on the first recorded row ({type(error).__name__})."
    rows = proof_rows(model, planned, goldens)
    native, by_plan = _in_batches(model.natively, rows), _in_batches(planned, rows)
    if found := _difference(native, by_plan):
        return found
    # The model answers these in its stead, only later.
    left = sum(p is None and n is not None for p, n in zip(by_plan, native, strict=True))
    if left > len(rows) / 2:
        return "It cannot take most of the rows."
    # Where a row goes another way alone, each is held against that way, too.
    step = 1 if plan.row is not None else max(1, len(rows) // ALONE)
    for place in range(0, len(rows), step):
        alone = _asked(planned, [rows[place]])
        if _difference([by_plan[place]], alone) is None:
            continue
        # Of some models the last digits depend on how many rows are asked at once.
        if found := _difference(_asked(model.natively, [rows[place]]), alone):
            return found
    return None


def _in_batches(ask: Ask, rows: Sequence[Row]) -> list[Prediction | None]:
    batches = (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))
    return [answer for batch in batches for answer in _asked(ask, batch)]


def _asked(ask: Ask, rows: Sequence[Row]) -> list[Prediction | None]:
    """Return an answer a row, None for those that it fails on."""
    if not rows:
        return []
    try:
        return list(ask(rows))
    except MemoryError:
        raise
    except Exception:  # whatever is raised, these rows are not answered
        if len(rows) == 1:
            return [None]
    middle = len(rows) // 2
    return _asked(ask, rows[:middle]) + _asked(ask, rows[middle:])


def _difference(native: Answers, by_plan: Answers) -> str | None:
    """Return where the plan answers otherwise; where it does not answer, the model will.

    What is returned is public: it holds no row.
    """
    for expected, actual in zip(native, by_plan, strict=True):
        if actual is None:
            continue
        if expected is None:
            return "It answers a row that the model fails on."
        if found := differences(expected, actual, TOLERANCE):
            return f"It answers otherwise than the model: {found[0]}."
    return None


def proof_rows(model: Model, ask: Ask, goldens: Sequence[Row]) -> list[Row]:
    """Return the goldens, drawn rows and rows at thresholds, as the contract takes them."""
    random = np.random.Generator(np.random.PCG64(0))
    goldens, _ = model.contract.parse_rows(goldens)
    examples, _ = model.contract.parse_rows([*goldens, *model.manifest.examples])
    names = [feature.name for feature in model.contract.features]
    choices = [list(_taken(feature, examples)) for feature in model.contract.features]
    drawn: list[Row] = []
    for _ in range(DRAWN):
        base = examples[random.integers(len(examples))]
        # Most rows keep most of a real one: far from all data many models answer all the same.
        share = random.random()
        drawn.append(
            {
                name: values[random.integers(len(values))]
                if random.random() < share
                else base[name]
                for name, values in zip(names, choices, strict=True)
            }
        )
    rows = [*goldens, *drawn]
    with suppress(Exception):  # of a model that refuses some numbers, thresholds are not looked for
        rows += _at_thresholds(model, ask, goldens[0])
    return rows


def _taken(feature: Feature, examples: Sequence[Row]) -> Iterator[Value]:
    """Yield the values of a feature that the contract takes."""
    for value in _choices(feature, examples):
        with suppress(Invalid):
            yield feature.parse(value)


def _choices(feature: Feature, examples: Sequence[Row]) -> Iterator[Value]:
    """Yield values of a feature, common and odd ones."""
    seen = list(dict.fromkeys(row[feature.name] for row in examples))
    yield from seen
    if feature.nullable:
        yield None
    if feature.type in ("number", "integer"):
        low, high = _range(feature, seen)
        spread = np.linspace(low, high, 50).tolist()
        odd = [low - 1, high + 1, 2 * low - high, 2 * high - low, 0, -1, 1e-9, 1e9, -1e9]
        values = [*spread, *odd]
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
    values = [float(v) for v in seen if isinstance(v, (int, float))]
    low = feature.minimum if feature.minimum is not None else min(values, default=0.0)
    high = feature.maximum if feature.maximum is not None else max(values, default=1.0)
    return float(low), float(high) if high > low else float(low) + 1.0


@dataclass(frozen=True)
class _Range:
    """Two values of one feature between which the answer jumps."""

    name: str
    low: float
    high: float
    at_low: Prediction
    at_high: Prediction

    @property
    def middle(self) -> float:
        return self.low + (self.high - self.low) / 2

    def halves(self, answer: Prediction) -> Iterator[_Range]:
        """Yield one half in which the answer jumps, if there is any."""
        if _jump(self.at_low, answer):
            yield replace(self, high=self.middle, at_high=answer)
        elif _jump(answer, self.at_high):
            yield replace(self, low=self.middle, at_low=answer)


def _at_thresholds(model: Model, ask: Ask, row: Row) -> Iterator[Row]:
    """Yield pairs of rows that differ in the last bit of one number, and in the answer.

    A range at whose ends the answers differ is halved until its ends are neighbours. Of a smooth
    model they answer the same long before.
    """
    numbers = [feature for feature in model.contract.features if feature.type == "number"]
    # Where only classes are answered, a last bit decides between two of them.
    if not numbers or not (model.manifest.probabilities or model.manifest.task == "regression"):
        return
    ranges: list[_Range] = []
    for name, low, high in (
        (feature.name, *_range(feature, [row[feature.name]]))
        for feature in numbers[:: math.ceil(len(numbers) / SEARCHED_FEATURES)]
    ):
        spread = np.linspace(low, high, SPREAD).tolist()
        answers = ask([{**row, name: value} for value in spread])
        ends = zip(pairwise(spread), pairwise(answers), strict=True)
        jumps = (_Range(name, *values, *found) for values, found in ends if _jump(*found))
        ranges += islice(jumps, PLACES)
    for _ in range(HALVINGS):
        if not ranges:
            return
        answers = ask([{**row, r.name: r.middle} for r in ranges])
        ranges = [half for r, a in zip(ranges, answers, strict=True) for half in r.halves(a)]
    for found in ranges:
        yield {**row, found.name: found.low}
        yield {**row, found.name: found.high}


def _jump(before: Prediction, after: Prediction) -> bool:
    return bool(differences(before, after, RELATIVE_TOLERANCE))
