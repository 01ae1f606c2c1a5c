"""Golden predictions: differences are named."""

from __future__ import annotations

from typing import Any

import pytest

from model_service.contract.golden import differences


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
