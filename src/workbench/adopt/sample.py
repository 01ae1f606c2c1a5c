"""Read a sample: a CSV or JSON file with typical rows, and the facts about its columns.

CSV cells are read as pandas.read_csv reads them, because that is how the training data was read.
JSON values have the same meaning as in a request.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from model_service.contract.typed_text import (
    SAMPLE_BOOLEANS,
    SAMPLE_MISSING,
    is_number,
    whole,
)
from workbench.errors import UserError

# A text column with at most 20 distinct values is a category; with at most 100 if each value occurs
# in 10 rows on average.
FEW_CATEGORIES, MAX_CATEGORIES, ROWS_PER_CATEGORY = 20, 100, 10
MAX_EXAMPLES = 32
# Reading takes three times as much memory.
MAX_TEXT_BYTES = 256 << 20
# The column with the predictions that the user expects; more rows are kept if there is one.
EXPECTED_COLUMN, MAX_EXPECTED = "expected", 1000
# Rows kept for the distribution of the values; 200,000 cells of a CSV take 20 MB.
MAX_ROWS, MAX_CELLS = 4096, 200_000
GOLDEN_RATIO = 2654435769  # 2**32 divided by the golden ratio, rounded to an odd number
# The beginning of a list of rows, or of {"rows": …}; a CSV can begin with a bracket too.
_JSON = re.compile(r'\s*(\[\s*\{|\{\s*")')

T = TypeVar("T")


@dataclass
class ColumnFacts:
    """Facts about one column, updated cell by cell."""

    name: str
    rows: int = 0
    missing: int = 0
    numeric: bool = True
    boolean: bool = True
    minimum: float = float("inf")
    maximum: float = float("-inf")
    distinct: set[str] = field(default_factory=set)

    def add(self, cell: str) -> None:
        if cell in SAMPLE_MISSING:
            self.rows += 1
            self.missing += 1
            return
        self._count(cell)
        self.boolean = self.boolean and cell in SAMPLE_BOOLEANS
        # As in pandas, one cell that is not a number makes the column text.
        self.numeric = self.numeric and is_number(cell)
        if self.numeric and math.isfinite(number := float(cell)):
            self.minimum, self.maximum = min(self.minimum, number), max(self.maximum, number)

    def add_value(self, value: object) -> None:
        """Add a JSON value: a string is text even if it holds a number."""
        if isinstance(value, str):
            self._count(value)
            self.boolean = self.numeric = False
        else:
            self.add(json.dumps(value))

    def _count(self, cell: str) -> None:
        self.rows += 1
        if len(self.distinct) <= MAX_CATEGORIES:
            self.distinct.add(cell)

    @property
    def type(self) -> str:
        present = self.rows - self.missing
        if present == 0 or self.numeric:
            return "number"
        if self.boolean:
            return "boolean"
        few = len(self.distinct) <= FEW_CATEGORIES
        frequent = len(self.distinct) * ROWS_PER_CATEGORY <= present
        often = len(self.distinct) <= MAX_CATEGORIES and frequent
        return "category" if few or often else "text"

    @property
    def categories(self) -> list[str] | list[float] | list[bool] | None:
        """The distinct values with their JSON types, or None if there are too many to list."""
        if not 0 < len(self.distinct) <= MAX_CATEGORIES:
            return None
        if self.numeric:
            return sorted({whole(float(cell)) for cell in self.distinct})
        if self.boolean:
            return sorted({SAMPLE_BOOLEANS[cell] for cell in self.distinct})
        return sorted(self.distinct)


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

    def all_rows(self) -> Iterator[dict[str, Any]]:
        """Yield every row of the file, which is read again: it can be too large to keep."""
        text = read_text(self.path)
        if _JSON.match(text):
            document = json.loads(text, parse_constant=lambda _: None)
            document = _split_table(document)
            yield from document["rows"] if isinstance(document, dict) else document
            return
        records = _records(self.path, text)
        _, header = next(records)
        for _, cells in records:
            yield dict(zip(header, cells, strict=True))


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


def read_header(path: Path) -> list[str]:
    """Return the names in the first line of a CSV. Raises UserError."""
    return next(_records(path, read_text(path)))[1]


def read_columns(path: Path) -> list[str]:
    """Return the column names of a sample. Raises UserError."""
    text = read_text(path)
    return list(_from_json(path, text).columns) if _JSON.match(text) else read_header(path)


def read_sample(path: Path) -> Sample:
    """Read a CSV or JSON file. Raises UserError."""
    text = read_text(path)
    return _from_json(path, text) if _JSON.match(text) else _from_csv(path, text)


def _max_examples(names: Sequence[str], predictions: object = None) -> int:
    has_expected = EXPECTED_COLUMN in names or predictions is not None
    return MAX_EXPECTED if has_expected else 2 * MAX_EXAMPLES - 1


def _from_csv(path: Path, text: str) -> Sample:
    records = _records(path, text)
    _, header = next(records)
    columns = {name: ColumnFacts(name) for name in header}
    examples: list[dict[str, Any]] = []
    selection = RowSelection[list[str]](len(header))
    stride, max_examples = 1, _max_examples(header)
    for number, (line, cells) in enumerate(records):
        if len(cells) != len(header):
            raise UserError(
                f"{path}: line {line} has {len(cells)} cells and the header has {len(header)}; "
                "correct that line, or quote the cells that hold a comma."
            )
        for name, cell in zip(header, cells, strict=True):
            columns[name].add(cell)
        selection.add(number, cells)
        if number % stride == 0:
            examples.append(dict(zip(header, cells, strict=True)))
            if len(examples) > max_examples:
                examples, stride = examples[::2], 2 * stride
    if not examples:
        raise UserError(f"{path} has a header and no rows; give a CSV with typical rows.")
    rows = [dict(zip(header, cells, strict=True)) for cells in selection.rows]
    return Sample(path, columns, examples, rows)


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


def _records(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the cells of each record, the header first."""
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t|", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = next(reader, [])
        _check_header(path, header)
        # The column of a saved index has no name; pandas gives it this one.
        header = [name or f"Unnamed: {number}" for number, name in enumerate(header)]
        yield 1, header
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num} is not CSV ({error}).") from None


def _check_header(path: Path, header: Sequence[str]) -> None:
    if not any(name.strip() for name in header):
        raise UserError(f"{path} is empty; its first line must name the columns.")
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise UserError(
            f"{path} has several columns called {', '.join(map(repr, repeated))}; rename them."
        )


def read_text(path: Path) -> str:
    """Read a text file in an encoding that spreadsheets write. Raises UserError."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            # One byte more than the limit, if the file grows or its size is not known.
            data = file.read(MAX_TEXT_BYTES + 1) if size <= MAX_TEXT_BYTES else b""
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    if size > MAX_TEXT_BYTES or len(data) > MAX_TEXT_BYTES:
        raise UserError(
            f"{path} has more than {MAX_TEXT_BYTES >> 20} MB, which are not read. Give its first "
            f"rows: head -n 10000 {shlex.quote(str(path))} > sample.csv"
        )
    has_bom = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ["utf-16"] if has_bom else ["utf-8-sig", "cp1252"]:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise UserError(f"{path} is not a text file; give a CSV, JSON or text file.")
