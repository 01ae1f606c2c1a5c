"""Parquet in and out, by pyarrow: which only this module imports, where a file is Parquet."""

from __future__ import annotations

import datetime
import decimal
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from model_service.batch.parsed import ParsedColumn, coded_column, combine
from model_service.batch.parsing import ValueReader, is_plain_number, parse_numbers
from model_service.batch.scorer import Scored, Scorer
from model_service.contract.json_values import json_text
from model_service.contract.parsing import Suggestions
from model_service.csv.answer import AnswerLines, AnswerWriter, error_cells, warning_cells
from model_service.csv.answer_file import AnswerFile
from model_service.csv.part import PartReport, scored_chunks
from model_service.csv.reader import max_chunk_rows
from model_service.csv.writer import csv_lines, escape_formula, escape_formulas, quoted_cells
from model_service.model.model import Model
from model_service.model.predictions import Path as ValuePath
from model_service.model.predictions import Prediction, values_at
from workbench.errors import UserError
from workbench.score.job import Job, Part, Source

BATCH_ROWS = 1 << 16

Answers = Sequence[Prediction | None]
# Columns of the input, and what came of them.
ScoredBatch = tuple[Any, Scored]


def column_names(source: Source) -> tuple[str, ...]:
    """Return the columns of a Parquet file. Raises UserError."""
    return tuple(_opened(source).schema_arrow.names)


def _opened(source: Source) -> Any:
    try:
        return pq.ParquetFile(source.path)
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(f"{source.path} cannot be read as Parquet: {error}") from None


def row_groups(source: Source, rows: int) -> Iterator[tuple[int, int, int]]:
    """Yield ranges of row groups of at least so many rows, and their size in bytes."""
    metadata = _opened(source).metadata
    start = found = size = 0
    for group in range(metadata.num_row_groups):
        found += metadata.row_group(group).num_rows
        size += metadata.row_group(group).total_byte_size
        if found >= rows or group == metadata.num_row_groups - 1:
            yield start, group + 1, size
            start, found, size = group + 1, 0, 0
    if metadata.num_row_groups == 0:
        yield 0, 0, 0


def score(scorer: Scorer, job: Job, part: Part, report: PartReport, path: Path) -> Sequence[int]:
    """Score a part whose input or output is Parquet, into a file.

    Return where the lines of a CSV have no cell for warnings.
    """
    _take_python_strings(scorer.model)
    columns = _Columns.of(scorer, job, part)
    scored_batches = _scored_csv if job.headers[part.source] is not None else _scored_parquet
    with path.open("wb") as file:
        make_writer = _ArrowWriter if job.writes_parquet else _CsvWriter
        writer = make_writer(columns, file)
        for batch, scored in scored_batches(scorer, job, part, report):
            if job.on_error == "stop" and report.first is not None:
                break
            writer.write(columns.answered(batch, scored))
        return writer.close()


def _take_python_strings(model: Model) -> None:
    """Let pandas keep texts as in the service, where there is no pyarrow to keep them in."""
    if model.manifest.input == "frame" and (model.fast_path is None or model.stages):
        import pandas as pd  # noqa: PLC0415  # 60 MB that other models do not need

        pd.set_option("mode.string_storage", "python")


def _scored_csv(scorer: Scorer, job: Job, part: Part, report: PartReport) -> Iterator[ScoredBatch]:
    header = job.headers[part.source]
    assert header is not None
    with Path(job.sources[part.source].path).open("rb") as file:
        layout = header.layout(part)
        for chunk, scored in scored_chunks(scorer, file, layout, part.end, report):
            arrays = [pa.array(column, pa.string()) for column in chunk.columns]
            batch = pa.RecordBatch.from_arrays(arrays, names=list(header.names))
            if chunk.malformed:  # they have no cells for these columns
                batch = _with_malformed(batch, len(chunk), chunk.places)
            yield batch, scored


def _with_malformed(batch: Any, row_count: int, places: Sequence[int]) -> Any:
    """Return a batch with a row of nulls in the place of each malformed record."""
    indices: list[int | None] = [None] * row_count
    for position, place in enumerate(places):
        indices[place] = position
    return batch.take(pa.array(indices, pa.int64()))


