"""CSV files as people send them: UTF-8, one of four delimiters, quoted as in RFC 4180."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO, TextIO

from model_service.contract.problems import Problem, Problems, Reason
from model_service.csv.writer import unescape_formula
from model_service.errors import BadFile

# csv's own limit is one for the whole process, and of a cell. Records are limited by CsvFile, and
# texts by the contract.
csv.field_size_limit((1 << 31) - 1)

DELIMITERS = ",;\t|"
# So few that the cells of a chunk and their problems fit into any memory.
MAX_CHUNK_CHARACTERS = 1 << 18
FIRST_CHUNK_ROWS, MAX_CHUNK_ROWS = 50, 4000
NOT_UTF8 = "is not UTF-8; save it as UTF-8 (in a spreadsheet: CSV UTF-8) and send it again"


def bad_file(message: str, line: int) -> BadFile:
    """Return the error for a file that cannot be read, because of one of its lines."""
    return BadFile(Problems([Problem(None, None, message, line)]))


@dataclass(frozen=True)
class Chunk:
    """Consecutive records of a file: the cells of each, and the line on which each begins."""

    first: int  # the number of the first record; the header is not counted, and rows start at 1
    lines: list[int]
    records: list[list[str]]

    @property
    def last(self) -> int:
        return self.first + len(self.records) - 1

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

    def adapt(self, rows: int, seconds: float) -> None:
        """Take into account how long some rows took."""
        a_second = int(rows / max(seconds, 0.001))  # a clock can stand still for a moment
        self.rows = max(1, min(a_second, 2 * self.rows, self.max_rows))


class CsvFile:
    """A CSV file with a header.

    The delimiter is the one under which the header has most of the expected `names`. A record has
    at most `max_line_characters`, so that a line of millions of cells is refused early. Raises
    BadFile, when it is made and while it is read.
    """

    def __init__(self, file: IO[bytes], names: Collection[str], max_line_characters: int) -> None:
        self._file, self._max_line_characters = file, max_line_characters
        self.has_bom = file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
        headers = {}
        errors = []
        for delimiter in DELIMITERS:
            try:
                headers[delimiter] = next(self._records(delimiter))
            except BadFile as error:
                errors.append(error)
            except StopIteration:
                raise bad_file("the file is empty", 1) from None
        if not headers:
            raise errors[0]
        # In our own answers a name can be behind an apostrophe.
        known = {
            delimiter: {*header, *map(unescape_formula, header)} & set(names)
            for delimiter, (_, header, _) in headers.items()
        }
        # Of equals max takes the first, the comma.
        self.delimiter = max(headers, key=lambda delimiter: len(known[delimiter]))
        self.line, header, _ = headers[self.delimiter]
        others = set(names) - set(header)
        self.header = [
            unescape_formula(name) if unescape_formula(name) in others else name for name in header
        ]

    def chunks(self, size: ChunkSize, skip: int = 0) -> Iterator[Chunk]:
        """Yield the records after the first `skip`, in chunks of at most `size.rows`."""
        records = islice(self._records(self.delimiter), 1 + skip, None)
        chunk, characters = Chunk(1 + skip, [], []), 0
        for line, cells, length in records:
            chunk.lines.append(line)
            chunk.records.append(cells)
            characters += length
            if len(chunk.records) >= size.rows or characters >= MAX_CHUNK_CHARACTERS:
                yield chunk
                chunk, characters = Chunk(chunk.last + 1, [], []), 0
        if chunk.records:
            yield chunk

    def _records(self, delimiter: str) -> Iterator[tuple[int, list[str], int]]:
        """Yield line, cells and length in characters of each record that is not a blank line."""
        self._file.seek(0)
        text = io.TextIOWrapper(self._file, encoding="utf-8-sig", newline="")
        lines = _LimitedLines(text, self._max_line_characters)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        line = 1
        try:
            for cells in reader:
                if cells:
                    yield line, cells, self._max_line_characters - lines.characters_left
                line = reader.line_num + 1
                lines.characters_left = self._max_line_characters
        except csv.Error as error:
            raise bad_file(f"is not CSV: {error}", line) from None
        except UnicodeDecodeError:
            raise bad_file(NOT_UTF8, self._first_undecodable()) from None
        finally:
            text.detach()  # else it would close the file with itself

    def _first_undecodable(self) -> int:
        self._file.seek(0)
        for number, line in enumerate(self._file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
        raise AssertionError("all lines are UTF-8")


class _LimitedLines:
    """The lines of a text, as long as the current record has characters left."""

    def __init__(self, text: TextIO, max_characters: int) -> None:
        self._text, self._max_characters = text, max_characters
        self.characters_left = max_characters

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(self.characters_left + 1):
            self.characters_left -= len(line)
            if self.characters_left < 0:
                raise csv.Error(f"a row of more than {self._max_characters} characters")
            yield line
