"""The records of a file with their predictions, or with what is wrong with them, as CSV."""

from __future__ import annotations

import codecs
import operator
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice, repeat
from typing import Any, NamedTuple

from model_service.batch.parsed import (
    MAX_PROBLEM_CHARACTERS,
    Parsed,
    PlacedWarnings,
    Rejection,
)
from model_service.contract.contract import Contract
from model_service.contract.problems import MAX_SHOWN_PROBLEMS
from model_service.contract.unusual import RowWarning
from model_service.csv.reader import Chunk
from model_service.csv.writer import (
    answer_columns,
    cells_at,
    csv_lines,
    encode_lines,
    escape_formula,
    escape_formulas,
    free_name,
    may_be_formulas,
    quoted_cells,
    quoted_lines,
)
from model_service.model.predictions import Prediction

# In a cell `error` or `warnings`: a row of a few bytes must not become one of kilobytes.
MAX_CELL_CHARACTERS = 600
# So many texts fit into a cell in any case.
MAX_UNCUT_TEXTS = MAX_CELL_CHARACTERS // MAX_PROBLEM_CHARACTERS


class AnswerLines(NamedTuple):
    """Lines of an answer, in two parts: a cell for warnings has its place between them."""

    starts: Sequence[str]
    ends: Sequence[str]  # the cells `error`, each behind its delimiter, if there is such a column

    def joined(self) -> Sequence[str]:
        """Return whole lines."""
        return list(map(operator.add, self.starts, self.ends)) if self.ends else self.starts


_NO_WARNINGS: PlacedWarnings = {}


class AnswerWriter:
    """Writes the records of a file with their predictions.

    `header` has the names of the input's columns; `example` is a prediction, which has the shape
    of all. With `keeps_bad_rows` the other rows are written too, with a last column `error`; else
    they are left out. Of the first `max_described` bad rows the column says what is wrong, of the
    others how many problems they have. `columns` are the places of the input's columns that are
    written; None: all.
    """

    def __init__(
        self,
        contract: Contract,
        example: Mapping[str, Any],
        header: Sequence[str],
        delimiter: str,
        *,
        keeps_bad_rows: bool,
        max_described: int = sys.maxsize,
        columns: Sequence[int] | None = None,
        has_bom: bool = False,
    ) -> None:
        names = [feature.name for feature in contract.features]
        # The names of the columns behind the input's, and their places in a prediction.
        self.answers = answer_columns(contract.output, example, names)
        errors = [free_name("error", {*names, *self.answers})] if keeps_bad_rows else []
        self._paths = list(self.answers.values())
        self._header, self._delimiter, self._has_bom = header, delimiter, has_bom
        self._keeps_bad_rows, self._columns = keeps_bad_rows, columns
        self._left_to_describe = max_described
        self.appended = [*self.answers, *errors]
        self._errors = errors
        # A column for warnings, which is written if there are any.
        self.warnings = free_name("warnings", {*names, *self.appended, *header})
        self.has_warnings = False

    def header(self) -> bytes:
        """Return the line of the header."""
        names = self._chosen(self._header)
        warnings = [self.warnings] if self.has_warnings else []
        appended = (*self.answers, *warnings, *self._errors)
        header = [[escape_formula(name)] for name in (*names, *appended)]
        lines = encode_lines(csv_lines(header, self._delimiter))
        return codecs.BOM_UTF8 * self._has_bom + lines

    def lines(
        self,
        chunk: Chunk,
        parsed: Parsed,
        predictions: Sequence[Prediction],
        warnings: PlacedWarnings = _NO_WARNINGS,
    ) -> AnswerLines:
        """Return the records of a chunk with their predictions, or with what is wrong.

        `warnings` are by place, and written if `has_warnings` is set.
        """
        if not self._keeps_bad_rows:
            return AnswerLines(self._well_formed(chunk, parsed.places, predictions, warnings), ())
        described = error_cells(parsed, len(chunk), self._left_to_describe)
        self._left_to_describe -= min(self._left_to_describe, len(parsed.rejections))
        errors = quoted_cells(described, self._delimiter)
        ends = [self._delimiter + cell for cell in errors]
        if not parsed.rejections:
            return AnswerLines(self._well_formed(chunk, chunk.places, predictions, warnings), ends)
        by_place = dict(zip(parsed.places, predictions, strict=True))
        answers = [by_place.get(place) for place in chunk.places]
        starts = self._well_formed(chunk, chunk.places, answers, warnings)
        if malformed := self._malformed(chunk):
            lines = dict(zip(chunk.places, starts, strict=True)) | malformed
            starts = [lines[place] for place in range(len(chunk))]
        return AnswerLines(starts, ends)

    def _chosen(self, columns: Sequence[Any]) -> Sequence[Any]:
        return columns if self._columns is None else [columns[place] for place in self._columns]

    def _well_formed(
        self,
        chunk: Chunk,
        places: Sequence[int],
        answers: Sequence[Prediction | None],
        warnings: PlacedWarnings,
    ) -> Sequence[str]:
        """Return the lines of some of the well-formed records, which have one answer each."""
        if not places:
            return []
        appended: list[Sequence[str]] = [cells_at(answers, path) for path in self._paths]
        if self.has_warnings:
            appended.append(warning_cells(warnings, places))
        delimiter = self._delimiter
        texts = chunk.texts if self._columns is None and chunk.delimiter == delimiter else None
        if texts is not None and not may_be_formulas(texts, delimiter):
            texts = texts if len(places) == len(texts) else [texts[place] for place in places]
            cells_of_answers = [quoted_cells(cells, delimiter) for cells in appended]
            return list(map(delimiter.join, zip(texts, *cells_of_answers, strict=True)))
        cells: Sequence[Sequence[str]] = self._chosen(chunk.columns)
        if len(places) < len(chunk.places):
            positions = {place: position for position, place in enumerate(chunk.places)}
            kept = [positions[place] for place in places]
            cells = [[column[position] for position in kept] for column in cells]
        return csv_lines([*map(escape_formulas, cells), *appended], delimiter)

    def _malformed(self, chunk: Chunk) -> dict[int, str]:
        """Return the records of too few or too many cells with as many as the header, by place."""
        width, delimiter = chunk.width, self._delimiter
        malformed = chunk.malformed
        records = [escape_formulas(cells[:width]) for cells in malformed.values()]
        if self._columns is not None:
            padded = [[*cells, *[""] * (width - len(cells))] for cells in records]
            records, width = [self._chosen(cells) for cells in padded], len(self._columns)
        lines = quoted_lines(records, delimiter)
        # As text: a header can have a hundred thousand columns, and each row a single cell.
        delimiters = delimiter * (width + len(self._paths) + self.has_warnings - 1)
        return {
            place: line + delimiters[len(record) - 1 :]
            for place, record, line in zip(malformed, records, lines, strict=True)
        }


