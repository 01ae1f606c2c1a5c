"""Golden predictions: differences are named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from model_service.contract.golden import differences, json_batches


@pytest.mark.parametrize(
    ("expected", "actual", "found"),
    [
        ({"a": 0.1 + 0.2}, {"a": 0.3}, []),
        ({"a": 1}, {"a": 1.0}, ["a is 1.0, was 1"]),
        ({"a": 1}, {"a": True}, ["a is true, was 1"]),
        ({"a": None}, {}, ["a is missing"]),
        ([1, 2], [1, 3], ["[2] is 3, was 2"]),
        ([1], [1, 2], [" is [1, 2], was [1]"]),
        ({"a": {"b": 0.5}}, {"a": {"b": 0.5000001}}, ["a.b is 0.5000001, was 0.5"]),
    ],
)
def test_differences_are_named(expected: Any, actual: Any, found: list[str]) -> None:
    assert differences(expected, actual) == found


def test_rows_are_sent_in_batches_that_fit() -> None:
    rows = [{"a": number} for number in range(10)]
    one = len(json.dumps({"rows": rows[:1]}))
    batches = list(json_batches(rows, 2 * one))
    assert [row for batch in batches for row in batch] == rows
    assert 1 < len(batches) < 10
    assert all(len(json.dumps({"rows": batch})) <= 2 * one for batch in batches)
    assert list(json_batches(rows, 1)) == [[row] for row in rows]
