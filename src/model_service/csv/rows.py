"""Records of a CSV as rows of the contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

from model_service.contract.contract import (
    MAX_SUGGESTIONS,
    Contract,
    Feature,
    Invalid,
    Problem,
    Suggestions,
    Table,
    nearest,
)
from model_service.contract.typed_text import request_value
from model_service.csv.reader import Chunk
from model_service.csv.writer import meant

# How many cells are remembered with what they stand for, and how long they are at most.
MEMO_CELLS, MEMO_LENGTH = 100_000, 40
# Among how many columns a missing one is looked for.
MAX_OTHERS = 1000


@dataclass(frozen=True)
class Parsed:
    """The good rows of a chunk with their places in it, and what is wrong with the others."""

    places: list[int]
    rows: Table
    problems: dict[int, list[Problem]]


class RowReader:
    """Reads records under a header that has no problems."""

    def __init__(self, contract: Contract, header: Sequence[str]) -> None:
        self._width = len(header)
        suggestions = Suggestions(contract.by_name)
        most = MEMO_CELLS // len(contract.features)
        self._columns = [
            (header.index(feature.name), _Memo(feature, suggestions, most))
            for feature in contract.features
        ]

    def parse(self, chunk: Chunk) -> Parsed:
        """Return the rows as the contract reads them, and every problem of the others."""
        problems: dict[int, list[Problem]] = {}
        places = []
        for place, cells in enumerate(chunk.records):
            if len(cells) == self._width:
                places.append(place)
            else:
                message = f"the row has {len(cells)} cells and the header has {self._width}"
                problems[place] = [chunk.problem(place, None, message)]
        # Column by column: a feature has few different cells, and each is read once.
        texts = list(zip(*(chunk.records[place] for place in places), strict=True))
        values: dict[str, list[Any]] = {}
        for number, memo in self._columns:
            column = list(map(memo.__getitem__, texts[number])) if places else []
            values[memo.feature.name] = column
            if memo.refuses and Invalid in map(type, column):
                for place, value in zip(places, column, strict=True):
                    if isinstance(value, Invalid):
                        name, reason = memo.feature.name, value.reason
                        problem = chunk.problem(place, name, str(value), reason)
                        problems.setdefault(place, []).append(problem)
        if problems:
            good = [place not in problems for place in places]
            values = {name: list(compress(column, good)) for name, column in values.items()}
            places = list(compress(places, good))
        return Parsed(places, Table(values), dict(sorted(problems.items())))


class _Memo(dict[str, Any]):
    """What cells of a feature stand for: values, or the Invalid that says why they do not."""

    def __init__(self, feature: Feature, suggestions: Suggestions, most: int) -> None:
        super().__init__()
        self.feature, self._suggestions, self._most = feature, suggestions, most
        self.refuses = False  # whether any cell was refused until now

    def __missing__(self, text: str) -> object:
        cell = cell_of(self.feature, text) if text[:1] == "'" else text  # a call costs more
        value: object = cell
        found: object
        try:
            value = request_value(self.feature, cell)
            found = self.feature.parse(value)
        except Invalid as error:
            message = str(error) + self._suggestions.for_value(value, self.feature)
            found = Invalid(message, error.reason)
            self.refuses = True
        if len(self) < self._most and len(text) <= MEMO_LENGTH:
            self[text] = found
        return found


def cell_of(feature: Feature | None, text: str) -> str:
    """Return a cell without our apostrophe, unless it is a listed category as it stands."""
    listed = feature.categories if feature is not None else None
    return text if listed and text in listed else meant(text)


def header_problems(
    header: Sequence[str], features: Sequence[str], appended: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield column and message for all that is wrong with a header."""
    counts = Counter(header)
    for name, count in counts.items():
        # A spreadsheet leaves columns without a name behind the last one.
        if name and count > 1:
            yield name, f"is there {count} times; each column needs a name of its own"
    for name in appended:
        if name in counts:
            yield name, "is what the answer calls a column that it appends; rename yours"
    known = set(features)
    others = [name for name in counts if name not in known][:MAX_OTHERS]
    missing = [name for name in features if name not in counts]
    for number, name in enumerate(missing):
        near = nearest(name, others) if number < MAX_SUGGESTIONS else None
        yield name, "is missing" + (f"; did you mean the column {near}?" if near else "")
