"""Records of a CSV as rows of the contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from model_service.batch.parsed import Parsed, Rejection, combine
from model_service.batch.parsing import MAX_CACHED_CELLS, TextColumn, ValueReader
from model_service.contract.contract import Contract, Feature
from model_service.contract.parsing import Suggestions
from model_service.contract.problems import Problem, Problems
from model_service.contract.typed_text import request_value
from model_service.csv.reader import Chunk
from model_service.csv.writer import unescape_formula

# A missing column is suggested from the first unknown columns.
MAX_UNKNOWN_COLUMNS = 1000


class RowReader:
    """Parses the records of a file whose header has no problems."""

    def __init__(self, contract: Contract, header: Sequence[str]) -> None:
        self._width = len(header)
        suggestions = Suggestions(contract.by_name)
        max_cells = MAX_CACHED_CELLS // len(contract.features)
        numbers = {name: number for number, name in enumerate(header)}
        self._columns = [
            (numbers[f.name], f.name, TextColumn(_cell_reader(f, suggestions), max_cells))
            for f in contract.features
        ]

    def parse(self, chunk: Chunk) -> Parsed:
        """Return the rows that the contract takes, and what is wrong with the others."""
        cells, width = chunk.columns, self._width
        columns = {name: column.parse(cells[number]) for number, name, column in self._columns}
        by_width: dict[int, list[Rejection]] = {}
        malformed = {}
        for place, record in chunk.malformed.items():
            if len(record) not in by_width:
                message = f"the row has {len(record)} cells and the header has {width}"
                by_width[len(record)] = [Rejection("form", "", message)]
            malformed[place] = by_width[len(record)]
        return combine(columns, chunk.places, chunk.first, malformed)


def _cell_reader(feature: Feature, suggestions: Suggestions) -> ValueReader:
    return ValueReader(
        feature, suggestions, lambda text: request_value(feature, cell_of(feature, text))
    )


def add_problems(problems: Problems, parsed: Parsed, chunk: Chunk) -> None:
    """Add the problems of all rows of a chunk to those of the file."""
    found = ((place, one) for place, of_row in parsed.rejections.items() for one in of_row)
    unlisted = Counter(parsed.counts)
    while not problems.is_full and (next_one := next(found, None)) is not None:
        place, one = next_one
        problems.add(chunk.problem(place, one.feature or None, one.message, one.reason))
        unlisted[one.reason, one.feature] -= 1
    problems.counts.update(+unlisted)


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
            add(name, f"appears {count} times; each column needs a name of its own")
    for name in appended:
        if name in counts:
            add(name, "is the name of a column that the answer appends; rename yours")
    known = set(features)
    others = [name for name in counts if name not in known][:MAX_UNKNOWN_COLUMNS]
    suggestions = Suggestions({})
    for name in (name for name in features if name not in counts):
        near = suggestions.nearest(name, others)
        add(name, "is missing" + (f"; did you mean the column {near}?" if near else ""))
    return problems
