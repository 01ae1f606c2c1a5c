"""A CSV of rows in, the same CSV with the predictions out."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import IO, Any

from model_service.contract.contract import Batch, Contract, Problem
from model_service.csv.reader import Chunk, CsvFile, Pace
from model_service.csv.rows import Parsed, RowReader, header_problems
from model_service.csv.writer import (
    answer_columns,
    cells_at,
    free_name,
    neutral,
    neutral_all,
    written,
)
from model_service.model.predictions import Prediction
from model_service.web.current import MODEL_FAILS
from model_service.web.errors import MAX_ERRORS, RequestProblem, does_not_fit

# An answer for each row, None where the model fails on it; or a RequestProblem.
Predict = Callable[[Batch], Sequence[Prediction | None]]

# How long rows are predicted while others are still to be checked, and how much they may make.
EARLY_SECONDS, EARLY_BYTES = 5.0, 1 << 25


class CsvJob:
    """A file and its answer; with `keep` bad rows are answered with what is wrong.

    `made` is an empty file for answers that are made before they can be sent. `example` is an
    answer of the model, which has the shape of all; `rejected` is told what is wrong with rows that
    are kept; a record has at most `longest` characters. Raises RequestProblem for a bad header.
    """

    def __init__(
        self,
        file: IO[bytes],
        made: IO[bytes],
        contract: Contract,
        example: Mapping[str, Any],
        predict: Predict,
        keep: bool,
        rejected: Callable[[Sequence[Problem]], None],
        longest: int,
    ) -> None:
        names = [feature.name for feature in contract.features]
        appended = answer_columns(contract.output, example, names)
        self._paths = list(appended.values())
        self._appended = [*appended, *([free_name("error", {*names, *appended})] if keep else [])]
        self._made, self._predict, self._keep, self._rejected = made, predict, keep, rejected
        self._file = CsvFile(file, names, longest)
        problems = list(header_problems(self._file.header, names, self._appended))
        if problems:
            line = self._file.line
            raise does_not_fit([Problem(None, name, text, line) for name, text in problems])
        self._reader = RowReader(contract, self._file.header)
        self._pace = Pace()
        self._rows = self._rows_made = 0

    def check(self, max_rows: int) -> None:
        """Read the whole file. Raises RequestProblem with all that is wrong with it.

        Rows are predicted meanwhile, so that a fast model reads its file once and refuses a row
        before anything is sent. A slow one is not waited for: the platform wants a first byte.
        """
        problems: list[Problem] = []
        total = 0
        header = [[neutral(name)] for name in (*self._file.header, *self._appended)]
        self._made.write(codecs.BOM_UTF8 * self._file.has_bom)
        self._made.write(written(header, self._file.delimiter))
        until = time.monotonic() + EARLY_SECONDS
        for chunk in self._file.chunks(self._pace):
            self._rows = chunk.last
            if self._rows > max_rows:
                limit = f"At most {max_rows} rows a CSV; send it in parts."
                raise RequestProblem(413, "Too many rows", limit)
            early = not total and time.monotonic() < until and self._made.tell() < EARLY_BYTES
            found = self._early(chunk) if early else self._problems(chunk)
            problems += found[: MAX_ERRORS - len(problems)]
            total += len(found)
        self._made.flush()  # a full disk is told before the answer begins
        if self._rows == 0:
            message = "the file has no rows below its header"
            raise does_not_fit([Problem(None, None, message, self._file.line)])
        if problems:
            raise does_not_fit(problems, total)

    def answer(self) -> Generator[bytes, None, None]:
        """Yield the answer in parts. Raises RequestProblem where the model fails on a row."""
        self._made.seek(0)
        while part := self._made.read(1 << 16):
            yield part
        if self._rows_made < self._rows:
            for chunk in self._file.chunks(self._pace, skip=self._rows_made):
                yield self._answered(chunk, self._reader.parse(chunk))

    def _early(self, chunk: Chunk) -> Sequence[Problem]:
        """Make an answer that waits to be sent, or return what is wrong."""
        parsed = self._reader.parse(chunk)
        if parsed.problems and not self._keep:
            return _all(parsed)
        try:
            self._made.write(self._answered(chunk, parsed))
        except RequestProblem as problem:
            if not problem.errors:
                raise
            return problem.errors
        self._rows_made = chunk.last
        return []

    def _problems(self, chunk: Chunk) -> Sequence[Problem]:
        return [] if self._keep else _all(self._reader.parse(chunk))

    def _answered(self, chunk: Chunk, parsed: Parsed) -> bytes:
        started = time.monotonic()
        try:
            predicted = self._predict(parsed.batch)
        except RequestProblem as problem:
            found = [
                chunk.problem(p.row - chunk.first, p.feature, p.message, p.reason)
                for p in problem.errors
                if p.row is not None
            ]
            raise RequestProblem(problem.status, problem.title, problem.detail, found) from problem
        answers = predicted
        if parsed.problems:
            by_place = dict(zip(parsed.places, predicted, strict=True))
            answers = [by_place.get(place) for place in range(len(chunk.records))]
        width = len(self._file.header)
        fitting = (
            cells if len(cells) == width else [*cells, *[""] * width][:width]
            for cells in chunk.records
        )
        columns = [
            *map(neutral_all, zip(*fitting, strict=True)),
            *(cells_at(answers, path) for path in self._paths),
        ]
        if self._keep:
            self._rejected(_all(parsed))
            columns.append(
                [_reasons(parsed, place, answers[place]) for place in range(len(answers))]
            )
        self._pace.took(len(chunk.records), time.monotonic() - started)
        return written(columns, self._file.delimiter)


def _all(parsed: Parsed) -> list[Problem]:
    return [problem for of_row in parsed.problems.values() for problem in of_row]


def _reasons(parsed: Parsed, place: int, answer: object) -> str:
    if place not in parsed.problems:
        return MODEL_FAILS if answer is None else ""
    found = parsed.problems[place]
    return neutral("; ".join(" ".join(filter(None, (p.feature, p.message))) for p in found))
