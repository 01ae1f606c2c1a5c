"""`.sample.csv`: rows of the sample that stay on this machine, for what verify computes of them.

git, the slug and the image leave it out. It is a CSV as /predict takes it; if the sample has the
column that the model predicts, that is its last column, and its name begins with TARGET.
"""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_service.contract.batch import Batch
from model_service.contract.contract import Contract
from model_service.contract.json_values import Row, json_text
from model_service.contract.parsing import parse_rows
from model_service.contract.problems import Invalid
from model_service.contract.snippets import csv_text
from model_service.contract.typed_text import request_value
from workbench import files
from workbench.adopt.csv.sample import Sample, read_sample
from workbench.adopt.csv.sample_rows import decoded_values, rows_of
from workbench.errors import UserError

MAX_KEPT_ROWS = 2000
TARGET = "target: "


@dataclass(frozen=True)
class Truths:
    """Rows of the sample, and for each of them the cell of the column that the model predicts."""

    target: str
    rows: list[Row]
    cells: list[str]


def rows_to_keep(contract: Contract, sample: Sample, target: str | None = None) -> list[Row]:
    """Return at most MAX_KEPT_ROWS rows of a sample that the contract takes, and their targets."""
    batch = parse_rows(contract, rows_of(contract, sample, sample.rows))
    rows = batch.rows()
    if target is not None:
        cells = (_cell(sample, target, number) for number in batch.row_numbers)
        rows = [{**row, f"{TARGET}{target}": cell} for row, cell in zip(rows, cells, strict=True)]
    return rows[:: -(-len(rows) // MAX_KEPT_ROWS) or 1]


def _cell(sample: Sample, name: str, row_number: int) -> str:
    value, column = sample.rows[row_number - 1].get(name), sample.columns[name]
    if value is None:
        return ""
    if sample.typed:
        return json_text(value)
    return column.plain(value) if column.numeric else value


def kept_sample_text(contract: Contract, path: Path, target: str | None = None) -> str:
    """Return the content of `.sample.csv` for another sample. Raises UserError."""
    columns = (name for f in contract.features for name in (f.one_hot or {}).values())
    sample = read_sample(path).with_names_of([*contract.by_name, *columns])
    rows = rows_to_keep(contract, sample, target if target in sample.columns else None)
    if not rows:
        raise UserError(f"{path} has no row that {files.FEATURES} takes; give rows that fit.")
    return csv_text(rows)


def read_kept_sample(contract: Contract, project: Path, max_rows: int = MAX_KEPT_ROWS) -> list[Row]:
    """Return the rows of `.sample.csv` that the contract takes; none if there is no such file.

    Of more than `max_rows` some at equal distances are read.
    """
    records = _read_records(project)
    count = min(max_rows, len(records))
    chosen = [records[number * len(records) // count] for number in range(count)]
    return _batch(contract, chosen).rows()


def read_truths(contract: Contract, project: Path) -> Truths | None:
    """Return the rows of `.sample.csv` with their targets; None if it has none."""
    records = _read_records(project)
    column = next((n for n in (records[0] if records else {}) if n.startswith(TARGET)), None)
    if column is None or column in contract.by_name:
        return None
    batch = _batch(contract, records)
    cells = [records[number - 1][column] for number in batch.row_numbers]
    return Truths(column.removeprefix(TARGET), batch.rows(), cells)


def _read_records(project: Path) -> list[dict[str, str]]:
    path = project / files.KEPT_SAMPLE
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _batch(contract: Contract, records: Sequence[Mapping[str, str]]) -> Batch:
    return parse_rows(contract, list(_typed_rows(contract, records)))


def _typed_rows(contract: Contract, records: Sequence[Mapping[str, str]]) -> Iterator[Row]:
    """Yield each record as a row of the contract, which can have been edited since."""
    for record in records:
        row: Row = {}
        for feature in contract.features:
            with contextlib.suppress(Invalid, KeyError):
                value = request_value(feature, record[feature.name])
                row[feature.name] = value  # type: ignore[assignment]  # parse_rows judges it
        yield {**row, **decoded_values(record, contract)}