def _scored_parquet(
    scorer: Scorer, job: Job, part: Part, report: PartReport
) -> Iterator[ScoredBatch]:
    contract = scorer.model.contract
    suggestions = Suggestions(contract.by_name)
    readers = {f.name: ValueReader(f, suggestions, json_value) for f in contract.features}
    batches = _opened(job.sources[part.source]).iter_batches(
        batch_size=max_chunk_rows(contract, BATCH_ROWS),
        row_groups=list(range(part.start, part.end)),
        use_threads=False,
    )
    first = 1
    for batch in batches:
        columns = {
            name: parse_array(batch.column(name), reader) for name, reader in readers.items()
        }
        scored = scorer.score(combine(columns, range(batch.num_rows), first, {}))
        report.add(first, batch.num_rows, scored, lambda _: None)
        yield batch, scored
        first += batch.num_rows


def parse_array(array: Any, reader: ValueReader) -> ParsedColumn:
    """Return the values of an Arrow array as the model meets them, and what is wrong with some."""
    if is_plain_number(reader.feature) and _is_number(array.type):
        numbers = array.to_numpy(zero_copy_only=False).astype(np.float64)
        return parse_numbers(numbers, reader, lambda place: json_value(array[place].as_py()))
    codes, distinct = _encoded(array)
    return coded_column(reader.feature.name, codes, list(map(reader.read, distinct)))


def _is_number(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _encoded(array: Any) -> tuple[Any, list[Any]]:
    """Return an array as codes into its distinct values."""
    if not pa.types.is_dictionary(array.type):
        try:
            array = array.dictionary_encode(null_encoding="encode")
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # lists and objects: none is valid
            return np.arange(len(array)), array.to_pylist()
    distinct = array.dictionary.to_pylist()
    indices = array.indices
    if indices.null_count:
        indices = indices.cast(pa.int64()).fill_null(len(distinct))
        distinct.append(None)
    return indices.to_numpy(zero_copy_only=False).astype(np.intp, copy=False), distinct


def json_value(value: Any) -> object:
    """Return a value of a Parquet file as a JSON request would hold it."""
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime.datetime):
        is_midnight = value.tzinfo is None and value.time() == datetime.time()
        return (value.date() if is_midnight else value).isoformat()
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, bytes):  # texts of programs that do not mark them as such
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value


@dataclass(frozen=True)
class _Answered:
    """The rows that are written, and what stands beside them; of a bad row there is no answer."""

    batch: Any
    answers: Answers
    warnings: Sequence[str]
    errors: Sequence[str] | None  # None: there is no column for them


@dataclass(frozen=True)
class _Columns:
    """The columns that are written: some of the input's, and those of the answer with types."""

    writer: AnswerWriter  # which knows their names
    copied: tuple[str, ...] | None
    answers: Mapping[str, tuple[ValuePath, Any]]
    keeps_bad_rows: bool
    can_warn: bool
    delimiter: str
    schema: Any  # of all columns of a part that is Parquet

    @classmethod
    def of(cls, scorer: Scorer, job: Job, part: Part) -> _Columns:
        header = job.headers[part.source]
        if header is None:
            schema = _opened(job.sources[part.source]).schema_arrow.remove_metadata()
        else:
            schema = pa.schema([(name, pa.string()) for name in header.names])
        keeps, model = job.on_error == "keep", scorer.model
        writer = AnswerWriter(
            model.contract, scorer.example, schema.names, ",", keeps_bad_rows=keeps
        )
        if job.columns is not None:
            schema = pa.schema([schema.field(name) for name in job.columns])
        answers = {name: (path, _type_of(path, model)) for name, path in writer.answers.items()}
        for name, (_, kind) in answers.items():
            schema = schema.append(pa.field(name, kind))
        texts = [writer.warnings] if scorer.can_warn else []
        texts += writer.appended[-1:] if keeps else []
        for name in texts:
            schema = schema.append(pa.field(name, pa.string()))
        return cls(writer, job.columns, answers, keeps, scorer.can_warn, job.delimiter, schema)

    def answered(self, batch: Any, scored: Scored) -> _Answered:
        """Return the rows that are written."""
        parsed, answers = scored.parsed, scored.predictions
        if self.copied is not None:
            batch = batch.select(list(self.copied))
        if not self.keeps_bad_rows:
            kept = batch if not parsed.rejections else batch.take(pa.array(parsed.places))
            return _Answered(kept, answers, warning_cells(scored.warnings, parsed.places), None)
        every_place = range(batch.num_rows)
        warnings = warning_cells(scored.warnings, every_place)
        errors = error_cells(parsed, batch.num_rows)
        if not parsed.rejections:
            return _Answered(batch, answers, warnings, errors)
        by_place = dict(zip(parsed.places, answers, strict=True))
        return _Answered(batch, [by_place.get(place) for place in every_place], warnings, errors)


