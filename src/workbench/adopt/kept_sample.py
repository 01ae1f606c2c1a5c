"""`.sample.csv`: rows of the sample that stay on this machine, for what verify computes of them.

git, the slug and the image leave it out. It is a CSV as /predict takes it.
"""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from model_service.contract.contract import Contract, Row
from model_service.contract.parsing import parse_rows
from model_service.contract.problems import Invalid
from model_service.contract.snippets import csv_text
from model_service.contract.typed_text import request_value
from workbench import files
from workbench.adopt.sample import Sample, read_sample
from workbench.adopt.sample_rows import decoded_values, rows_of
from workbench.errors import UserError

MAX_KEPT_ROWS = 2000


def rows_to_keep(contract: Contract, sample: Sample) -> list[Row]:
    """Return at most MAX_KEPT_ROWS rows of a sample that the contract takes."""
    rows = parse_rows(contract, rows_of(contract, sample, sample.rows)).rows()
    return rows[:: -(-len(rows) // MAX_KEPT_ROWS) or 1]


def kept_sample_text(contract: Contract, path: Path) -> str:
    """Return the content of `.sample.csv` for another sample. Raises UserError."""
    rows = rows_to_keep(contract, read_sample(path))
    if not rows:
        raise UserError(f"{path} has no row that {files.FEATURES} takes; give rows that fit.")
    return csv_text(rows)


def read_kept_sample(contract: Contract, project: Path, max_rows: int = MAX_KEPT_ROWS) -> list[Row]:
    """Return the rows of `.sample.csv` that the contract takes; none if there is no such file.

    Of more than `max_rows` some at equal distances are read.
    """
    path = project / files.KEPT_SAMPLE
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    records = list(csv.DictReader(io.StringIO(text, newline="")))
    count = min(max_rows, len(records))
    chosen = [records[number * len(records) // count] for number in range(count)]
    return parse_rows(contract, list(_typed_rows(contract, chosen))).rows()


def _typed_rows(contract: Contract, records: Sequence[Mapping[str, str]]) -> Iterator[Row]:
    """Yield each record as a row of the contract, which can have been edited since."""
    for record in records:
        row: Row = {}
        for feature in contract.features:
            with contextlib.suppress(Invalid, KeyError):
                value = request_value(feature, record[feature.name])
                row[feature.name] = value  # type: ignore[assignment]  # parse_rows judges it
        yield {**row, **decoded_values(record, contract)}
