"""The sample: what a CSV or JSON of typical rows says about its columns.

Missing cells of a CSV are those that pandas.read_csv takes for missing, because that is how the
model's training data was read. The values of a JSON mean what they mean in a request.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
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

# Up to here different texts are categories; up to the larger number if each occurs often.
FEW_CATEGORIES, MOST_CATEGORIES, ROWS_A_CATEGORY = 20, 100, 10
EXAMPLES = 32
# The column with the answers that the author's notebook gave; of them more rows are kept.
EXPECTED, MOST_EXPECTED = "expected", 1000
# Of these rows the spread of the values is told; 200,000 cells of a CSV take 20 MB.
MOST_ROWS, MOST_CELLS = 4096, 200_000
GOLDEN_RATIO = 2654435769  # of 2**32, to the next odd number
# The beginning of a list of rows, or of {"rows": …}; a CSV may begin with a bracket too.
_JSON = re.compile(r'\s*(\[\s*\{|\{\s*")')

T = TypeVar("T")


@dataclass
class ColumnFacts:
    """What the cells of one column have in common."""

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
        # As pandas does: one cell that is no number makes the column text.
        self.numeric = self.numeric and is_number(cell)
        if self.numeric and math.isfinite(number := float(cell)):
            self.minimum, self.maximum = min(self.minimum, number), max(self.maximum, number)

    def add_value(self, value: object) -> None:
        """Add a value of a JSON, whose text is text whatever it says."""
        if isinstance(value, str):
            self._count(value)
            self.boolean = self.numeric = False
        else:
            self.add(json.dumps(value))

    def _count(self, cell: str) -> None:
        self.rows += 1
        if len(self.distinct) <= MOST_CATEGORIES:
            self.distinct.add(cell)

    @property
    def type(self) -> str:
        present = self.rows - self.missing
        if present == 0 or self.numeric:
            return "number"
        if self.boolean:
            return "boolean"
        few = len(self.distinct) <= FEW_CATEGORIES
        frequent = len(self.distinct) * ROWS_A_CATEGORY <= present
        often = len(self.distinct) <= MOST_CATEGORIES and frequent
        return "category" if few or often else "text"

    @property
    def categories(self) -> list[str] | list[float] | list[bool] | None:
        """The different values with their JSON type; None when they are too many to list."""
        if not 0 < len(self.distinct) <= MOST_CATEGORIES:
            return None
        if self.numeric:
            return sorted({whole(float(cell)) for cell in self.distinct})
        if self.boolean:
            return sorted({SAMPLE_BOOLEANS[cell] for cell in self.distinct})
        return sorted(self.distinct)


@dataclass(frozen=True)
class Sample:
    """The facts of each column, and some rows spread evenly over the file.

    Values of a CSV are its cells, those of a JSON are `typed`. `examples` are few and at equal
    distances, `rows` are many. `answers` are those that a JSON gives apart from its rows, one for
    each of the examples.
    """

    path: Path
    columns: dict[str, ColumnFacts]
    examples: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    typed: bool = False
    answers: list[Any] | None = None


class Spread(Generic[T]):
    """At most so many rows of a file of unknown length, always the same ones.

    Rows at equal distances would be in step with a file that repeats itself: of a control and a
    treatment in turn they show one. Multiples of the golden ratio are in step with nothing
    (Knuth, The Art of Computer Programming, 6.4, on Fibonacci hashing).
    """

    def __init__(self, columns: int) -> None:
        self._most = max(2 * EXAMPLES, min(MOST_ROWS, MOST_CELLS // columns))
        self._below = 2**32
        self._kept: list[tuple[int, T]] = []

    def add(self, number: int, row: T) -> None:
        if (place := number * GOLDEN_RATIO % 2**32) >= self._below:
            return
        self._kept.append((place, row))
        while len(self._kept) > self._most:
            self._below //= 2
            self._kept = [kept for kept in self._kept if kept[0] < self._below]

    @property
    def rows(self) -> list[T]:
        return [row for _, row in self._kept]


def read_header(path: Path) -> list[str]:
    """Return the names in the first line of a CSV. Raises WorkbenchError."""
    return next(_records(path, read_text(path)))[1]


def read_columns(path: Path) -> list[str]:
    """Return the names of the columns of a sample. Raises WorkbenchError."""
    text = read_text(path)
    return list(_from_json(path, text).columns) if _JSON.match(text) else read_header(path)


def read_sample(path: Path) -> Sample:
    """Read a CSV or JSON, keeping no more of it than the facts. Raises WorkbenchError."""
    text = read_text(path)
    return _from_json(path, text) if _JSON.match(text) else _from_csv(path, text)


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield all rows of a sample that was read before, as they are there."""
    text = read_text(path)
    if _JSON.match(text):
        document = json.loads(text, parse_constant=lambda _: None)
        yield from document["rows"] if isinstance(document, dict) else document
        return
    records = _records(path, text)
    _, header = next(records)
    for _, cells in records:
        yield dict(zip(header, cells, strict=True))


