"""Records of a CSV as rows of the contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

from model_service.contract.contract import Batch, Contract, Feature, Invalid, Problem
from model_service.contract.parsing import MAX_SUGGESTIONS, Suggestions, nearest, parse_value
from model_service.contract.typed_text import request_value
from model_service.csv.reader import Chunk
from model_service.csv.writer import unescape_formula

# How many cells are cached with their values, and how long such a cell is at most.
MAX_CACHED_CELLS, MAX_CACHED_CHARACTERS = 100_000, 40
# A missing column is suggested from the first unknown columns.
MAX_UNKNOWN_COLUMNS = 1000


@dataclass(frozen=True)
class Parsed:
    """The valid rows of a chunk with their places in it, and the problems of the others."""

    places: list[int]
    batch: Batch
    problems: dict[int, list[Problem]]  # by place, in order

    def all_problems(self) -> list[Problem]:
        """Return the problems of all rows."""
        return [problem for of_row in self.problems.values() for problem in of_row]

    def without(self, failing: Sequence[int], chunk: Chunk, message: str) -> Parsed:
        """Return the same with a problem in the place of some of the rows, counted from 0."""
        problems = dict(self.problems)
        for number in failing:
            place = self.places[number]
            problems[place] = [chunk.problem(place, None, message, "model")]
        places = [place for place in self.places if place not in problems]
        return Parsed(places, self.batch, dict(sorted(problems.items())))


class RowReader:
    """Parses the records of a file whose header has no problems."""

    def __init__(self, contract: Contract, header: Sequence[str]) -> None:
        self._width = len(header)
        suggestions = Suggestions(contract.by_name)
        max_cells = MAX_CACHED_CELLS // len(contract.features)
        self._columns = [
            (header.index(feature.name), _ValueCache(feature, suggestions, max_cells))
            for feature in contract.features
        ]

    def parse(self, chunk: Chunk) -> Parsed:
        """Return the rows that the contract takes, and all problems of the others."""
        problems: dict[int, list[Problem]] = {}
        places = []
        for place, cells in enumerate(chunk.records):
            if len(cells) == self._width:
                places.append(place)
            else:
                message = f"the row has {len(cells)} cells and the header has {self._width}"
                problems[place] = [chunk.problem(place, None, message)]
        # Column by column: a feature has few distinct cells, and each is parsed once.
        texts = list(zip(*(chunk.records[place] for place in places), strict=True))
        values: dict[str, list[Any]] = {}
        for number, cache in self._columns:
            column = list(map(cache.__getitem__, texts[number])) if places else []
            values[cache.feature.name] = column
            if cache.has_invalid and Invalid in map(type, column):
                for place, value in zip(places, column, strict=True):
                    if isinstance(value, Invalid):
                        name, reason = cache.feature.name, value.reason
                        problem = chunk.problem(place, name, str(value), reason)
                        problems.setdefault(place, []).append(problem)
        if problems:
            good = [place not in problems for place in places]
            values = {name: list(compress(column, good)) for name, column in values.items()}
            places = list(compress(places, good))
        row_numbers = [chunk.first + place for place in places]
        return Parsed(places, Batch(values, row_numbers), dict(sorted(problems.items())))


class _ValueCache(dict[str, Any]):
    """Cells of a feature and their values; instead of a value an Invalid says why there is none."""

    def __init__(self, feature: Feature, suggestions: Suggestions, max_cells: int) -> None:
        super().__init__()
        self.feature, self._suggestions, self._max_cells = feature, suggestions, max_cells
        self.has_invalid = False  # whether any cell has been invalid

    def __missing__(self, text: str) -> object:
        cell = (
            cell_of(self.feature, text) if text[:1] == "'" else text
        )  # saves a call for each cell
        value: object = cell
        found: object
        try:
            value = request_value(self.feature, cell)
            found = parse_value(self.feature, value)
        except Invalid as error:
            message = str(error) + self._suggestions.for_value(value, self.feature)
            found = Invalid(message, error.reason)
            self.has_invalid = True
        if len(self) < self._max_cells and len(text) <= MAX_CACHED_CHARACTERS:
            self[text] = found
        return found


def cell_of(feature: Feature | None, text: str) -> str:
    """Return a cell without the apostrophe of `escape_formula`, unless it is a category with it."""
    listed = feature.categories if feature is not None else None
    return text if listed and text in listed else unescape_formula(text)


def header_problems(
    header: Sequence[str], features: Sequence[str], appended: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield column and message of each problem of a header."""
    counts = Counter(header)
    for name, count in counts.items():
        # Spreadsheets leave columns without a name behind the last one.
        if name and count > 1:
            yield name, f"is there {count} times; each column needs a name of its own"
    for name in appended:
        if name in counts:
            yield name, "is what the answer calls a column that it appends; rename yours"
    known = set(features)
    others = [name for name in counts if name not in known][:MAX_UNKNOWN_COLUMNS]
    missing = [name for name in features if name not in counts]
    for number, name in enumerate(missing):
        near = nearest(name, others) if number < MAX_SUGGESTIONS else None
        yield name, "is missing" + (f"; did you mean the column {near}?" if near else "")
