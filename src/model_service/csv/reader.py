"""CSV files as people send them: UTF-8, one of four delimiters, quoted as RFC 4180 says."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO, TextIO

from model_service.contract.contract import Problem, Reason
from model_service.csv.writer import meant
from model_service.web.errors import RequestProblem, does_not_fit

# The limit of a record is ours, and that of a text the contract's: csv's own is that of a cell, for
# all of the process.
csv.field_size_limit((1 << 31) - 1)

DELIMITERS = ",;\t|"
# In characters: so few that its cells and their problems fit into any memory.
MAX_CHUNK = 1 << 18
FIRST_ROWS, MAX_ROWS = 50, 4000
NOT_UTF8 = "is not UTF-8; save it as UTF-8 (in a spreadsheet: CSV UTF-8) and send it again"


@dataclass(frozen=True)
class Chunk:
    """Records of a file in a row: the cells of each, and the line where each begins."""

    first: int  # the number of the first of them; they count from 1 without the header
    lines: list[int]
    records: list[list[str]]

    @property
    def last(self) -> int:
        return self.first + len(self.records) - 1

    def problem(
        self, place: int, feature: str | None, message: str, reason: Reason = "form"
    ) -> Problem:
        """Make a problem of one of the records, which count from 0 here."""
        return Problem(self.first + place, feature, message, self.lines[place], reason)


@dataclass
class Pace:
    """How many rows are taken at once: as many as are done in a second.

    Few of a slow model, so that the caller and the platform see something every now and then; many
    of a fast one, so that what a call costs by itself does not count.
    """

    rows: int = FIRST_ROWS

    def took(self, rows: int, seconds: float) -> None:
        """Learn from rows that were done."""
        a_second = int(rows / max(seconds, 0.001))  # a clock may stand still for a moment
        self.rows = max(1, min(a_second, 2 * self.rows, MAX_ROWS))


class CsvFile:
    """A file with a header. The delimiter is the one under which it has most of `names`.

    A record has at most `longest` characters, so that a line of millions of cells ends early.
    Raises RequestProblem, here and while it is read, where the file is no CSV.
    """

    def __init__(self, file: IO[bytes], names: Collection[str], longest: int) -> None:
        self._file, self._longest = file, longest
        self.has_bom = file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
        headers = {}
        refused = []
        for delimiter in DELIMITERS:
            try:
                headers[delimiter] = next(self._records(delimiter))
            except RequestProblem as problem:
                refused.append(problem)
            except StopIteration:
                raise does_not_fit([Problem(None, None, "the file is empty", 1)]) from None
        if not headers:
            raise refused[0]
        # Names may be behind an apostrophe, as our own files have them.
        said = {d: {*header, *map(meant, header)} for d, (_, header, _) in headers.items()}
        # Of equals max takes the first, the comma.
        self.delimiter = max(headers, key=lambda d: len(said[d] & set(names)))
        self.line, header, _ = headers[self.delimiter]
        others = set(names) - set(header)
        self.header = [meant(name) if meant(name) in others else name for name in header]

    def chunks(self, pace: Pace, skip: int = 0) -> Iterator[Chunk]:
        """Yield the records after the first `skip`, at most as many at once as the pace says."""
        records = islice(self._records(self.delimiter), 1 + skip, None)
        chunk, size = Chunk(1 + skip, [], []), 0
        for line, cells, characters in records:
            chunk.lines.append(line)
            chunk.records.append(cells)
            size += characters
            if len(chunk.records) >= pace.rows or size >= MAX_CHUNK:
                yield chunk
                chunk, size = Chunk(chunk.last + 1, [], []), 0
        if chunk.records:
            yield chunk

    def _records(self, delimiter: str) -> Iterator[tuple[int, list[str], int]]:
        """Yield line, cells and characters of each record that is not a blank line."""
        self._file.seek(0)
        text = io.TextIOWrapper(self._file, encoding="utf-8-sig", newline="")
        lines = _Lines(text, self._longest)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        line = 1
        try:
            for cells in reader:
                if cells:
                    yield line, cells, self._longest - lines.left
                line = reader.line_num + 1
                lines.left = self._longest
        except csv.Error as error:
            raise does_not_fit([Problem(None, None, f"is not CSV: {error}", line)]) from None
        except UnicodeDecodeError:
            raise does_not_fit([Problem(None, None, NOT_UTF8, self._undecodable())]) from None
        finally:
            text.detach()  # which would close the file with itself

    def _undecodable(self) -> int:
        self._file.seek(0)
        for number, line in enumerate(self._file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
        raise AssertionError("all lines are UTF-8")


class _Lines:
    """The lines of a text until no character is left to the record."""

    def __init__(self, text: TextIO, longest: int) -> None:
        self._text, self._longest = text, longest
        self.left = longest

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(self.left + 1):
            self.left -= len(line)
            if self.left < 0:
                raise csv.Error(f"a row of more than {self._longest} characters")
            yield line
