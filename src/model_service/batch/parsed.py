"""The rows of a part of a file: the valid ones as a batch, and what is wrong with the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, compress
from operator import attrgetter
from typing import Any, overload

import numpy as np

from model_service.contract.batch import Batch, Coded, Values
from model_service.contract.problems import MAX_SHOWN_PROBLEMS, ProblemCounts, Reason
from model_service.contract.unusual import BatchWarnings, RowWarning

# In a cell `error` each problem is cut to so many characters.
MAX_PROBLEM_CHARACTERS = 120


class Rejection:
    """What is wrong with a row, or with a value of a feature; `feature` is "" for the row."""

    def __init__(self, reason: Reason, feature: str, message: str) -> None:
        self.reason, self.feature, self.message = reason, feature, message

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
    def text(self) -> str:
        """The feature and the message, cut for a cell."""
        text = f"{self.feature} {self.message}" if self.feature else self.message
        is_long = len(text) > MAX_PROBLEM_CHARACTERS
        return text[: MAX_PROBLEM_CHARACTERS - 1] + "…" if is_long else text


# By place of the row in its part.
PlacedWarnings = Mapping[int, Sequence[RowWarning]]
Describe = Callable[[str], Any]  # a Rejection


def _no_text(text: str) -> Rejection:
    raise AssertionError(f"{text!r} stands for no rejection")


@dataclass(frozen=True)
class ColumnRejections:
    """What is wrong with the values of a column at some positions, which ascend.

    In `found` a text stands for the rejection that `describe` makes of it, always for the same
    reason. A small file can have a million wrong values, of which few are shown: an object for
    each takes seconds.
    """

    feature: str = ""
    positions: Sequence[int] = ()
    found: Sequence[Rejection | str] = ()
    describe: Describe = _no_text

    def described(self) -> list[Rejection]:
        """Return a rejection for each position."""
        describe = self.describe
        return [describe(one) if isinstance(one, str) else one for one in self.found]

    def counts(self) -> ProblemCounts:
        """Return how many problems there are."""
        # By reason first, which is quick: all are of one feature.
        reasons = Counter([one.reason for one in self.found if isinstance(one, Rejection)])
        text = next((one for one in self.found if isinstance(one, str)), None)
        if text is not None:
            reasons[self.describe(text).reason] += len(self.found) - reasons.total()
        return Counter({(reason, self.feature): count for reason, count in reasons.items()})


class RowRejections(Sequence[Rejection]):
    """What is wrong with the values of a row: these places of what is wrong in all columns."""

    __slots__ = ("_describe", "_found", "_places")

    def __init__(
        self,
        places: Sequence[int],
        found: Sequence[Rejection | str],
        describe: Sequence[Describe],
    ) -> None:
        self._places, self._found, self._describe = places, found, describe

    @overload
    def __getitem__(self, place: int) -> Rejection: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Rejection]: ...
    def __getitem__(self, place: int | slice) -> Rejection | Sequence[Rejection]:
        if isinstance(place, slice):
            return RowRejections(self._places[place], self._found, self._describe)
        return self._described(self._places[place])

    def __iter__(self) -> Iterator[Rejection]:
        # A small file has 100,000 of them: to find each by __getitem__ takes as long as making it.
        return map(self._described, self._places)

    def __len__(self) -> int:
        return len(self._places)

    def _described(self, number: int) -> Rejection:
        found = self._found[number]
        return self._describe[number](found) if isinstance(found, str) else found


def _by_position(columns: Sequence[ColumnRejections]) -> dict[int, Sequence[Rejection]]:
    """Return what is wrong with the values at each position, in the order of the columns."""
    positions = np.concatenate([column.positions for column in columns])
    order = np.argsort(positions, kind="stable")
    distinct, starts = np.unique(positions[order], return_index=True)
    bounds = zip(
        distinct.tolist(), starts.tolist(), [*starts[1:].tolist(), len(order)], strict=True
    )
    places = order.tolist()
    if len(columns) <= MAX_SHOWN_PROBLEMS:
        all_shown = list(chain.from_iterable(column.described() for column in columns))
        shown = list(map(all_shown.__getitem__, places))
        return {position: shown[start:end] for position, start, end in bounds}
    found = list(chain.from_iterable(column.found for column in columns))
    describe = list(
        chain.from_iterable([column.describe] * len(column.found) for column in columns)
    )
    return {
        position: RowRejections(places[start:end], found, describe)
        for position, start, end in bounds
    }


def count_problems(rejections: Iterable[Rejection]) -> ProblemCounts:
    """Return how many problems there are, by reason and feature."""
    return Counter(map(attrgetter("reason", "feature"), rejections))


@dataclass(frozen=True)
class ParsedColumn:
    """The values of a feature, and what is wrong with those at some positions.

    A value that is wrong is missing in `values`.
    """

    values: Values
    rejections: ColumnRejections = ColumnRejections()


@dataclass(frozen=True)
class Parsed:
    """The valid rows of a part with their places in it, and what is wrong with the others."""

    places: Sequence[int]
    batch: Batch
    rejections: Mapping[int, Sequence[Rejection]]  # by place, in order
    counts: ProblemCounts

    def placed(self, found: BatchWarnings) -> PlacedWarnings:
        """Return the warnings of the batch by place."""
        return {self.places[position]: warnings for position, warnings in found.items()}

    def without(self, failing: Sequence[int], message: str) -> Parsed:
        """Return the same with a rejection of some of the valid rows, counted from 0."""
        found = {self.places[number]: [Rejection("model", "", message)] for number in failing}
        places = [place for place in self.places if place not in found]
        ordered = _in_order({**self.rejections, **found})
        counts = self.counts + count_problems(chain.from_iterable(found.values()))
        return Parsed(places, self.batch, ordered, counts)


def _in_order(rejections: Mapping[int, Sequence[Rejection]]) -> dict[int, Sequence[Rejection]]:
    return {place: rejections[place] for place in sorted(rejections)}


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
    counts = count_problems(chain.from_iterable(malformed.values()))
    rejected = [column.rejections for column in columns.values() if column.rejections.found]
    for of_column in rejected:
        counts.update(of_column.counts())
    rejections = dict(malformed)
    if rejected:
        found = _by_position(rejected)
        kept = np.ones(len(places), dtype=bool)
        kept[list(found)] = False
        values = {name: _compress(column, kept) for name, column in values.items()}
        of_values = {places[position]: of_row for position, of_row in found.items()}
        rejections = _in_order({**malformed, **of_values}) if malformed else of_values
        places = list(compress(places, kept.tolist()))
    row_numbers: Sequence[int]
    if isinstance(places, range):
        row_numbers = range(first + places.start, first + places.stop)
    else:
        row_numbers = [first + place for place in places]
    return Parsed(places, Batch(values, row_numbers), rejections, counts)


def _compress(values: Values, kept: Any) -> Values:
    if isinstance(values, Coded):
        return Coded(values.codes[kept], values.distinct)
    return values[kept] if isinstance(values, np.ndarray) else list(compress(values, kept.tolist()))


def coded_column(
    feature: str, codes: Any, found: Sequence[Any], describe: Describe | None = None
) -> ParsedColumn:
    """Return a feature's column of codes; `found` has the value or the Rejection of each.

    With `describe`, no text is a value: each stands for its rejection.
    """
    if describe is None:
        is_wrong = [value.__class__ is Rejection for value in found]
    else:
        is_wrong = [value.__class__ in (Rejection, str) for value in found]
    if not any(is_wrong):
        return ParsedColumn(Coded(codes, found))
    values = [None if wrong else value for wrong, value in zip(is_wrong, found, strict=True)]
    positions = np.flatnonzero(np.array(is_wrong)[codes])
    wrong = list(map(found.__getitem__, codes[positions].tolist()))
    rejections = ColumnRejections(feature, positions.tolist(), wrong, describe or _no_text)
    return ParsedColumn(Coded(codes, values), rejections)
