"""Run by test_parquet.py where pyarrow is: Arrow columns read at once and value by value.

Prints the number of columns that were compared.
"""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from model_service.batch.parsing import ValueReader
from model_service.contract.batch import Coded, listed
from model_service.contract.contract import Feature
from model_service.contract.parsing import Suggestions
from workbench.score.arrow import json_value, parse_array

DAY, NOON = datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 12)
MIDNIGHT = datetime.datetime(2024, 2, 29)
TYPES: dict[Any, list[Any]] = {
    pa.int8(): [0, 1, -3, None],
    pa.int64(): [0, 1, 2**53 + 1, -(2**63), None],
    pa.uint64(): [0, 5, 2**63, 2**64 - 1, None],
    pa.float16(): [0.0, 1.5, None],
    pa.float32(): [0.0, 0.1, float("nan"), float("inf"), None],
    pa.float64(): [0.0, -0.0, 1.5, 3.0, 2.0**63, float("nan"), float("inf"), None],
    pa.decimal128(20, 2): [decimal.Decimal("1.50"), decimal.Decimal("3.00"), None],
    pa.bool_(): [True, False, None],
    pa.string(): ["", "a", "Urban", "1", "é", "2024-02-29", None],
    pa.large_string(): ["a", "Urban", None],
    pa.dictionary(pa.int8(), pa.string()): ["a", "Urban", "a", None],
    pa.binary(): [b"a", b"\xff", None],
    pa.date32(): [DAY, None],
    pa.timestamp("us"): [MIDNIGHT, NOON, None],
    pa.timestamp("ns"): [MIDNIGHT, None],
    pa.null(): [None],
    pa.list_(pa.int64()): [[1], [], None],
    pa.struct([("x", pa.int64())]): [{"x": 1}, None],
}
FEATURES = [
    *(Feature("x", type=kind) for kind in ("number", "integer", "boolean", "text", "date")),
    Feature("x", type="number", strict=True, minimum=0, maximum=2),
    Feature("x", type="category", categories=("a", "Urban", "Rural")),
    Feature("x", type="category", categories=(1, 2, 3)),
    Feature("x", type="category", categories=(True, False, "a")),
    Feature("x", type="category", categories=("a", "Urban"), encode={"a": 1, "Urban": 2}),
]
compared = 0


def shown(value: Any) -> str:
    if value != value:
        value = None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"number {float(value)!r}" if number else f"{type(value).__name__} {value!r}"


@settings(max_examples=600, deadline=None, database=None)
@given(
    st.sampled_from(FEATURES),
    st.booleans(),
    st.sampled_from(list(TYPES)).flatmap(
        lambda kind: st.tuples(st.just(kind), st.lists(st.sampled_from(TYPES[kind]), min_size=1))
    ),
    st.integers(0, 2),
)
def same_values(feature: Feature, nullable: bool, column: tuple[Any, list[Any]], skip: int) -> None:
    global compared  # noqa: PLW0603  # for the last line of this program
    compared += 1
    feature = Feature(**{**vars(feature), "nullable": nullable})
    kind, values = column
    array = pa.array(values, kind)[skip:]
    reader = ValueReader(feature, Suggestions({}), json_value)
    parsed = parse_array(array, reader)
    found = listed(parsed.values)
    rejections = parsed.rejections
    for position, rejection in zip(rejections.positions, rejections.described(), strict=True):
        found[position] = rejection
    expected = [reader.read(json_value(value)) for value in array.to_pylist()]
    assert list(map(shown, found)) == list(map(shown, expected)), (feature, array)
    assert isinstance(parsed.values, Coded) or feature.type in ("number", "integer")


same_values()
print(compared)
