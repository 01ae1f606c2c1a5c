"""The records of a CSV file, block by block: split as text where no cell is quoted, else by csv."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from model_service.contract.problems import Problem, Problems
from model_service.errors import BadFile

# csv's own limit is one for the whole process, and of a cell. Records are limited here, and texts
# by the contract.
csv.field_size_limit((1 << 31) - 1)

BLOCK_BYTES = 1 << 18
MAX_BYTES_OF_A_CHARACTER = 4
NOT_UTF8 = "is not UTF-8; save it as UTF-8 (in a spreadsheet: CSV UTF-8) and send it again"


def bad_file(message: str, line: int) -> BadFile:
    """Return the error for a file that cannot be read, because of one of its lines."""
    return BadFile(Problems([Problem(None, None, message, line)]))


@dataclass(frozen=True)
class Records:
    """Consecutive records of a file, and the line on which each begins.

    Records without a quoted cell are kept as `texts`, without their line ends; those of a block
    with one are kept as `cells`.
    """

    lines: Sequence[int]
    texts: Sequence[str] | None = None
    cells: Sequence[list[str]] | None = None

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, part: slice) -> Records:
        texts = None if self.texts is None else self.texts[part]
        return Records(self.lines[part], texts, None if self.cells is None else self.cells[part])

    def characters(self) -> int:
        """Return about how many characters the records have."""
        if self.texts is not None:
            return sum(map(len, self.texts))
        return sum(map(len, (cell for cells in self.cells or () for cell in cells)))


@dataclass(frozen=True)
class Position:
    """A place in a file where a record begins."""

    offset: int  # in bytes
    line: int


BEGINNING = Position(0, 1)


def first_line(file: IO[bytes], offset: int) -> Position:
    """Return where the first line that is not blank begins, from a byte of the first line on.

    A file can begin with a million blank lines, and its header is read once for each delimiter.
    """
    file.seek(offset)
    line, last = 1, b""
    while block := file.read(BLOCK_BYTES):
        rest = block.lstrip(b"\r\n")
        blank = block[: len(block) - len(rest)]
        offset += len(blank)
        # \r\n is one line end, on both sides of a block's end too.
        line += blank.count(b"\n") + blank.count(b"\r") - (last + blank).count(b"\r\n")
        if rest:
            break
        last = block[-1:]
    return Position(offset, line)


class RecordReader:
    """Reads the records of a file between two positions, in blocks of BLOCK_BYTES if not said.

    Blank lines are no records. A record has at most `max_line_characters`, so that a line of
    millions of cells is refused early. Raises BadFile.
    """

    def __init__(
        self,
        file: IO[bytes],
        delimiter: str,
        max_line_characters: int,
        start: Position = BEGINNING,
        end: int | None = None,
        block_bytes: int | None = None,
    ) -> None:
        self._file, self._delimiter, self._end = file, delimiter, end
        self._block_bytes = block_bytes or BLOCK_BYTES
        self._max_line_characters = max_line_characters
        self._start = start

    def __iter__(self) -> Iterator[Records]:
        for records, _ in self._read(is_needed=True):
            if records is not None and records.lines:
                yield records

    def first(self) -> tuple[int, list[str]] | None:
        """Return the first record and its line, or None; the records behind it can be malformed."""
        for records, _ in self._read(is_needed=True, max_quoted=1):
            if records is not None and records.lines:
                if records.texts is not None:
                    return records.lines[0], records.texts[0].split(self._delimiter)
                return records.lines[0], (records.cells or [[]])[0]
        return None

    def positions(self) -> Iterator[Position]:
        """Yield a position after each block, where a part of the file can end."""
        for _, position in self._read(is_needed=False):
            yield position

    def _read(
        self, *, is_needed: bool, max_quoted: int | None = None
    ) -> Iterator[tuple[Records | None, Position]]:
        """Yield records with the position after them; plain ones as None unless `is_needed`.

        Of a block with quoted cells, at most `max_quoted` records are read at a time.
        """
        self._file.seek(self._start.offset)
        blocks = _Blocks(self._file, self._end, self._max_line_characters, self._block_bytes)
        line = self._start.line
        try:
            for block in blocks:
                if _is_plain(block):
                    records = self._plain(block, line) if is_needed else None
                    # Of old Macs' files no block is plain, and each line ends with \n.
                    line += block.count(b"\n")
                else:
                    records, line = self._quoted(block, blocks, line, max_quoted)
                yield records, Position(blocks.offset, line)
        except UnicodeDecodeError:
            raise bad_file(NOT_UTF8, self._first_undecodable()) from None
        except _LongLine:
            raise self._too_long(line) from None

    def _plain(self, block: bytes, line: int) -> Records:
        text = block.decode()
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        texts = text.split("\n")
        if not texts[-1]:
            texts.pop()
        lines: Sequence[int] = range(line, line + len(texts))
        limit = self._max_line_characters - len("\r\n")
        if len(text) > limit and max(map(len, texts), default=0) > limit:
            self._require_short(block, line)
        if "" in texts:
            lines = [number for number, text in zip(lines, texts, strict=True) if text]
            texts = [text for text in texts if text]
        return Records(lines, texts)

    def _require_short(self, block: bytes, line: int) -> None:
        for number, text in enumerate(block.splitlines(keepends=True), start=line):
            if len(text.decode()) > self._max_line_characters:
                raise self._too_long(number)

    def _too_long(self, line: int) -> BadFile:
        message = f"is not CSV: a row of more than {self._max_line_characters} characters"
        return bad_file(message, line)

    def _quoted(
        self, block: bytes, blocks: _Blocks, line: int, max_records: int | None
    ) -> tuple[Records, int]:
        """Read a block with csv, and on to the end of its last record; return the next line too."""
        source = _LimitedLines(block, blocks, self._max_line_characters)
        reader = csv.reader(source, delimiter=self._delimiter, strict=True)
        lines, records = [], []
        begins_on = line
        try:
            for cells in reader:
                if cells:
                    lines.append(begins_on)
                    records.append(cells)
                begins_on = line + reader.line_num
                source.characters_left = self._max_line_characters
                if source.has_read_on or not source.has_more or len(records) == max_records:
                    break
        except csv.Error as error:
            raise bad_file(f"is not CSV: {error}", begins_on) from None
        blocks.take_back(source.rest())
        return Records(lines, cells=records), begins_on

    def _first_undecodable(self) -> int:
        self._file.seek(0)
        for number, line in enumerate(self._file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
        raise AssertionError("all lines are UTF-8")


def _is_plain(block: bytes) -> bool:
    """Return whether each line is a record, and each delimiter ends a cell."""
    return (
        b'"' not in block
        and b"\0" not in block
        and (b"\r" not in block or block.count(b"\r") == block.count(b"\r\n"))
    )


class _LongLine(Exception):
    """A line is longer than any record may be."""


class _Blocks(Iterator[bytes]):
    """Blocks of whole lines; `offset` is the number of the byte after the last one."""

    def __init__(
        self, file: IO[bytes], end: int | None, max_line_characters: int, block_bytes: int
    ) -> None:
        self._file, self._end, self._block_bytes = file, end, block_bytes
        self._max_line_bytes = MAX_BYTES_OF_A_CHARACTER * max_line_characters
        self.offset = file.tell()
        self._rest = b""
        if self.offset == 0 and file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8:
            self.offset = len(codecs.BOM_UTF8)
        file.seek(self.offset)
        self._read_to = self.offset

    def __next__(self) -> bytes:
        while True:
            left = self._block_bytes if self._end is None else self._end - self._read_to
            piece = self._file.read(min(self._block_bytes, left))
            self._read_to += len(piece)
            block = self._rest + piece
            if not piece:
                self._rest = b""
                if not block:
                    raise StopIteration
                break
            cut = block.rfind(b"\n") + 1 or block.rfind(b"\r", 0, -1) + 1
            if cut:
                block, self._rest = block[:cut], block[cut:]
                break
            self._rest = block
            if len(block) > self._max_line_bytes:
                raise _LongLine
        self.offset += len(block)
        return block

    def take_back(self, lines: bytes) -> None:
        """Make the last lines of a block the first of the next one."""
        self._rest = lines + self._rest
        self.offset -= len(lines)


class _LimitedLines(Iterator[str]):
    """The lines of blocks, as long as the current record has characters left."""

    def __init__(self, block: bytes, blocks: _Blocks, max_characters: int) -> None:
        self._blocks, self._max_characters = blocks, max_characters
        self.characters_left = max_characters
        self.has_read_on = False  # whether the first block has not been enough
        self._take(block)

    @property
    def has_more(self) -> bool:
        """Whether the current block has more lines."""
        return self._place < len(self._lines)

    def rest(self) -> bytes:
        """Return the lines that are left of the current block."""
        return "".join(self._lines[self._place :]).encode()

    def _take(self, block: bytes) -> None:
        self._lines = list(io.StringIO(block.decode(), newline=""))
        self._place = 0

    def __next__(self) -> str:
        if not self.has_more:
            self._take(next(self._blocks))
            self.has_read_on = True
        line = self._lines[self._place]
        self._place += 1
        self.characters_left -= len(line)
        if self.characters_left < 0:
            raise csv.Error(f"a row of more than {self._max_characters} characters")
        return line


def split_cells(texts: Sequence[str], delimiter: str, width: int) -> list[list[str]] | None:
    """Return the cells of plain records by column, or None unless each has `width` cells."""
    # A line end is a cell of its own between two records. No other cell holds one.
    line_end, step = "\n", width + 1
    cells = f"{delimiter}{line_end}{delimiter}".join(texts).split(delimiter)
    ends = cells[width::step]
    if len(cells) != len(texts) * step - 1 or ends.count(line_end) != len(texts) - 1:
        return None
    return [cells[column::step] for column in range(width)]
