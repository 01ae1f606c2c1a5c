"""Find the table in a CSV of a spreadsheet, R or pandas: delimiter, title lines, header."""

from __future__ import annotations

import csv
import io
import os
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path

from model_service.contract.typed_text import is_number
from workbench.errors import UserError

# Reading takes three times as much memory.
MAX_TEXT_BYTES = 256 << 20
BLANKS = " \t"  # other white space can be the name of a column
# The encodings that any other bytes are read in, and what people call them.
GUESSED = {"cp1252": "Windows-1252", "latin-1": "Latin-1"}
DELIMITERS = ",;\t|"
HEAD_CHARACTERS, HEAD_RECORDS = 1 << 18, 50  # of a file, from which its layout is found
# A header of 20,000 names is longer than that: more is read for a title, the names and a row.
MAX_HEAD_CHARACTERS, MIN_HEAD_RECORDS = 1 << 24, 3
MAX_TITLE_RECORDS = 10
MIN_NUMBERS = 2  # in a first record that is a row
_SEP = re.compile(r"sep=(.)\r?\n")  # the first line of a CSV for Excel
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")

Record = list[str]


@dataclass
class Table:
    """A CSV: the names of its columns, and its records with a cell for each of them."""

    path: Path
    text: str
    delimiter: str
    header: tuple[str, ...]  # as it is written: a name can be empty
    skipped: int  # records before the header
    has_row_names: bool  # each record has one cell more than the header: R's names of the rows
    has_header: bool = True  # else the names are numbers, and the first record is a row
    blank: int = field(default=0, init=False)  # records without content, while they are read
    short: int = field(default=0, init=False)  # records with fewer cells, while they are read

    @property
    def names(self) -> list[str]:
        """The names as pandas makes them: `Unnamed: 0` without one, `a.1` for a second a."""
        taken: set[str] = set()
        names = []
        for number, written in enumerate(self.header):
            name = base = written or f"Unnamed: {number}"
            count = 0
            while name in taken:
                count += 1
                name = f"{base}.{count}"
            taken.add(name)
            names.append(name)
        return names

    def records(self) -> Iterator[Record]:
        """Yield the cells of each record after the header. Raises UserError."""
        width = len(self.header)
        reader = csv.reader(io.StringIO(self.text, newline=""), delimiter=self.delimiter)
        try:
            for cells in islice(_filled(reader), self.skipped + self.has_header, None):
                if len(cells) != width:
                    self._fit(cells, width, reader.line_num)
                if width == 1 or any(cells):
                    yield cells
                else:
                    self.blank += 1
        except csv.Error as error:
            raise UserError(f"{self.path}: line {reader.line_num} is not CSV ({error}).") from None

    def _fit(self, cells: Record, width: int, line: int) -> None:
        """Give a record as many cells as there are names, as pandas does. Raises UserError."""
        if len(cells) > width and any(cell.strip() for cell in cells[width:]):
            raise UserError(
                f"{self.path}: line {line} has {len(cells)} cells and the header has "
                f"{width - self.has_row_names}; correct that line, or quote the cells that hold a "
                "comma."
            )
        self.short += len(cells) < width
        cells[:] = [*cells[:width], *[""] * (width - len(cells))]

    @property
    def notes(self) -> Iterator[str]:
        """Sentences about what was left out or filled in; after the records were read."""
        name = self.path.name
        if not self.has_header:
            yield (
                f"The first line of {name} has values and no names: its columns are called 0 to "
                f"{len(self.header) - 1}, as pandas calls them with header=None."
            )
        if self.skipped:
            lines = "line" if self.skipped == 1 else f"{self.skipped} lines"
            yield f"The first {lines} of {name} above the names of the columns were left out."
        if self.blank:
            rows = "1 row" if self.blank == 1 else f"{self.blank} rows"
            yield f"{rows} of {name} without content: left out."
        if self.short:
            lines = "1 line has" if self.short == 1 else f"{self.short} lines have"
            yield (
                f"{lines} fewer cells than {name} has columns; the last ones are taken for missing "
                "values, as pandas does."
            )


def read_table(path: Path, text: str) -> Table:
    """Find the table in the text of a CSV. Raises UserError."""
    named = _SEP.match(text)
    delimiter, records = _layout(text, named[1] if named else None)
    skipped = 1 if named else _title_records(records)
    header = records[skipped] if skipped < len(records) else []
    if not any(name.strip(BLANKS) for name in header):
        raise UserError(f"{path} is empty; its first line must name the columns.")
    if not named and _is_row(header, records[1:]):
        numbers = tuple(map(str, range(len(header))))
        return Table(path, text, delimiter, numbers, 0, has_row_names=False, has_header=False)
    rows = records[skipped + 1 :]
    has_row_names = bool(rows) and all(
        len(row) == len(header) + 1 and row[-1].strip() for row in rows
    )
    if has_row_names:
        header = ["", *header]
    header = [name if name.strip(BLANKS) else "" for name in header]
    return Table(path, text, delimiter, tuple(header), skipped, has_row_names)


