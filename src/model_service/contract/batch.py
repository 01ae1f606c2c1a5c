"""Validated rows, kept by feature, and the columns that the model takes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any, Literal, Protocol

from model_service.contract.json_values import Row, Value
from model_service.contract.problems import Problems

# What a column is for the model; columns/frames.py chooses a NumPy dtype for each.
ColumnKind = Literal["float", "int", "bool", "text", "date", "object"]


class Values(Protocol):
    """The values of a column, one a row: a list, a NumPy array of numbers, or `Coded`.

    None and NaN are missing.
    """

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __getitem__(self, place: Any, /) -> Any: ...


@dataclass(slots=True, eq=False)
class Coded:
    """A dictionary-encoded column: its distinct values, and the code of one for each row."""

    codes: Any  # a NumPy array of the positions in `distinct`, one a row
    distinct: Values

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[Value]:
        return map(self.distinct.__getitem__, self.codes.tolist())

    def __getitem__(self, place: Any, /) -> Any:
        if not isinstance(place, slice):
            return self.distinct[self.codes[place]]
        part = Coded(self.codes[place], self.distinct)
        # Many distinct values would be gone through again for each short slice.
        return part if len(self.distinct) <= len(part) else list(part)

    def map(self, function: Callable[[Any], Any]) -> Coded:
        """Return the column with a function applied to each value."""
        return Coded(self.codes, list(map(function, self.distinct)))


def map_values(function: Callable[[Any], Any], values: Values) -> Values:
    """Return the column with a function applied to each value."""
    return values.map(function) if isinstance(values, Coded) else list(map(function, values))


def listed(values: Values) -> list[Any]:
    """Return the values of a column as Python objects; None is missing."""
    if type(values) is list:
        return values.copy()
    if isinstance(values, Coded):
        return list(values)
    objects: list[Any] = getattr(values, "tolist", lambda: list(values))()
    return [None if value != value else value for value in objects]


@dataclass(slots=True)  # a frozen one takes three times as long to create
class Batch:
    """The validated rows of a request, kept by feature, and the problems of its other rows."""

    columns: Mapping[str, Values]  # of the same length, by feature
    row_numbers: Sequence[int]  # in the request, from 1
    problems: Problems = field(default_factory=Problems)

    @classmethod
    def of_rows(cls, rows: Sequence[Row]) -> Batch:
        """Return validated rows as a batch."""
        names = rows[0] if rows else ()
        columns = zip(*([row[name] for name in names] for row in rows), strict=True)
        by_name = dict(zip(names, map(list, columns), strict=True))
        return cls(by_name, range(1, len(rows) + 1))

    @classmethod
    def join(cls, batches: Sequence[Batch]) -> Batch:
        """Return the rows of several requests as one batch, numbered anew."""
        columns = {
            name: [value for batch in batches for value in listed(batch.columns[name])]
            for name in batches[0].columns
        }
        return cls(columns, range(1, sum(map(len, batches)) + 1))

    def __len__(self) -> int:
        return len(self.row_numbers)

    def __getitem__(self, rows: slice) -> Batch:
        columns = {name: values[rows] for name, values in self.columns.items()}
        return Batch(columns, self.row_numbers[rows])

    def without(self, positions: Collection[int]) -> Batch:
        """Return the batch without the rows at some positions, which count from 0."""
        kept = [position not in positions for position in range(len(self))]
        columns = {
            name: list(compress(listed(values), kept)) for name, values in self.columns.items()
        }
        return Batch(columns, list(compress(self.row_numbers, kept)))

    def rows(self) -> list[Row]:
        """Return an object for each row."""
        values = zip(*map(listed, self.columns.values()), strict=True)
        return [dict(zip(self.columns, row, strict=True)) for row in values]


@dataclass(slots=True)  # a frozen one takes three times as long to create
class Column:
    """One column as the model takes it; None and NaN are missing."""

    name: str
    kind: ColumnKind
    values: Values
