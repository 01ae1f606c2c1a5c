"""The sample: what a CSV of typical rows says about its columns.

Missing cells are those that pandas.read_csv takes for missing, because that is how the model's
training data was read.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workbench.messages import WorkbenchError

# https://pandas.pydata.org/docs/reference/api/pandas.read_csv.html, na_values
MISSING = frozenset(
    (
        *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND"),
        *("1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    )
)
BOOLEANS = {
    **dict.fromkeys(("True", "TRUE", "true"), True),
    **dict.fromkeys(("False", "FALSE", "false"), False),
}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
# Up to here different texts are categories; up to the larger number if each occurs often.
FEW_CATEGORIES, MOST_CATEGORIES, ROWS_A_CATEGORY = 20, 100, 10
EXAMPLES = 32


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
        self.rows += 1
        if cell in MISSING:
            self.missing += 1
            return
        if len(self.distinct) <= MOST_CATEGORIES:
            self.distinct.add(cell)
        self.boolean = self.boolean and cell in BOOLEANS
        # As pandas does: one cell that is no number makes the column text.
        self.numeric = self.numeric and NUMBER.fullmatch(cell.strip()) is not None
        if self.numeric and math.isfinite(number := float(cell)):
            self.minimum, self.maximum = min(self.minimum, number), max(self.maximum, number)

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
            return sorted({BOOLEANS[cell] for cell in self.distinct})
        return sorted(self.distinct)


def whole(number: float) -> float:
    """Write 5000 for 5000.0, as a person would."""
    return int(number) if math.isfinite(number) and number == int(number) else number


@dataclass(frozen=True)
class Sample:
    """The facts of each column, and some rows spread evenly over the file."""

    path: Path
    columns: dict[str, ColumnFacts]
    examples: list[dict[str, str]]


def read_header(path: Path) -> list[str]:
    """Return the names in the first line of a CSV. Raises WorkbenchError."""
    return next(_records(path))[1]


def read_sample(path: Path) -> Sample:
    """Read a CSV once, keeping no more of it than the facts. Raises WorkbenchError."""
    records = _records(path)
    _, header = next(records)
    columns = {name: ColumnFacts(name) for name in header}
    examples: list[dict[str, str]] = []
    stride = 1
    for number, (line, cells) in enumerate(records):
        if len(cells) != len(header):
            raise WorkbenchError(
                f"{path}: line {line} has {len(cells)} cells and the header has {len(header)}; "
                "mend that line, or quote the cells that hold a comma."
            )
        for name, cell in zip(header, cells, strict=True):
            columns[name].add(cell)
        if number % stride == 0:
            examples.append(dict(zip(header, cells, strict=True)))
            if len(examples) == 2 * EXAMPLES:
                examples, stride = examples[::2], 2 * stride
    if not examples:
        raise WorkbenchError(f"{path} has a header and no rows; give a CSV with typical rows.")
    return Sample(path, columns, examples)


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the cells of each record, the header first."""
    text = read_text(path)
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
        raise WorkbenchError(f"{path}: line {reader.line_num} is not CSV ({error}).") from None


def _check_header(path: Path, header: Sequence[str]) -> None:
    if not any(name.strip() for name in header):
        raise WorkbenchError(f"{path} is empty; its first line must name the columns.")
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise WorkbenchError(
            f"{path} has several columns called {', '.join(map(repr, repeated))}; rename them."
        )


def read_text(path: Path) -> str:
    """Read a text file in any encoding that spreadsheets write. Raises WorkbenchError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WorkbenchError(f"{path} cannot be read: {error.strerror}.") from None
    marked = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ["utf-16"] if marked else ["utf-8-sig", "cp1252"]:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise WorkbenchError(f"{path} is not a text file; give a CSV, JSON or text file.")