def _type_of(path: ValuePath, model: Model) -> Any:
    """Return the Arrow type of a column of the answer."""
    if path[0] == "probabilities":
        return pa.float64()
    task = model.manifest.task
    if path[0] == "label" or task.kind == "classification":
        classes = task.classes if path[0] == "prediction" and len(path) == 1 else None
        types = set(map(type, classes or ("",)))
        return _CLASS_TYPES[types.pop()] if len(types) == 1 else pa.string()
    return pa.float64() if task.kind == "regression" else pa.int64()


_CLASS_TYPES: Mapping[type, Any] = {
    str: pa.string(),
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
}


class _ArrowWriter:
    """Writes rows as an Arrow file, with a column for warnings if there can be any."""

    def __init__(self, columns: _Columns, file: Any) -> None:
        self._columns, self._stream = columns, pa.ipc.new_file(file, columns.schema)

    def write(self, rows: _Answered) -> None:
        """Write some rows."""
        if not rows.batch.num_rows:
            return
        arrays = list(rows.batch.columns)
        for path, kind in self._columns.answers.values():
            arrays.append(_array(values_at(rows.answers, path), kind))
        texts = [rows.warnings] if self._columns.can_warn else []
        for cells in texts if rows.errors is None else [*texts, rows.errors]:
            arrays.append(_texts(cells))
        batch = pa.RecordBatch.from_arrays(arrays, schema=self._columns.schema)
        self._stream.write_batch(batch)

    def close(self) -> Sequence[int]:
        """End the file; there are no lines in it."""
        self._stream.close()
        return ()


def _texts(cells: Sequence[str]) -> Any:
    """Return cells as an array, in which an empty one is missing."""
    if not any(cells):
        return pa.nulls(len(cells), pa.string())
    return pa.array([cell or None for cell in cells], pa.string())


def _array(values: list[Any], kind: Any) -> Any:
    if kind == pa.string() and not set(map(type, values)) <= {str, type(None)}:
        values = [v if v is None or isinstance(v, str) else json_text(v) for v in values]
    return pa.array(values, kind)


class _CsvWriter:
    """Writes rows as the lines of a CSV."""

    def __init__(self, columns: _Columns, file: Any) -> None:
        self._columns = columns
        self._file = AnswerFile(file, columns.writer, can_warn=columns.can_warn)

    def write(self, rows: _Answered) -> None:
        """Write some rows."""
        if not rows.batch.num_rows:
            return
        columns, delimiter = self._columns, self._columns.delimiter
        cells = [escape_formulas(_cells(column)) for column in rows.batch.columns]
        cells += [_answer_cells(rows.answers, path) for path, _ in columns.answers.values()]
        writer = columns.writer
        writer.has_warnings = writer.has_warnings or any(rows.warnings)
        if writer.has_warnings:
            cells.append(rows.warnings)
        errors = [delimiter + cell for cell in quoted_cells(rows.errors or (), delimiter)]
        self._file.write(AnswerLines(csv_lines(cells, delimiter), errors))

    def close(self) -> Sequence[int]:
        """Return where the lines have no cell for warnings."""
        return self._file.places


def _answer_cells(answers: Answers, path: ValuePath) -> list[str]:
    values = values_at(answers, path)
    return ["" if value is None else escape_formula(json_text(value)) for value in values]


def _cells(array: Any) -> list[str]:
    """Return the values of an Arrow array as cells of a CSV; a missing one is empty."""
    return ["" if v is None else json_text(v) for v in map(_cell_value, array.to_pylist())]


def _cell_value(value: Any) -> Any:
    value = json_value(value)
    return (
        value if value is None or isinstance(value, (str, int, float, list, dict)) else str(value)
    )


def join(
    paths: Sequence[Path], output: Path, answers: Sequence[str], dropped: Sequence[str]
) -> None:
    """Write the parts of a run as one Parquet file, without some columns.

    `answers` are the numbers among the columns of the answer.
    """
    writer = None
    try:
        for path in paths:
            with pa.memory_map(str(path)) as file:
                table = pa.ipc.open_file(file).read_all()
                table = table.select([n for n in table.column_names if n not in dropped])
                if writer is None:
                    # Numbers that are all different gain nothing by a dictionary.
                    coded = [name for name in table.schema.names if name not in answers]
                    writer = pq.ParquetWriter(output, table.schema, use_dictionary=coded)
                if table.num_rows:
                    writer.write_table(table.cast(writer.schema))
    finally:
        if writer is not None:
            writer.close()