def read_header(path: Path) -> list[str]:
    """Return the names of a CSV's columns. Raises UserError."""
    table = read_table(path, read_text(path))
    repeated = [name for name, count in Counter(table.header).items() if name and count > 1]
    if repeated:
        raise UserError(
            f"{path} has several columns called {', '.join(map(repr, repeated))}; rename them."
        )
    names = zip(table.names, table.header, strict=True)
    return [name for number, (name, written) in enumerate(names) if written or number == 0]


def _filled(records: Iterable[Record]) -> Iterator[Record]:
    """Yield the records that are no empty lines."""
    return (cells for cells in records if cells)


def _layout(text: str, delimiter: str | None) -> tuple[str, list[Record]]:
    """Return the delimiter, found if it is None, and the first records."""
    size = HEAD_CHARACTERS
    while True:
        head = text[:size]
        found = delimiter or _delimiter(head)
        records = _head(head, found, is_whole=len(head) == len(text))
        if len(records) >= MIN_HEAD_RECORDS or size >= min(len(text), MAX_HEAD_CHARACTERS):
            return found, records
        size *= 4


def _head(text: str, delimiter: str, *, is_whole: bool) -> list[Record]:
    """Return the first records; the last one of a text that goes on can be a part of a record."""
    records: list[Record] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in islice(_filled(reader), HEAD_RECORDS + 1):
            records.append(cells)
    except csv.Error:  # `Table.records` names the line
        return records
    return records[:HEAD_RECORDS] if is_whole or len(records) > HEAD_RECORDS else records[:-1]


def _delimiter(head: str) -> str:
    """Return the delimiter that gives most records the same number of cells."""

    def score(delimiter: str) -> tuple[float, int]:
        records = _head(head, delimiter, is_whole=True)
        width, count = Counter(map(len, records)).most_common(1)[0] if records else (1, 0)
        return (count / len(records), width) if width > 1 else (0.0, 0)

    best = max(DELIMITERS, key=score)
    if score(best) == (0.0, 0):
        return max(DELIMITERS, key=head.split("\n", 1)[0].count)
    return best


def _title_records(records: Sequence[Record]) -> int:
    """Return how many records stand above the header, such as the title of a report."""
    width = Counter(map(len, records)).most_common(1)[0][0] if records else 0
    if width < 3:  # a text with a comma looks like two columns
        return 0
    for number, cells in enumerate(records[: MAX_TITLE_RECORDS + 1]):
        names = [cell for cell in cells if cell.strip()]
        if len(names) > 1:
            # Names differ, and are no numbers; otherwise the records above are part of the table.
            is_header = len({*names}) == len(names) and not any(map(is_number, names))
            return number if is_header and len(cells) >= width - 1 else 0
    return 0


def _is_row(first: Sequence[str], rows: Sequence[Record]) -> bool:
    """Return whether the first record is a row of values, as in a file without a header.

    It has numbers, and its texts are values of their columns. Rising whole numbers can be names: of
    the columns of an array, or years.
    """
    numbers = [float(cell.strip()) for cell in first if is_number(cell)]
    if len(numbers) < MIN_NUMBERS or any(len(row) != len(first) for row in rows):
        return False
    rising = all(low < high for low, high in pairwise(numbers))
    if rising and all(number.is_integer() for number in numbers):
        return False
    columns = zip(first, zip(*rows, strict=True), strict=bool(rows))
    return bool(rows) and all(
        all(map(is_number, filter(None, cells))) if is_number(cell) else cell in cells
        for cell, cells in columns
    )


def read_text(path: Path) -> str:
    """Read a text file in an encoding that spreadsheets write. Raises UserError."""
    return read_decoded(path)[0]


def read_decoded(path: Path) -> tuple[str, str]:
    """Return the text of a file, and the encoding it was read in. Raises UserError."""
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
    for encoding in _encodings(data):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text and not (encoding == "latin-1" and _CONTROL.search(text)):
            return text, encoding
    raise UserError(f"{path} is not a text file; give a CSV, JSON or text file.")


def note_on_encoding(path: Path, encoding: str) -> Iterator[str]:
    """Yield a note if the encoding is only a guess: other code pages have other letters."""
    if encoding in GUESSED:
        yield (
            f"{path.name} is not UTF-8; it was read as {GUESSED[encoding]}. If letters are wrong, "
            "save it as UTF-8 and type the command again."
        )


def _encodings(data: bytes) -> tuple[str, ...]:
    """Return the encodings to try: with a mark as UTF-16 has it, or with its zeros, or neither."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return ("utf-16",)
    head = data[:1024]
    if head.count(0) * 3 > len(head) > 1:
        return ("utf-16-le",) if head[1] == 0 else ("utf-16-be",)
    # Windows-1252 has five bytes without a meaning; Latin-1 has none.
    return ("utf-8-sig", *GUESSED)