def error_cells(parsed: Parsed, row_count: int, max_described: int = sys.maxsize) -> Sequence[str]:
    """Return what is wrong with each row, "" if nothing is; for later ones how much is wrong."""
    cells = [""] * row_count
    found = iter(parsed.rejections.items())
    for place, rejections in islice(found, max_described):
        cells[place] = _listing_cell(rejections)
    for place, rejections in found:
        cells[place] = _count_cell(len(rejections))
    return escape_formulas(cells)


@lru_cache
def _count_cell(count: int) -> str:
    problems = "1 problem" if count == 1 else f"{count} problems"
    return f"{problems}; only the first rows with problems say which"


def warning_cells(warnings: PlacedWarnings, places: Sequence[int]) -> Sequence[str]:
    """Return what is unusual in the row at each place, "" if nothing is."""
    if not warnings:
        return [""] * len(places)
    cells = {place: escape_formula(_listing_cell(found)) for place, found in warnings.items()}
    return list(map(cells.get, places, repeat("")))


def _listing_cell(found: Sequence[Rejection] | Sequence[RowWarning]) -> str:
    """Return the first texts, and how many there are besides."""
    if len(found) <= MAX_UNCUT_TEXTS:
        return "; ".join([one.text for one in found])
    shown = [one.text for one in found[:MAX_SHOWN_PROBLEMS]]
    while len(shown) > 1 and sum(map(len, shown)) > MAX_CELL_CHARACTERS:
        shown.pop()
    if len(found) > len(shown):
        shown.append(f"and {len(found) - len(shown)} more")
    return "; ".join(shown)
