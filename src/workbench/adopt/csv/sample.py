"""Read a sample: a CSV or JSON file with typical rows, and the facts about its columns.

CSV cells are read as pandas.read_csv reads them, because that is how the training data was read,
and numbers as authors repair them in their notebooks. JSON values have the same meaning as in a
request.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from model_service.contract.typed_text import SAMPLE_BOOLEANS, whole
from workbench.adopt.csv.cells import (
    COMMA,
    MAX_CATEGORIES,
    POINT,
    Cells,
    is_mark,
    plain_number,
)
from workbench.adopt.csv.csv_table import (
    Table,
    note_on_encoding,
    read_decoded,
    read_table,
    read_text,
)
from workbench.errors import UserError, listing

# A text column with at most 20 distinct values is a category; with at most 100 if each value occurs
# in 10 rows on average.
FEW_CATEGORIES, ROWS_PER_CATEGORY = 20, 10
MAX_EXAMPLES = 32
# The column with the predictions that the user expects; more rows are kept if there is one.
EXPECTED_COLUMN, MAX_EXPECTED = "expected", 1000
# Rows kept for the distribution of the values; 200,000 cells of a CSV take 20 MB.
MAX_ROWS, MAX_CELLS = 4096, 200_000
CHUNK_CELLS = 1 << 17  # read at a time: by column they are read ten times as fast as one by one
GOLDEN_RATIO = 2654435769  # 2**32 divided by the golden ratio, rounded to an odd number
# The beginning of a list of rows, or of {"rows": …}; a CSV can begin with a bracket too.
_JSON = re.compile(r'\s*(\[\s*\{|\{\s*")')
MIN_MISSPELLED = 6  # letters of a name that a misspelled one is recognized for
_NO_LETTER = re.compile(r"[\W_]+")
# What pandas calls an index that was saved without a name.
_INDEX = re.compile(r"Unnamed: 0(\.\d+)?")

T = TypeVar("T")


@dataclass
class ColumnFacts:
    """Facts about one column."""

    name: str
    cells: Cells = field(default_factory=Cells)
    decimal: str = POINT  # the decimal sign of its numbers
    is_unclear: bool = False  # its numbers are others with another decimal sign
    named: bool = True  # its header has a name

    def add(self, cell: str) -> None:
        """Add a cell of a CSV."""
        self.cells.add((cell,))

    def add_value(self, value: object) -> None:
        """Add a JSON value: a string is text even if it holds a number."""
        if isinstance(value, str):
            self.cells.add_text(value)
        else:
            self.add(json.dumps(value))

    @property
    def rows(self) -> int:
        return self.cells.rows

    @property
    def missing(self) -> int:
        """The number of missing values."""
        return self.cells.missing + (self.cells.marks.total() if self.numeric else 0)

    @property
    def numeric(self) -> bool:
        return self.cells.numeric

    @property
    def minimum(self) -> float:
        return self.cells.ranges[self.decimal].low

    @property
    def maximum(self) -> float:
        return self.cells.ranges[self.decimal].high

    @property
    def is_plain(self) -> bool:
        """Whether each cell is what pandas takes it for."""
        cells = self.cells
        return not self.numeric or not (cells.marks or cells.decorated or self.decimal == COMMA)

    def plain(self, cell: str) -> str:
        """Return a cell of numbers as pandas reads it; an empty text for a missing one."""
        return plain_number(cell, self.decimal)

    @property
    def distinct(self) -> set[str]:
        """The distinct cells as pandas reads them; incomplete if there are too many to list."""
        if self.is_plain:
            return set(self.cells.distinct)
        return {self.plain(cell) for cell in self.cells.distinct if not is_mark(cell)}

    @property
    def type(self) -> str:
        present = self.rows - self.missing
        if present == 0 or self.numeric:
            return "number"
        if self.cells.boolean:
            return "boolean"
        distinct = len(self.cells.distinct)
        few = distinct <= FEW_CATEGORIES
        often = distinct <= MAX_CATEGORIES and distinct * ROWS_PER_CATEGORY <= present
        return "category" if few or often else "text"

    @property
    def categories(self) -> list[str] | list[float] | list[bool] | None:
        """The distinct values with their JSON types, or None if there are too many to list."""
        if not 0 < len(self.cells.distinct) <= MAX_CATEGORIES:
            return None
        if self.numeric:
            return sorted({whole(float(cell.strip())) for cell in self.distinct})
        if self.cells.boolean:
            return sorted({SAMPLE_BOOLEANS[cell] for cell in self.distinct})
        return sorted(self.distinct)

    @property
    def counts_rows(self) -> bool:
        """Whether it is an index that was saved with the rows."""
        unnamed = not self.named or _INDEX.fullmatch(self.name) is not None
        return unnamed and self.numeric and self.missing == 0


@dataclass(frozen=True)
class Sample:
    """Facts about each column, and some of the rows.

    Values of a CSV are its cells as text; values of a JSON file are `typed`.
    """

    path: Path
    columns: dict[str, ColumnFacts]
    examples: list[dict[str, Any]]  # few rows, at equal distances in the file
    rows: list[dict[str, Any]]  # more rows, for the distribution of the values
    typed: bool = False
    predictions: list[Any] | None = None  # of a JSON file, one for each example
    notes: tuple[str, ...] = ()  # about what was left out of the file
    renamed: Mapping[str, str] = field(default_factory=dict)  # new names by those in the file

    def all_rows(self) -> Iterator[dict[str, Any]]:
        """Yield every row of the file, which is read again: it can be too large to keep."""
        text = read_text(self.path)
        if _JSON.match(text):
            document = json.loads(text, parse_constant=lambda _: None)
            document = _split_table(document)
            for row in document["rows"] if isinstance(document, dict) else document:
                yield _rename(row, self.renamed)
            return
        table = read_table(self.path, text)
        names = [self.renamed.get(name, name) for name in table.names]
        for cells in table.records():
            yield dict(zip(names, cells, strict=True))

    def with_names_of(self, names: Sequence[str], *, of_model: bool = False) -> Sample:
        """Return the sample with these names: `fuel_type` for `Fuel type`.

        Names `of_model` cannot be corrected, so one without a letter is recognized too.
        """
        free = [name for name in self.columns if name not in names and name != EXPECTED_COLUMN]
        absent = [name for name in names if name not in self.columns]
        ours, theirs = _by_letters(free), _by_letters(absent)
        found = {
            ours[spelled][0]: theirs[letters][0]
            for spelled, letters in (_same if of_model else _equal)(ours.keys(), theirs.keys())
            if len(ours[spelled]) == len(theirs[letters]) == 1
        }
        if not found:
            return self
        columns = {
            (new := found.get(name, name)): replace(column, name=new)
            for name, column in self.columns.items()
        }
        pairs = listing([f"{old} is {new}" for old, new in sorted(found.items())])
        note = f"Columns of {self.path.name} that the model spells differently: {pairs}."
        return replace(
            self,
            columns=columns,
            examples=[_rename(row, found) for row in self.examples],
            rows=[_rename(row, found) for row in self.rows],
            notes=(*self.notes, note),
            renamed=found,
        )


def _rename(row: Mapping[str, Any], new: Mapping[str, str]) -> dict[str, Any]:
    return {new.get(name, name): value for name, value in row.items()}


def _equal(ours: Collection[str], theirs: Collection[str]) -> list[tuple[str, str]]:
    return [(name, name) for name in sorted({*ours} & {*theirs}) if name]


def _same(ours: Collection[str], theirs: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the names that are the same, and those of which one lacks a letter: anual, annual."""
    yield from _equal(ours, theirs)
    free = sorted({*ours} - {*theirs})
    near = {
        name: [one for one in free if _lacks_a_letter(one, name) or _lacks_a_letter(name, one)]
        for name in sorted({*theirs} - {*ours})
    }
    claims = Counter(one for found in near.values() for one in found)
    for name, found in near.items():
        if len(found) == 1 and claims[found[0]] == 1:
            yield found[0], name


