"""A CSV of rows in, the same CSV with predictions out, streamed in parts."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from model_service.contract.contract import Batch, Contract, Problem
from model_service.csv.reader import Chunk, ChunkSize, CsvFile
from model_service.csv.rows import Parsed, RowReader, header_problems
from model_service.csv.writer import (
    answer_columns,
    cells_at,
    encode_csv,
    escape_formula,
    escape_formulas,
    free_name,
)
from model_service.errors import MAX_LISTED_PROBLEMS, BadFile, InvalidRows, TooManyRows
from model_service.model.predictions import Prediction
from model_service.serving.predictor import MODEL_FAILS

# The predictions of the rows that the model takes, and the places of the other rows.
Predict = Callable[[Batch], tuple[Sequence[Prediction], Sequence[int]]]

# While the file is still being checked, rows are predicted for so long, and their answer has at
# most so many bytes.
EARLY_SECONDS, MAX_EARLY_BYTES = 5.0, 1 << 25


@dataclass(frozen=True)
class CsvJob:
    """How CSV files are answered.

    `example` is a prediction, which has the shape of all. `predict` can raise InvalidRows. With
    `keep_bad_rows`, rows that do not fit are answered with a last column `error` instead of being
    refused, and `on_rejected` is told of them. A record has at most `max_line_characters`.
    """

    contract: Contract
    example: Mapping[str, Any]
    predict: Predict
    max_rows: int
    max_line_characters: int
    keep_bad_rows: bool = False
    on_rejected: Callable[[Sequence[Problem]], None] = lambda problems: None

    def run(self, file: IO[bytes], spool: IO[bytes]) -> Generator[bytes, None, None]:
        """Check a whole file and return its answer in parts.

        `spool` is an empty file for what is predicted before it can be sent. Raises BadFile,
        InvalidRows and TooManyRows before anything is returned; the generator raises InvalidRows
        if the model fails on a later row.
        """
        run = _Run(self, file, spool)
        run.check()
        return run.answer()


class _Run:
    """One file and its answer."""

    def __init__(self, job: CsvJob, file: IO[bytes], spool: IO[bytes]) -> None:
        names = [feature.name for feature in job.contract.features]
        appended = answer_columns(job.contract.output, job.example, names)
        errors = [free_name("error", {*names, *appended})] if job.keep_bad_rows else []
        self._job, self._spool = job, spool
        self._paths = list(appended.values())
        self._appended = [*appended, *errors]
        self._file = CsvFile(file, names, job.max_line_characters)
        problems = list(header_problems(self._file.header, names, self._appended))
        if problems:
            line = self._file.line
            raise BadFile([Problem(None, name, message, line) for name, message in problems])
        self._reader = RowReader(job.contract, self._file.header)
        self._chunk_size = ChunkSize()
        self._row_count = self._spooled_count = 0

    def check(self) -> None:
        """Read the whole file. Raises BadFile, TooManyRows, and InvalidRows with all problems.

        Rows are predicted meanwhile, so that for a fast model the file is read once. A slow model
        is not waited for: the platform wants a first byte in time.
        """
        problems: list[Problem] = []
        total = 0
        header = [[escape_formula(name)] for name in (*self._file.header, *self._appended)]
        self._spool.write(codecs.BOM_UTF8 * self._file.has_bom)
        self._spool.write(encode_csv(header, self._file.delimiter))
        deadline = time.monotonic() + EARLY_SECONDS
        for chunk in self._file.chunks(self._chunk_size):
            self._row_count = chunk.last
            if self._row_count > self._job.max_rows:
                limit = f"At most {self._job.max_rows} rows a CSV; send it in parts."
                raise TooManyRows(limit)
            is_early = (
                not total and time.monotonic() < deadline and self._spool.tell() < MAX_EARLY_BYTES
            )
            found = self._predict_early(chunk) if is_early else self._problems(chunk)
            problems += found[: MAX_LISTED_PROBLEMS - len(problems)]
            total += len(found)
        self._spool.flush()  # a full disk is noticed before the answer begins
        if self._row_count == 0:
            message = "the file has no rows below its header"
            raise BadFile([Problem(None, None, message, self._file.line)])
        if problems:
            raise InvalidRows(problems, total)

    def answer(self) -> Generator[bytes, None, None]:
        """Yield the answer in parts. Raises InvalidRows if the model fails on a row."""
        self._spool.seek(0)
        while part := self._spool.read(1 << 16):
            yield part
        if self._spooled_count < self._row_count:
            for chunk in self._file.chunks(self._chunk_size, skip=self._spooled_count):
                yield self._predict(chunk, self._reader.parse(chunk))

    def _predict_early(self, chunk: Chunk) -> Sequence[Problem]:
        """Write the answer to a chunk into the spool, or return what is wrong with its rows."""
        parsed = self._reader.parse(chunk)
        if parsed.problems and not self._job.keep_bad_rows:
            return parsed.all_problems()
        try:
            self._spool.write(self._predict(chunk, parsed))
        except InvalidRows as error:
            return error.problems
        self._spooled_count = chunk.last
        return []

    def _problems(self, chunk: Chunk) -> Sequence[Problem]:
        return [] if self._job.keep_bad_rows else self._reader.parse(chunk).all_problems()

    def _predict(self, chunk: Chunk, parsed: Parsed) -> bytes:
        """Return the lines of a chunk with its predictions."""
        started_at = time.monotonic()
        try:
            predictions, failing = self._job.predict(parsed.batch)
        except InvalidRows as error:
            problems = [
                chunk.problem(p.row - chunk.first, p.feature, p.message, p.reason)
                for p in error.problems
                if p.row is not None
            ]
            raise InvalidRows(problems) from error
        if failing:
            parsed = parsed.without(failing, chunk, MODEL_FAILS)
        answers: Sequence[Prediction | None] = predictions
        if parsed.problems:
            by_place = dict(zip(parsed.places, predictions, strict=True))
            answers = [by_place.get(place) for place in range(len(chunk.records))]
        width = len(self._file.header)
        records = (
            cells if len(cells) == width else [*cells, *[""] * width][:width]
            for cells in chunk.records
        )
        columns = [
            *map(escape_formulas, zip(*records, strict=True)),
            *(cells_at(answers, path) for path in self._paths),
        ]
        if self._job.keep_bad_rows:
            self._job.on_rejected(parsed.all_problems())
            columns.append([_error_cell(parsed, place) for place in range(len(answers))])
        self._chunk_size.adapt(len(chunk.records), time.monotonic() - started_at)
        return encode_csv(columns, self._file.delimiter)


def _error_cell(parsed: Parsed, place: int) -> str:
    problems = parsed.problems.get(place, ())
    return escape_formula(
        "; ".join(" ".join(filter(None, (p.feature, p.message))) for p in problems)
    )