def _most_examples(names: Sequence[str], answers: object = None) -> int:
    return MOST_EXPECTED if EXPECTED in names or answers is not None else 2 * EXAMPLES - 1


def _from_csv(path: Path, text: str) -> Sample:
    records = _records(path, text)
    _, header = next(records)
    columns = {name: ColumnFacts(name) for name in header}
    examples: list[dict[str, Any]] = []
    spread = Spread[list[str]](len(header))
    stride, most = 1, _most_examples(header)
    for number, (line, cells) in enumerate(records):
        if len(cells) != len(header):
            raise UserError(
                f"{path}: line {line} has {len(cells)} cells and the header has {len(header)}; "
                "mend that line, or quote the cells that hold a comma."
            )
        for name, cell in zip(header, cells, strict=True):
            columns[name].add(cell)
        spread.add(number, cells)
        if number % stride == 0:
            examples.append(dict(zip(header, cells, strict=True)))
            if len(examples) > most:
                examples, stride = examples[::2], 2 * stride
    if not examples:
        raise UserError(f"{path} has a header and no rows; give a CSV with typical rows.")
    rows = [dict(zip(header, cells, strict=True)) for cells in spread.rows]
    return Sample(path, columns, examples, rows)


def _from_json(path: Path, text: str) -> Sample:
    """Read a list of rows, or rows and predictions in the shapes of /predict."""
    try:
        document = json.loads(text, parse_constant=lambda _: None)  # NaN is missing
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON: {error}.") from None
    rows, answers = document, None
    if isinstance(document, dict):
        rows, answers = document.get("rows"), document.get("predictions")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise UserError(f'{path}: give a list of rows, or an object with a list of "rows".')
    if answers is not None and (not isinstance(answers, list) or len(answers) != len(rows)):
        raise UserError(f'{path}: "predictions" must be a list with one for each of the rows.')
    columns = {name: ColumnFacts(name) for name in dict.fromkeys(n for row in rows for n in row)}
    spread = Spread[dict[str, Any]](len(columns) or 1)
    for number, row in enumerate(rows, start=1):
        spread.add(number, row)
        for name, column in columns.items():
            value = row.get(name)
            if isinstance(value, (list, dict)) and name != EXPECTED:
                raise UserError(
                    f"{path}: {name!r} of row {number} is a list or an object; give text, a "
                    "number, true, false or null."
                )
            column.add_value(value)
    stride = -(-len(rows) // _most_examples(list(columns), answers))
    examples = [{name: row.get(name) for name in columns} for row in rows[::stride]]
    given = answers[::stride] if answers else None
    return Sample(path, columns, examples, spread.rows, typed=True, answers=given)


def _records(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the cells of each record, the header first."""
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t|", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = next(reader, [])
        _check_header(path, header)
        # An index that was saved along has no name; pandas gives it this one.
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
    """Read a text file in any encoding that spreadsheets write. Raises WorkbenchError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    marked = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ["utf-16"] if marked else ["utf-8-sig", "cp1252"]:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise UserError(f"{path} is not a text file; give a CSV, JSON or text file.")
