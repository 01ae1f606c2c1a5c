"""Run by tests where pyarrow is: `write CSV PARQUET ROWS_A_GROUP`, or `read PARQUET` as JSON."""

from __future__ import annotations

import json
import sys

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq


def write(source: str, target: str, rows: str) -> None:
    texts = ("dependents", "id")
    options = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(texts, pa.string()), strings_can_be_null=True, null_values=[""]
    )
    table = pyarrow.csv.read_csv(source, convert_options=options)
    pq.write_table(table, target, row_group_size=int(rows))


def read(source: str) -> None:
    table = pq.read_table(source)
    types = {field.name: str(field.type) for field in table.schema}
    print(json.dumps({"types": types, "rows": table.to_pylist()}))


{"write": write, "read": read}[sys.argv[1]](*sys.argv[2:])
