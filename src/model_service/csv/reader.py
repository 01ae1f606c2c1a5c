"""CSV files as people send them: UTF-8, one of four delimiters, quoted as in RFC 4180."""

from __future__ import annotations

import codecs
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import IO

from model_service.contract.contract import Contract
from model_service.contract.problems import Problem, Reason
from model_service.csv.records import (
    BEGINNING,
    Position,
    RecordReader,
    Records,
    bad_file,
    first_line,
    split_cells,
)
from model_service.csv.writer import unescape_formula
from model_service.errors import BadFile

DELIMITERS = ",;\t|"
# So few that the cells of a chunk and their problems fit into any memory.
MAX_CHUNK_CHARACTERS = 1 << 18
FIRST_CHUNK_ROWS, MAX_CHUNK_ROWS = 50, 4000
# The model's input for a chunk: a category can become thousands of columns.
MAX_CHUNK_CELLS = 1 << 21


def max_chunk_rows(contract: Contract, max_rows: int) -> int:
    """Return `max_rows`, or fewer for a model with many columns."""
    return max(min(MAX_CHUNK_CELLS // len(contract.column_kinds), max_rows), 1)


@dataclass(frozen=True)
class Chunk:
    """Consecutive records of a file under a header of `width` columns."""

    first: int  # the number of the first record; the header is not counted, and rows start at 1
    delimiter: str
    width: int
    _records: Records

    def __len__(self) -> int:
        return len(self._records)

    @property
    def last(self) -> int:
        return self.first + len(self) - 1

    @property
    def lines(self) -> Sequence[int]:
        """The line on which each record begins."""
        return self._records.lines

    @property
    def columns(self) -> Sequence[Sequence[str]]:
        """The cells of the well-formed records, by column."""
        return self._split[0]

    @property
    def places(self) -> Sequence[int]:
        """The places of the well-formed records in this chunk, counted from 0."""
        return self._split[1]

    @property
    def malformed(self) -> Mapping[int, list[str]]:
        """The records that have too few or too many cells, by place."""
        return self._split[2]

    @cached_property
    def _split(self) -> tuple[Sequence[Sequence[str]], Sequence[int], Mapping[int, list[str]]]:
        texts, records = self._records.texts, self._records.cells
        if texts is not None:
            columns = split_cells(texts, self.delimiter, self.width)
            if columns is not None:
                return columns, range(len(texts)), {}
            records = [text.split(self.delimiter) for text in texts]
        malformed = {
            place: cells for place, cells in enumerate(records or ()) if len(cells) != self.width
        }
        places = [place for place in range(len(self)) if place not in malformed]
        by_column = zip(*((records or ())[place] for place in places), strict=True)
        return list(by_column) or [()] * self.width, places, malformed

    @property
    def texts(self) -> Sequence[str] | None:
        """The records as they are in the file, if none is malformed or has a quoted cell."""
        return self._records.texts if not self.malformed else None

    def problem(
        self, place: int, feature: str | None, message: str, reason: Reason = "form"
    ) -> Problem:
        """Return a problem of the record at a place in this chunk, counted from 0."""
        return Problem(self.first + place, feature, message, self.lines[place], reason)


@dataclass
class ChunkSize:
    """How many rows make a chunk: as many as are processed in about a second.

    A slow model gets few, so that the caller and the platform receive something every now and
    then; a fast one gets many, so that the cost of a call does not count.
    """

    rows: int = FIRST_CHUNK_ROWS
    max_rows: int = MAX_CHUNK_ROWS
    block_bytes: int | None = None  # read at a time; a chunk has as many characters at most

    def adapt(self, rows: int, seconds: float) -> None:
        """Take into account how long some rows took."""
        a_second = int(rows / max(seconds, 0.001))  # a clock can stand still for a moment
        self.rows = max(1, min(a_second, 2 * self.rows, self.max_rows))


@dataclass(frozen=True)
class Layout:
    """How the records of a file are read: what is known of it from its header."""

    header: tuple[str, ...]
    delimiter: str
    max_line_characters: int
    has_bom: bool
    line: int  # of the header
    begin: Position = BEGINNING  # of the first record that is read
    header_records: int = 1  # that come first from there

    def records(
        self, file: IO[bytes], end: int | None = None, block_bytes: int | None = None
    ) -> RecordReader:
        """Return a reader of the records from the beginning to a byte of the file."""
        return RecordReader(
            file, self.delimiter, self.max_line_characters, self.begin, end, block_bytes
        )

    def chunks(
        self, file: IO[bytes], size: ChunkSize, skip: int = 0, end: int | None = None
    ) -> Iterator[Chunk]:
        """Yield the records after the first `skip`, in chunks of at most `size.rows`."""
        first, skip = 1 + skip, skip + self.header_records
        max_characters = size.block_bytes or MAX_CHUNK_CHARACTERS
        for records in self.records(file, end, size.block_bytes):
            place, skip = skip, max(skip - len(records), 0)
            while place < len(records):
                part = _first(records[place : place + size.rows], max_characters)
                yield Chunk(first, self.delimiter, len(self.header), part)
                first += len(part)
                place += len(part)

    def at(self, position: Position) -> Layout:
        """Return the same for a file that is read from a position behind the header."""
        return replace(self, begin=position, header_records=0)


def _first(records: Records, max_characters: int) -> Records:
    """Return as many of the records as have about so many characters, at least one."""
    if len(records) == 1 or records.characters() <= max_characters:
        return records
    return _first(records[: len(records) // 2], max_characters)


def read_layout(file: IO[bytes], names: Collection[str], max_line_characters: int) -> Layout:
    """Read the header of a file. Raises BadFile.

    The delimiter is the one under which the header has most of the expected `names`.
    """
    file.seek(0)
    has_bom = file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
    begin = first_line(file, len(codecs.BOM_UTF8) * has_bom)
    headers: dict[str, tuple[int, list[str]]] = {}
    errors = []
    for delimiter in DELIMITERS:
        try:
            headers[delimiter] = _first_record(file, delimiter, max_line_characters, begin)
        except BadFile as error:
            errors.append(error)
    if not headers:
        raise errors[0]
    # In our own answers a name can be behind an apostrophe.
    known = {
        delimiter: {*header, *map(unescape_formula, header)} & set(names)
        for delimiter, (_, header) in headers.items()
    }
    # Of equals max takes the first, the comma.
    delimiter = max(headers, key=lambda delimiter: len(known[delimiter]))
    line, header = headers[delimiter]
    others = set(names) - set(header)
    plain = [
        unescape_formula(name) if unescape_formula(name) in others else name for name in header
    ]
    return Layout(tuple(plain), delimiter, max_line_characters, has_bom, line, begin)


def _first_record(
    file: IO[bytes], delimiter: str, max_line_characters: int, begin: Position
) -> tuple[int, list[str]]:
    first = RecordReader(file, delimiter, max_line_characters, begin).first()
    if first is None:
        raise bad_file("the file is empty", 1)
    return first


class CsvFile:
    """A CSV file with a header. Raises BadFile, when it is made and while it is read."""

    def __init__(self, file: IO[bytes], names: Collection[str], max_line_characters: int) -> None:
        self._file = file
        self.layout = read_layout(file, names, max_line_characters)
        self.has_bom, self.delimiter = self.layout.has_bom, self.layout.delimiter
        self.header, self.line = list(self.layout.header), self.layout.line

    def chunks(self, size: ChunkSize, skip: int = 0) -> Iterator[Chunk]:
        """Yield the records after the first `skip`, in chunks of at most `size.rows`."""
        return self.layout.chunks(self._file, size, skip)
