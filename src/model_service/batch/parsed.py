"""The rows of a part of a file: the valid ones as a batch, and what is wrong with the others."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, compress
from operator import attrgetter
from typing import Any

import numpy as np

from model_service.contract.contract import Batch, Coded, Values
from model_service.contract.problems import ProblemCounts, Reason

# In a cell `error` each problem is cut to so many characters.
MAX_TEXT_CHARACTERS = 120


class Rejection:
    """What is wrong with a row, or with a value of a feature; `feature` is "" for the row.

    A value can stand for its message, with the function that describes it: a small file can have a
    million wrong values, of which few are shown.
    """

    def __init__(
        self,
        reason: Reason,
        feature: str,
        message: str,
        describe: Callable[[str], str] | None = None,
    ) -> None:
        self.reason, self.feature = reason, feature
        self._message, self._describe = message, describe

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rejection) and self._members == other._members

    def __hash__(self) -> int:
        return hash(self._members)

    def __repr__(self) -> str:
        return f"Rejection{self._members}"

    @property
    def _members(self) -> tuple[Reason, str, str]:
        return self.reason, self.feature, self.message

    @property
    def message(self) -> str:
        """What is wrong, in words that follow the name of the feature."""
        return self._message if self._describe is None else self._describe(self._message)

    @cached_property
    def text(self) -> str:
        """The feature and the message, cut for a cell."""
        message = self.message
        text = f"{self.feature} {message}" if self.feature else message
        return text if len(text) <= MAX_TEXT_CHARACTERS else text[: MAX_TEXT_CHARACTERS - 1] + "…"


@dataclass(frozen=True)
class ParsedColumn:
    """The values of a feature, and what is wrong with those at some positions.

    A value that is wrong is missing in `values`.
    """

    values: Values
    rejections: Mapping[int, Rejection] = field(default_factory=dict)  # by position, in order


@dataclass(frozen=True)
class Parsed:
    """The valid rows of a part with their places in it, and what is wrong with the others."""

    places: Sequence[int]
    batch: Batch
    rejections: Mapping[int, Sequence[Rejection]]  # by place, in order

    def counts(self) -> ProblemCounts:
        """Return how many problems there are."""
        found = chain.from_iterable(self.rejections.values())
        return Counter(map(attrgetter("reason", "feature"), found))

    def without(self, failing: Sequence[int], message: str) -> Parsed:
        """Return the same with a rejection of some of the valid rows, counted from 0."""
        found = {self.places[number]: [Rejection("model", "", message)] for number in failing}
        places = [place for place in self.places if place not in found]
        rejections = {**self.rejections, **found}
        return Parsed(
            places, self.batch, {place: rejections[place] for place in sorted(rejections)}
        )


def combine(
    columns: Mapping[str, ParsedColumn],
    places: Sequence[int],
    first: int,
    malformed: Mapping[int, Sequence[Rejection]],
) -> Parsed:
    """Return the rows whose values are all valid, and what is wrong with the others.

    `places` are those of the columns' rows; `malformed` are the rejections at other places.
    `first` is the number of the row at place 0.
    """
    values: dict[str, Values] = {name: column.values for name, column in columns.items()}
    found: defaultdict[int, list[Rejection]] = defaultdict(list)
    for column in columns.values():
        for position, rejection in column.rejections.items():
            found[position].append(rejection)
    if found:
        kept = np.ones(len(places), dtype=bool)
        kept[list(found)] = False
        values = {name: _compress(column, kept) for name, column in values.items()}
        malformed = {
            **malformed,
            **{places[position]: of_row for position, of_row in found.items()},
        }
        places = list(compress(places, kept.tolist()))
    row_numbers: Sequence[int]
    if isinstance(places, range):
        row_numbers = range(first + places.start, first + places.stop)
    else:
        row_numbers = [first + place for place in places]
    rejections = {place: malformed[place] for place in sorted(malformed)}
    return Parsed(places, Batch(values, row_numbers), rejections)


def _compress(values: Values, kept: Any) -> Values:
    if isinstance(values, Coded):
        return Coded(values.codes[kept], values.distinct)
    return values[kept] if isinstance(values, np.ndarray) else list(compress(values, kept.tolist()))


def coded_column(codes: Any, found: Sequence[Any]) -> ParsedColumn:
    """Return a column of codes; `found` has the value or the Rejection of each."""
    is_wrong = [value.__class__ is Rejection for value in found]
    if not any(is_wrong):
        return ParsedColumn(Coded(codes, found))
    values = [None if wrong else value for wrong, value in zip(is_wrong, found, strict=True)]
    positions = np.flatnonzero(np.array(is_wrong)[codes])
    rejections: Iterable[Rejection] = map(found.__getitem__, codes[positions].tolist())
    return ParsedColumn(
        Coded(codes, values), dict(zip(positions.tolist(), rejections, strict=True))
    )
