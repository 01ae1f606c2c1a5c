"""Records of a CSV as rows of the contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, compress
from operator import itemgetter
from typing import Any, NamedTuple

from model_service.contract.contract import Batch, Contract, Feature
from model_service.contract.parsing import Suggestions, parse_value
from model_service.contract.problems import Invalid, Problem, ProblemCounts, Problems, Reason
from model_service.contract.typed_text import request_value
from model_service.csv.reader import Chunk
from model_service.csv.writer import unescape_formula

# How many cells are cached with their values, and how long such a cell is at most.
MAX_CACHED_CELLS, MAX_CACHED_CHARACTERS = 100_000, 40
# In a cell `error` each problem is cut to so many characters.
MAX_TEXT_CHARACTERS = 120
# A missing column is suggested from the first unknown columns.
MAX_UNKNOWN_COLUMNS = 1000


class Rejection(NamedTuple):
    """What is wrong with a row, or with a cell of a feature."""

    reason: Reason
    feature: str  # "" for the row
    message: str

    @property
    def text(self) -> str:
        """The feature and the message, cut for a cell."""
        text = f"{self.feature} {self.message}" if self.feature else self.message
        return text if len(text) <= MAX_TEXT_CHARACTERS else text[: MAX_TEXT_CHARACTERS - 1] + "…"


@dataclass(frozen=True)
class Parsed:
    """The valid rows of a chunk with their places in it, and what is wrong with the others."""

    places: list[int]
    batch: Batch
    rejections: dict[int, list[Rejection]]  # by place, in order

    def counts(self) -> ProblemCounts:
        """Return how many problems there are."""
        return Counter(map(itemgetter(0, 1), chain.from_iterable(self.rejections.values())))

    def add_to(self, problems: Problems, chunk: Chunk) -> None:
        """Add the problems of all rows to those of the file."""
        found = ((place, one) for place, of_row in self.rejections.items() for one in of_row)
        while not problems.is_full and (next_one := next(found, None)) is not None:
            place, one = next_one
            problems.add(chunk.problem(place, one.feature or None, one.message, one.reason))
        problems.counts.update((one.reason, one.feature) for _, one in found)

    def without(self, failing: Sequence[int], message: str) -> Parsed:
        """Return the same with a rejection of some of the valid rows, counted from 0."""
        found = {self.places[number]: [Rejection("model", "", message)] for number in failing}
        places = [place for place in self.places if place not in found]
        rejections = self.rejections | found
        return Parsed(
            places, self.batch, {place: rejections[place] for place in sorted(rejections)}
        )


class RowReader:
    """Parses the records of a file whose header has no problems."""

    def __init__(self, contract: Contract, header: Sequence[str]) -> None:
        self._width = len(header)
        suggestions = Suggestions(contract.by_name)
        max_cells = MAX_CACHED_CELLS // len(contract.features)
        numbers = {name: number for number, name in enumerate(header)}
        self._columns = [
            (numbers[feature.name], _ValueCache(feature, suggestions, max_cells))
            for feature in contract.features
        ]

    def parse(self, chunk: Chunk) -> Parsed:
        """Return the rows that the contract takes, and what is wrong with the others."""
        rejections: dict[int, list[Rejection]] = {}
        places = []
        malformed: dict[int, list[Rejection]] = {}  # by the number of cells
        for place, cells in enumerate(chunk.records):
            if len(cells) == self._width:
                places.append(place)
                continue
            if len(cells) not in malformed:
                message = f"the row has {len(cells)} cells and the header has {self._width}"
                malformed[len(cells)] = [Rejection("form", "", message)]
            rejections[place] = malformed[len(cells)]
        # Column by column: a feature has few distinct cells, and each is parsed once.
        texts = list(zip(*(chunk.records[place] for place in places), strict=True))
        values: dict[str, list[Any]] = {}
        for number, cache in self._columns:
            column = list(map(cache.__getitem__, texts[number])) if places else []
            values[cache.feature.name] = column
            if cache.has_rejections and Rejection in map(type, column):
                for place, value in zip(places, column, strict=True):
                    if value.__class__ is Rejection:
                        rejections.setdefault(place, []).append(value)
        if rejections:
            good = [place not in rejections for place in places]
            values = {name: list(compress(column, good)) for name, column in values.items()}
            places = list(compress(places, good))
        row_numbers = [chunk.first + place for place in places]
        in_order = {place: rejections[place] for place in sorted(rejections)}
        return Parsed(places, Batch(values, row_numbers), in_order)


class _ValueCache(dict[str, Any]):
    """Cells of a feature and their values; an invalid cell has a Rejection as its value."""

    def __init__(self, feature: Feature, suggestions: Suggestions, max_cells: int) -> None:
        super().__init__()
        self.feature, self._suggestions, self._max_cells = feature, suggestions, max_cells
        self.has_rejections = False  # whether any cell has been one

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
            found = Rejection(error.reason, self.feature.name, message)
            self.has_rejections = True
        if len(self) < self._max_cells and len(text) <= MAX_CACHED_CHARACTERS:
            self[text] = found
        return found


def cell_of(feature: Feature | None, text: str) -> str:
    """Return a cell without the apostrophe of `escape_formula`, unless it is a category with it."""
    is_category = feature is not None and text in feature.text_categories
    return text if is_category else unescape_formula(text)


def header_problems(
    header: Sequence[str], features: Sequence[str], appended: Sequence[str], line: int
) -> Problems:
    """Return the problems of a header, which is on a line of the file."""
    problems = Problems()

    def add(column: str, message: str) -> None:
        problems.add(Problem(None, column, message, line))

    counts = Counter(header)
    for name, count in counts.items():
        # Spreadsheets leave columns without a name behind the last one.
        if name and count > 1:
            add(name, f"is there {count} times; each column needs a name of its own")
    for name in appended:
        if name in counts:
            add(name, "is what the answer calls a column that it appends; rename yours")
    known = set(features)
    others = [name for name in counts if name not in known][:MAX_UNKNOWN_COLUMNS]
    suggestions = Suggestions({})
    for name in (name for name in features if name not in counts):
        near = suggestions.nearest(name, others)
        add(name, "is missing" + (f"; did you mean the column {near}?" if near else ""))
    return problems