def _lacks_a_letter(short: str, long: str) -> bool:
    """Return whether a name is another one without one of its letters; digits tell names apart."""
    if len(short) < MIN_MISSPELLED or len(long) != len(short) + 1:
        return False
    place = next((n for n, letter in enumerate(short) if letter != long[n]), len(short))
    return long[place].isalpha() and long[place + 1 :] == short[place:]


def letters_of(name: str) -> str:
    """Return the letters and digits of a name, in one case."""
    return _NO_LETTER.sub("", name).casefold()


def _by_letters(names: Iterable[str]) -> dict[str, list[str]]:
    """Return names by their letters and digits, in one case."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(letters_of(name), []).append(name)
    return found


class RowSelection(Generic[T]):
    """Keep a bounded, deterministic selection of the rows of a file of unknown length.

    Rows at equal distances would follow a pattern in the file: if control and treatment rows
    alternate, only one kind is kept. Multiples of the golden ratio follow no pattern (Knuth, The
    Art of Computer Programming, 6.4, on Fibonacci hashing).
    """

    def __init__(self, column_count: int) -> None:
        self._max_rows = max(2 * MAX_EXAMPLES, min(MAX_ROWS, MAX_CELLS // column_count))
        self._limit = 2**32
        self._kept: list[tuple[int, T]] = []

    def add(self, number: int, row: T) -> None:
        if (position := number * GOLDEN_RATIO % 2**32) >= self._limit:
            return
        self._kept.append((position, row))
        while len(self._kept) > self._max_rows:
            self._limit //= 2
            self._kept = [kept for kept in self._kept if kept[0] < self._limit]

    @property
    def rows(self) -> list[T]:
        return [row for _, row in self._kept]


def read_columns(path: Path) -> list[str]:
    """Return the column names of a sample. Raises UserError."""
    text = read_text(path)
    return (
        list(_from_json(path, text).columns) if _JSON.match(text) else read_table(path, text).names
    )


def read_sample(path: Path) -> Sample:
    """Read a CSV or JSON file. Raises UserError."""
    text, encoding = read_decoded(path)
    sample = _from_json(path, text) if _JSON.match(text) else _from_csv(path, text)
    return replace(sample, notes=(*note_on_encoding(path, encoding), *sample.notes))


def _max_examples(names: Sequence[str], predictions: object = None) -> int:
    has_expected = EXPECTED_COLUMN in names or predictions is not None
    return MAX_EXPECTED if has_expected else 2 * MAX_EXAMPLES - 1


def _from_csv(path: Path, text: str) -> Sample:
    table = read_table(path, text)
    names = table.names
    columns = [
        ColumnFacts(name, named=bool(written))
        for name, written in zip(names, table.header, strict=True)
    ]
    examples: list[list[str]] = []
    selection = RowSelection[list[str]](len(names))
    stride, max_examples = 1, _max_examples(names)
    chunk: list[list[str]] = []
    for number, cells in enumerate(table.records()):
        chunk.append(cells)
        if len(chunk) * len(names) >= CHUNK_CELLS:
            _add_rows(columns, chunk)
        selection.add(number, cells)
        if number % stride == 0:
            examples.append(cells)
            if len(examples) > max_examples:
                examples, stride = examples[::2], 2 * stride
    _add_rows(columns, chunk)
    if not examples:
        raise UserError(f"{path} has a header and no rows; give a CSV with typical rows.")
    blank = [c for c in columns if not c.named and c.rows == c.missing + c.cells.marks.total()]
    _find_decimals([column for column in columns if column not in blank], table)
    kept = {column.name: column for column in columns if column not in blank}

    def rows_of(rows: Sequence[list[str]]) -> list[dict[str, Any]]:
        if not blank:
            return [dict(zip(names, cells, strict=True)) for cells in rows]
        return [
            {name: cell for name, cell in zip(names, cells, strict=True) if name in kept}
            for cells in rows
        ]

    notes = (*table.notes, *_note_on_blank(path, len(blank)))
    return Sample(path, kept, rows_of(examples), rows_of(selection.rows), notes=notes)


def _add_rows(columns: Sequence[ColumnFacts], rows: list[list[str]]) -> None:
    """Add rows to the facts of their columns, and empty the list."""
    for column, cells in zip(columns, zip(*rows, strict=True), strict=bool(rows)):
        column.cells.add(cells)
    rows.clear()


def _note_on_blank(path: Path, count: int) -> Iterator[str]:
    if count:
        columns = "1 column" if count == 1 else f"{count} columns"
        yield f"{columns} of {path.name} without a name and without content: left out."


def _find_decimals(columns: Sequence[ColumnFacts], table: Table) -> None:
    """Settle for each column what the decimal sign of its numbers is: 1,234 can be two numbers.

    A column can show it, and so can others of the same file. A comma that separates cells is
    hardly the decimal sign, too.
    """
    shown = {column.cells.decimal for column in columns if column.cells.decorated} - {None}
    if not shown and table.delimiter == ",":
        shown = {POINT}
    groups_by_point = any(column.cells.groups_by_point for column in columns)
    for column in columns:
        cells = column.cells
        if not cells.numeric or not cells.numbers:
            continue
        if len(cells.decimals) == 1:
            (column.decimal,) = cells.decimals
        elif cells.decorated and cells.differs:
            column.is_unclear = len(shown) != 1
            column.decimal = POINT if column.is_unclear or POINT in shown else COMMA
        elif cells.differs and shown == {COMMA}:
            # 1.234 beside columns that are written as 1,5 can be a thousand.
            column.decimal = COMMA if groups_by_point else POINT
            column.is_unclear = not groups_by_point


def _from_json(path: Path, text: str) -> Sample:
    """Read a list of rows, or rows and predictions in the shapes of /predict."""
    try:
        document = json.loads(text, parse_constant=lambda _: None)  # NaN is missing
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON: {error}.") from None
    document = _split_table(document)
    rows, predictions = document, None
    if isinstance(document, dict):
        rows, predictions = document.get("rows"), document.get("predictions")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise UserError(f'{path}: give a list of rows, or an object with a list of "rows".')
    if predictions is not None and (
        not isinstance(predictions, list) or len(predictions) != len(rows)
    ):
        raise UserError(f'{path}: "predictions" must be a list with one for each of the rows.')
    columns = {name: ColumnFacts(name) for name in dict.fromkeys(n for row in rows for n in row)}
    selection = RowSelection[dict[str, Any]](len(columns) or 1)
    for number, row in enumerate(rows, start=1):
        selection.add(number, row)
        for name, column in columns.items():
            value = row.get(name)
            if isinstance(value, (list, dict)) and name != EXPECTED_COLUMN:
                raise UserError(
                    f"{path}: {name!r} of row {number} is a list or an object; give text, a "
                    "number, true, false or null."
                )
            column.add_value(value)
    stride = -(-len(rows) // _max_examples(list(columns), predictions))
    examples = [{name: row.get(name) for name in columns} for row in rows[::stride]]
    kept = predictions[::stride] if predictions else None
    return Sample(path, columns, examples, selection.rows, typed=True, predictions=kept)


def _split_table(document: Any) -> Any:
    """Return the rows of a table as pandas and MLflow write it, and anything else unchanged."""
    if isinstance(document, dict):
        document = document.get("dataframe_split", document.get("dataframe_records", document))
    if not isinstance(document, dict) or not {"columns", "data"} <= document.keys():
        return document
    columns, data = document["columns"], document["data"]
    if not isinstance(columns, list) or not isinstance(data, list):
        return document
    fit = all(isinstance(row, list) and len(row) == len(columns) for row in data)
    return [dict(zip(map(str, columns), row, strict=True)) for row in data] if fit else document
