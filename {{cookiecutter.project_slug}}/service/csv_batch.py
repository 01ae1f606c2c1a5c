"""A CSV of rows in, the same CSV with the predictions out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from service.cells import value_of
from service.contract import (
    MAX_SUGGESTIONS,
    Contract,
    Feature,
    Invalid,
    Problem,
    Row,
    Suggestions,
    nearest,
)
from service.csv_input import FIRST_ROWS, MAX_ROWS, Chunk, CsvFile, Pace
from service.csv_output import answer_columns, cells_of, free_name, neutral, neutral_all, written
from service.errors import MAX_ERRORS, RequestProblem, does_not_fit
from service.serving import MODEL_FAILS

Predict = Callable[[Sequence[Row]], Sequence[dict[str, Any] | None]]

# How much is remembered of what cells stand for.
MEMO_CELLS, MEMO_LENGTH = 100_000, 40
# Among how many columns a missing one is looked for.
MAX_OTHERS = 1000


@dataclass(frozen=True)
class Parsed:
    """A chunk as the contract reads it, by place: the good rows, and what is wrong with others."""

    rows: dict[int, Row]
    problems: dict[int, list[Problem]]


class Batch:
    """A file that was checked: with `keep` its bad rows are answered with what is wrong.

    `example` is an answer of the model, which has the shape of all.
    """

    def __init__(
        self, file: BinaryIO, contract: Contract, example: Mapping[str, Any], keep: bool
    ) -> None:
        names = [feature.name for feature in contract.features]
        self._keep = keep
        self._appended = answer_columns(contract.output, example, names)
        self._error = free_name("error", {*names, *self._appended})
        self._file = CsvFile(file, names)
        columns = (*self._appended, self._error) if keep else (*self._appended,)
        if problems := list(_header_problems(self._file.header, names, columns)):
            line = self._file.line
            raise does_not_fit([Problem(None, name, text, line) for name, text in problems])
        suggestions = Suggestions(names)
        self._memos = [
            _Memo(feature, suggestions, MEMO_CELLS // len(names)) for feature in contract.features
        ]
        self._places = [self._file.header.index(name) for name in names]

    def check(self, max_rows: int) -> None:
        """Read the whole file. Raises RequestProblem with all that is wrong with it."""
        problems: list[Problem] = []
        total = rows = 0
        for chunk in self._file.chunks(Pace(MAX_ROWS)):
            rows += len(chunk.records)
            if rows > max_rows:
                limit = f"At most {max_rows} rows a CSV; send it in parts."
                raise RequestProblem(413, "Too many rows", limit)
            if not self._keep:
                found = [p for of_row in self._parse(chunk).problems.values() for p in of_row]
                problems += found[: MAX_ERRORS - len(problems)]
                total += len(found)
        if rows == 0:
            empty = Problem(None, None, "the file has no rows below its header", self._file.line)
            raise does_not_fit([empty])
        if problems:
            raise does_not_fit(problems, total)

    def answers(self, predict: Predict) -> Generator[bytes, None, None]:
        """Yield the answer in parts. Raises RequestProblem where `predict` does."""
        header = [*self._file.header, *self._appended, *([self._error] if self._keep else [])]
        yield written([neutral_all(header)], self._file.delimiter, self._file.has_bom)
        pace = Pace(FIRST_ROWS)
        for chunk in self._file.chunks(pace):
            started = time.monotonic()
            yield written(self._answered(chunk, predict), self._file.delimiter)
            pace.took(len(chunk.records), time.monotonic() - started)

    def _answered(self, chunk: Chunk, predict: Predict) -> Iterator[list[object]]:
        parsed = self._parse(chunk)
        try:
            answers = dict(zip(parsed.rows, predict([*parsed.rows.values()]), strict=True))
        except RequestProblem as problem:
            places = list(parsed.rows)
            found = [
                chunk.problem(places[(p.row or 1) - 1], p.feature, p.message)
                for p in problem.errors
            ]
            raise RequestProblem(problem.status, problem.title, problem.detail, found) from problem
        width, paths = len(self._file.header), list(self._appended.values())
        for place, record in enumerate(chunk.records):
            answer = answers.get(place)
            cells = (record + [""] * (width - len(record)))[:width]
            row: list[object] = [*neutral_all(cells), *cells_of(answer, paths)]
            if self._keep:
                problems = parsed.problems.get(place, [])
                if not problems and answer is None:
                    problems = [chunk.problem(place, None, MODEL_FAILS)]
                reasons = (" ".join(filter(None, (p.feature, p.message))) for p in problems)
                row.append(neutral("; ".join(reasons)))
            yield row

    def _parse(self, chunk: Chunk) -> Parsed:
        width = len(self._file.header)
        problems: dict[int, list[Problem]] = {}
        whole = [place for place, cells in enumerate(chunk.records) if len(cells) == width]
        if len(whole) < len(chunk.records):
            for place, cells in enumerate(chunk.records):
                if len(cells) != width:
                    message = f"the row has {len(cells)} cells and the header {width}"
                    problems[place] = [chunk.problem(place, None, message)]
        columns = []
        for memo, number in zip(self._memos, self._places, strict=True):
            column = [memo[chunk.records[place][number]] for place in whole]
            if Invalid in map(type, column):
                for place, value in zip(whole, column, strict=True):
                    if isinstance(value, Invalid):
                        problem = chunk.problem(place, memo.feature.name, str(value))
                        problems.setdefault(place, []).append(problem)
            columns.append(column)
        names = [memo.feature.name for memo in self._memos]
        rows = {
            place: dict(zip(names, values, strict=True))
            for place, *values in zip(whole, *columns, strict=True)
            if place not in problems
        }
        return Parsed(rows, dict(sorted(problems.items())))


class _Memo(dict[str, Any]):
    """The values, or the Invalid, that cells of one feature stand for; a bounded number."""

    def __init__(self, feature: Feature, suggestions: Suggestions, most: int) -> None:
        super().__init__()
        self.feature, self._suggestions, self._most = feature, suggestions, most

    def __missing__(self, text: str) -> Any:
        value: object = text
        try:
            value = value_of(self.feature, text)
            found: object = self.feature.parse(value)
        except Invalid as error:
            found = Invalid(str(error) + self._suggestions.for_value(value, self.feature))
        if len(self) < self._most and len(text) <= MEMO_LENGTH:
            self[text] = found
        return found


def _header_problems(
    header: Sequence[str], features: Sequence[str], appended: Sequence[str]
) -> Iterator[tuple[str, str]]:
    counts = Counter(header)
    for name, count in counts.items():
        # A spreadsheet leaves columns without a name behind the last one.
        if name and count > 1:
            yield name, "is there twice; each column needs a name of its own"
    for name in appended:
        if name in counts:
            yield name, "is what the answer calls a column that it appends; rename yours"
    others = list(counts.keys() - set(features))[:MAX_OTHERS]
    missing = [name for name in features if name not in counts]
    for number, name in enumerate(missing):
        near = nearest(name, others) if number < MAX_SUGGESTIONS else None
        hint = f"; did you mean the column {near}?" if near is not None else ""
        yield name, f"is missing{hint}"
