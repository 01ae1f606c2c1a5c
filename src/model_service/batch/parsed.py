"""The rows of a part of a file: the valid ones as a batch, and what is wrong with the others."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, compress
from operator import attrgetter
from typing import Any, overload

import numpy as np

from model_service.contract.contract import Batch, Coded, Values
from model_service.contract.problems import MAX_SHOWN_PROBLEMS, ProblemCounts, Reason
from model_service.contract.unusual import BatchWarnings, RowWarning

# In a cell `error` each problem is cut to so many characters.
MAX_TEXT_CHARACTERS = 120


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

    @cached_property
    def text(self) -> str:
        """The feature and the message, cut for a cell."""
        text = f"{self.feature} {self.message}" if self.feature else self.message
        return text if len(text) <= MAX_TEXT_CHARACTERS else text[: MAX_TEXT_CHARACTERS - 1] + "…"


# By place of the row in its part.
PlacedWarnings = Mapping[int, Sequence[RowWarning]]
Describe = Callable[[str], Any]  # a Rejection


def _no_text(text: str) -> Rejection:
    raise AssertionError(f"{text!r} stands for no rejection")


class ColumnRejections(Mapping[int, Rejection]):
    """What is wrong with values of a column, by position, in order.

    A text stands for the rejection that `describe` makes of it, always for the same reason. A small
    file can have a million wrong values, of which few are shown: an object for each takes seconds.
    """

    def __init__(self, found: Mapping[int, Rejection | str], describe: Describe = _no_text) -> None:
        self._found, self._describe = found, describe

    def __getitem__(self, position: int) -> Rejection:
        found = self._found[position]
        return self._describe(found) if isinstance(found, str) else found

    def __iter__(self) -> Iterator[int]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def counts(self) -> ProblemCounts:
        """Return how many problems there are."""
        others = [one for one in self._found.values() if one.__class__ is Rejection]
        counts = count_problems(others)
        if len(others) < len(self):
            text = next(one for one in self._found.values() if isinstance(one, str))
            described = self._describe(text)
            counts[described.reason, described.feature] += len(self) - len(others)
        return counts


class RowRejections(Sequence[Rejection]):
    """What is wrong with the values of a row, in the order of the columns."""

    __slots__ = ("_columns", "_position")

    def __init__(self, position: int, columns: Sequence[ColumnRejections]) -> None:
        self._position, self._columns = position, columns

    @overload
    def __getitem__(self, place: int) -> Rejection: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Rejection]: ...
    def __getitem__(self, place: int | slice) -> Rejection | Sequence[Rejection]:
        if isinstance(place, slice):
            position = self._position
            return [column[position] for column in self._columns[place]]
        return self._columns[place][self._position]

    def __len__(self) -> int:
        return len(self._columns)


def _of_row(position: int, columns: Sequence[ColumnRejections]) -> Sequence[Rejection]:
    if len(columns) > MAX_SHOWN_PROBLEMS:
        return RowRejections(position, columns)
    return [column[position] for column in columns]


def count_problems(rejections: Iterable[Rejection]) -> ProblemCounts:
    """Return how many problems there are, by reason and feature."""
    return Counter(map(attrgetter("reason", "feature"), rejections))


@dataclass(frozen=True)
class ParsedColumn:
    """The values of a feature, and what is wrong with those at some positions.

    A value that is wrong is missing in `values`.
    """

    values: Values
    rejections: ColumnRejections = field(default_factory=lambda: ColumnRejections({}))


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
        rejections = {**self.rejections, **found}
        ordered = {place: rejections[place] for place in sorted(rejections)}
        counts = self.counts + count_problems(chain.from_iterable(found.values()))
        return Parsed(places, self.batch, ordered, counts)


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
    found: defaultdict[int, list[ColumnRejections]] = defaultdict(list)
    for rejected in (column.rejections for column in columns.values() if column.rejections):
        counts.update(rejected.counts())
        for position in rejected:
            found[position].append(rejected)
    if found:
        kept = np.ones(len(places), dtype=bool)
        kept[list(found)] = False
        values = {name: _compress(column, kept) for name, column in values.items()}
        malformed = {
            **malformed,
            **{places[position]: _of_row(position, of) for position, of in found.items()},
        }
        places = list(compress(places, kept.tolist()))
    row_numbers: Sequence[int]
    if isinstance(places, range):
        row_numbers = range(first + places.start, first + places.stop)
    else:
        row_numbers = [first + place for place in places]
    rejections = {place: malformed[place] for place in sorted(malformed)}
    return Parsed(places, Batch(values, row_numbers), rejections, counts)


def _compress(values: Values, kept: Any) -> Values:
    if isinstance(values, Coded):
        return Coded(values.codes[kept], values.distinct)
    return values[kept] if isinstance(values, np.ndarray) else list(compress(values, kept.tolist()))


def coded_column(
    codes: Any, found: Sequence[Any], describe: Describe | None = None
) -> ParsedColumn:
    """Return a column of codes; `found` has the value or the Rejection of each.

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
    wrong_values = map(found.__getitem__, codes[positions].tolist())
    by_position = dict(zip(positions.tolist(), wrong_values, strict=True))
    return ParsedColumn(Coded(codes, values), ColumnRejections(by_position, describe or _no_text))
