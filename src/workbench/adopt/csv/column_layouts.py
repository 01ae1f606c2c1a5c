"""Lay out columns of a sample as those of a model that takes so many of them and names none.

Some columns were left out of the training, and texts became dummy columns or codes. The layouts are
enumerated by how usual they are; what the model compares its columns with tells some apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Literal

from model_service.contract.json_values import json_text
from workbench.adopt.csv.sample import ColumnFacts

Entry = Mapping[str, Any]  # a feature as features.json has it
Made = Literal["number", "codes", "dummies"]
KEPT = 40  # of the layouts with the same number of columns
CONTRADICTED = 100.0  # the cost of a column that cannot be the model's
IDENTIFIER = re.compile(r"(?i)(.*[\W_])?(id|no|nr|number|index|unnamed.*)|.*(?-i:[a-z]I[Dd])")
# Where dummy columns stand: get_dummies puts them behind the others, a OneHotEncoder before them.
PLACES = ("behind", "before", "between")


@dataclass(frozen=True)
class Part:
    """What one column of the sample becomes: as many columns of the model as `categories`."""

    column: str
    made: Made
    categories: tuple[str, ...] = ()  # with a dummy column each
    entry: Entry = field(default_factory=dict, compare=False)  # of the features file
    without: str | None = None  # the category for which all dummy columns are 0

    @property
    def width(self) -> int:
        return len(self.categories) if self.made == "dummies" else 1


@dataclass(frozen=True)
class Layout:
    """The parts in the order of the model's columns; the lower the cost, the likelier."""

    cost: float
    parts: tuple[Part, ...] = ()
    contradicted: int = 0  # columns that cannot be the model's

    @property
    def entries(self) -> list[Entry]:
        return [part.entry for part in self.parts]

    @property
    def width(self) -> int:
        return sum(part.width for part in self.parts)

    def plus(self, part: Part, cost: float, contradicted: int) -> Layout:
        return Layout(self.cost + cost, (*self.parts, part), self.contradicted + contradicted)


# Returns the cost of a part of a column at a position, and how many columns it cannot be there.
Judge = Callable[[Part, ColumnFacts, int], tuple[float, int]]


def no_judge(_part: Part, _column: ColumnFacts, _position: int) -> tuple[float, int]:
    """Judge nothing: only how usual a layout is counts."""
    return 0.0, 0


def layouts(columns: Sequence[ColumnFacts], count: int, judge: Judge) -> list[Layout]:
    """Return the layouts of columns as so many columns of a model, the likeliest first."""
    found: dict[tuple[Part, ...], Layout] = {}
    texts = [column for column in columns if _is_text(column)]
    for (extra, place), (dropped, which) in product(
        enumerate(PLACES if texts else PLACES[:1]), enumerate(("first", "last", "none"))
    ):
        if which != "first" and not texts:
            continue
        start = Layout(0.2 * extra + 0.4 * dropped)
        for layout in _of_order(_in_order(columns, texts, place), count, judge, which, start):
            best = found.setdefault(layout.parts, layout)
            if layout.cost < best.cost:
                found[layout.parts] = layout
    return sorted(found.values(), key=lambda layout: layout.cost)


def _in_order(
    columns: Sequence[ColumnFacts], texts: Sequence[ColumnFacts], place: str
) -> list[ColumnFacts]:
    others = [column for column in columns if column not in texts]
    if place == "behind":
        return [*others, *texts]
    return [*texts, *others] if place == "before" else list(columns)


def _of_order(
    columns: Sequence[ColumnFacts],
    count: int,
    judge: Judge,
    which: str,
    start: Layout,
) -> list[Layout]:
    """Return the cheapest layouts of columns in an order, by dynamic programming."""
    by_width: dict[int, list[Layout]] = {0: [start]}
    for column in columns:
        following: dict[int, list[Layout]] = {}
        for width, found in by_width.items():
            left_out = _cost_of_leaving_out(column)
            following.setdefault(width, []).extend(
                Layout(one.cost + left_out, one.parts, one.contradicted) for one in found
            )
            for part, usual in _parts(column, which):
                if width + part.width > count:
                    continue
                cost, contradicted = judge(part, column, width)
                following.setdefault(width + part.width, []).extend(
                    one.plus(part, usual + cost, contradicted) for one in found
                )
        by_width = {
            width: sorted(found, key=lambda layout: layout.cost)[:KEPT]
            for width, found in following.items()
        }
    return by_width.get(count, [])


def _cost_of_leaving_out(column: ColumnFacts) -> float:
    if _is_text(column):
        return 3.0
    if column.type == "text" or IDENTIFIER.fullmatch(column.name):
        return 0.0 if column.type == "text" else 0.5
    return 1.5


def _parts(column: ColumnFacts, which: str) -> Iterator[tuple[Part, float]]:
    """Yield what a column can become, each with a cost."""
    name = column.name
    if column.numeric or column.type == "boolean":
        yield Part(name, "number", entry={"name": name}), 0.0
        return
    if not _is_text(column):
        return
    texts = tuple(json_text(category) for category in column.categories or ())
    kept, without = texts, None
    if which != "none":
        place = 0 if which == "first" else len(texts) - 1
        kept, without = (*texts[:place], *texts[place + 1 :]), texts[place]
    one_hot = {text: f"{name}_{text}" for text in kept}
    entry = {"name": name, "type": "category", "categories": list(texts)}
    yield Part(name, "dummies", kept, {**entry, "one_hot": one_hot}, without), 0.0
    codes = {text: code for code, text in enumerate(texts)}
    yield Part(name, "codes", texts, {**entry, "encode": codes}), 1.0


def _is_text(column: ColumnFacts) -> bool:
    """Return whether a column can become dummy columns or codes."""
    return not column.numeric and column.type == "category" and len(column.categories or ()) > 1


def by_seen_values(seen: Mapping[int, Sequence[float]]) -> Judge:
    """Judge by what the model compares its columns with, by position."""

    def judge(part: Part, column: ColumnFacts, position: int) -> tuple[float, int]:
        cost, contradicted = 0.0, 0
        for place in range(position, position + part.width):
            values = seen.get(place, ())
            if not values:
                continue
            low, high = _range(part, column)
            if low <= min(values) and max(values) <= high and _fit(part, column, values):
                # Of two columns with such values, the one whose range they fill.
                cost -= (max(values) - min(values)) / (high - low) if high > low else 0.0
            else:
                cost, contradicted = cost + CONTRADICTED, contradicted + 1
        return cost, contradicted

    return judge


def _range(part: Part, column: ColumnFacts) -> tuple[float, float]:
    if part.made == "number" and column.numeric:
        return column.minimum, column.maximum
    return 0.0, float(len(part.categories) - 1 if part.made == "codes" else 1)


def _fit(part: Part, column: ColumnFacts, values: Sequence[float]) -> bool:
    """Return whether values lie on whole numbers, or half way between them, if the column does."""
    if part.made == "number" and not _is_whole(column):
        return True
    return all(abs(value * 2 - round(value * 2)) < 1e-6 for value in values)


def _is_whole(column: ColumnFacts) -> bool:
    cells = column.cells
    return column.is_plain and all("." not in c and "e" not in c for c in cells.distinct)
