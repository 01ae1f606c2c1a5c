"""A CSV of rows in, the same CSV with predictions out, streamed in parts."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import IO, Any

from model_service.batch.parsed import Parsed, PlacedWarnings
from model_service.contract.batch import Batch
from model_service.contract.contract import Contract
from model_service.contract.problems import ProblemCounts, Problems
from model_service.contract.unusual import BatchWarnings, RowWarning
from model_service.csv.answer import AnswerLines, AnswerWriter
from model_service.csv.answer_file import AnswerFile, with_empty_cells
from model_service.csv.reader import MAX_CHUNK_ROWS, Chunk, ChunkSize, CsvFile, max_chunk_rows
from model_service.csv.records import bad_file
from model_service.csv.rows import RowReader, add_problems, header_problems
from model_service.csv.writer import encode_lines
from model_service.errors import BadFile, InvalidRows, TooManyRows
from model_service.model.predictions import Prediction
from model_service.serving.predictor import MODEL_FAILS
from model_service.serving.queue import TimedOut

# The predictions of the rows that the model takes, and the places of the other rows.
Predict = Callable[[Batch], tuple[Sequence[Prediction], Sequence[int]]]

# While the file is still being checked, rows are predicted for so long, and their answer has at
# most so many bytes.
EARLY_SECONDS, MAX_EARLY_BYTES = 5.0, 1 << 25
# A file with so many problems is not read to its end.
MAX_COUNTED_PROBLEMS = 100_000
# With `keep_bad_rows`: a description takes more time, and 20 times more bytes, than a small row.
MAX_DESCRIBED_ROWS = 20_000
# An answer has as many cells in each row as the header: a file of short rows under a wide header
# must not become one of gigabytes.
MAX_MISSING_CELLS = 10_000_000


@dataclass
class Progress:
    """How far a file has come."""

    row_count: int | None = None  # of the file; None while it is being checked
    done: int = 0  # rows with an answer
    rejected: int = 0  # of these: rows with an error in the place of a prediction


@dataclass(frozen=True)
class CsvJob:
    """How CSV files are answered.

    `example` is a prediction, which has the shape of all. `predict` can raise InvalidRows. With
    `keep_bad_rows`, rows that do not fit are answered with a last column `error` instead of being
    refused, and `on_rejected` gets their counts. If `find_warnings` finds any in the file, the
    answer has a column for them, and `on_warnings` gets each. A record has at most
    `max_line_characters`. The check of a whole file takes at most `check_seconds`, or TimedOut is
    raised. `on_progress` is called after each chunk that is checked or answered; an exception that
    it raises ends the work.
    """

    contract: Contract
    example: Mapping[str, Any]
    predict: Predict
    max_rows: int
    max_line_characters: int
    check_seconds: float
    keep_bad_rows: bool = False
    on_rejected: Callable[[ProblemCounts], None] = lambda counts: None
    find_warnings: Callable[[Batch], BatchWarnings] | None = None  # None: there can be none
    on_warnings: Callable[[Iterable[RowWarning]], None] = lambda warnings: None
    on_progress: Callable[[Progress], None] = lambda progress: None

    def check_header(self, file: IO[bytes]) -> None:
        """Read no more than the header. Raises BadFile."""
        _Run(self, file, io.BytesIO())

    def run(self, file: IO[bytes], spool: IO[bytes]) -> Generator[bytes, None, None]:
        """Check a whole file and return its answer in parts.

        `spool` is an empty file for what is predicted before it can be sent. Raises BadFile,
        InvalidRows, TooManyRows and TimedOut before anything is returned; the generator raises
        InvalidRows if the model fails on a later row.
        """
        run = _Run(self, file, spool)
        run.check()
        return run.answer()


class _Run:
    """One file and its answer."""

    def __init__(self, job: CsvJob, file: IO[bytes], spool: IO[bytes]) -> None:
        names = [feature.name for feature in job.contract.features]
        self._job, self._spool = job, spool
        self._file = CsvFile(file, names, job.max_line_characters)
        self._writer = AnswerWriter(
            job.contract,
            job.example,
            self._file.header,
            self._file.delimiter,
            keeps_bad_rows=job.keep_bad_rows,
            max_described=MAX_DESCRIBED_ROWS,
            has_bom=self._file.has_bom,
        )
        appended = self._writer.appended
        if problems := header_problems(self._file.header, names, appended, self._file.line):
            raise BadFile(problems)
        self._spooled = AnswerFile(spool, self._writer, can_warn=job.find_warnings is not None)
        self._reader = RowReader(job.contract, self._file.header)
        self._chunk_size = ChunkSize(max_rows=max_chunk_rows(job.contract, MAX_CHUNK_ROWS))
        self._row_count = self._spooled_count = self._missing_cell_count = 0
        self._progress = Progress()

    def check(self) -> None:
        """Read the whole file. Raises BadFile, TooManyRows, TimedOut, and InvalidRows for all rows.

        Rows are predicted meanwhile, so that for a fast model the file is read once. A slow model
        is not waited for: the platform wants a first byte in time.
        """
        problems = Problems()
        started_at = time.monotonic()
        size = ChunkSize(self._chunk_size.rows)
        for chunk in self._file.chunks(size):
            self._job.on_progress(self._progress)
            self._row_count = chunk.last
            if self._row_count > self._job.max_rows:
                limit = f"At most {self._job.max_rows} rows a CSV; send it in parts."
                raise TooManyRows(limit)
            seconds = time.monotonic() - started_at
            if seconds > self._job.check_seconds:
                raise TimedOut(self._job.check_seconds)
            is_early = (
                not problems and seconds < EARLY_SECONDS and self._spool.tell() < MAX_EARLY_BYTES
            )
            if self._job.keep_bad_rows:
                self._require_few_missing_cells(chunk)
            if is_early:
                self._predict_early(chunk, problems)
                size.rows = self._chunk_size.rows
                continue
            size.rows = MAX_CHUNK_ROWS
            self._check_late(chunk, problems)
            if problems.total > MAX_COUNTED_PROBLEMS:
                problems.is_complete = False
                break
        self._spool.flush()  # a full disk is noticed before the answer begins
        if self._row_count == 0:
            raise bad_file("the file has no rows below its header", self._file.line)
        if problems:
            raise InvalidRows(problems)
        self._progress.row_count = self._row_count
        self._job.on_progress(self._progress)

    def answer(self) -> Generator[bytes, None, None]:
        """Yield the answer in parts. Raises InvalidRows if the model fails on a row."""
        yield self._writer.header()
        places = self._spooled.places if self._writer.has_warnings else ()
        yield from with_empty_cells(self._spool, places, self._file.delimiter)
        if self._spooled_count < self._row_count:
            for chunk in self._file.chunks(self._chunk_size, skip=self._spooled_count):
                lines = self._predict(chunk, self._reader.parse(chunk))
                yield encode_lines(lines.joined())

    def _check_late(self, chunk: Chunk, problems: Problems) -> None:
        """Add what is wrong with the rows of a chunk that is predicted later."""
        finds_warnings = self._job.find_warnings is not None and not self._writer.has_warnings
        if self._job.keep_bad_rows and not finds_warnings:
            return
        parsed = self._reader.parse(chunk)
        if not self._job.keep_bad_rows:
            add_problems(problems, parsed, chunk)
        if finds_warnings:
            self._find_warnings(parsed)

    def _find_warnings(self, parsed: Parsed) -> PlacedWarnings:
        """Return the warnings of a chunk by place; the first ones bring a column for them."""
        if self._job.find_warnings is None:
            return {}
        found = self._job.find_warnings(parsed.batch)
        self._writer.has_warnings = self._writer.has_warnings or bool(found)
        return parsed.placed(found)

    def _require_few_missing_cells(self, chunk: Chunk) -> None:
        """Raise BadFile if short rows lack more cells than an answer can make up for."""
        width = len(self._file.header)
        malformed = chunk.malformed.values()
        self._missing_cell_count += sum(max(width - len(cells), 0) for cells in malformed)
        if self._missing_cell_count > MAX_MISSING_CELLS:
            message = (
                f"the rows up to here have {MAX_MISSING_CELLS:,} cells less than the header; "
                "complete them, or send the file in parts"
            )
            raise bad_file(message, chunk.lines[-1])

    def _predict_early(self, chunk: Chunk, problems: Problems) -> None:
        """Write the answer to a chunk into the spool, or add what is wrong with its rows."""
        parsed = self._reader.parse(chunk)
        if parsed.rejections and not self._job.keep_bad_rows:
            add_problems(problems, parsed, chunk)
            return
        try:
            lines = self._predict(chunk, parsed)
        except InvalidRows as error:
            problems.extend(error.problems)
            return
        self._spooled.write(lines)
        self._spooled_count = chunk.last

    def _predict(self, chunk: Chunk, parsed: Parsed) -> AnswerLines:
        """Return the lines of a chunk with its predictions."""
        started_at = time.monotonic()
        try:
            predictions, failing = self._job.predict(parsed.batch)
        except InvalidRows as error:
            problems = Problems(
                chunk.problem(p.row - chunk.first, p.feature, p.message, p.reason)
                for p in error.problems
                if p.row is not None
            )
            problems.is_complete = error.problems.is_complete
            raise InvalidRows(problems) from error
        warnings = self._find_warnings(parsed)
        if failing:
            parsed = parsed.without(failing, MODEL_FAILS)
            warnings = {place: w for place, w in warnings.items() if place not in parsed.rejections}
        self._job.on_warnings(chain.from_iterable(warnings.values()))
        lines = self._writer.lines(chunk, parsed, predictions, warnings)
        if self._job.keep_bad_rows:
            self._job.on_rejected(parsed.counts)
        self._chunk_size.adapt(len(chunk), time.monotonic() - started_at)
        self._progress.done += len(chunk)
        self._progress.rejected += len(parsed.rejections)
        self._job.on_progress(self._progress)
        return lines
