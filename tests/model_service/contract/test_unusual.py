"""Warnings of values unlike the sample, of a row alone and in a batch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_service.contract.batch import Batch, Coded, Values
from model_service.contract.profile import Profile
from model_service.contract.schema import parse_contract
from model_service.contract.unusual import UnusualValues

LENGTH = {"name": "length", "minimum": 32.1, "maximum": 59.6, "nullable": True}
ISLANDS = ["Biscoe", "Dream"]
ISLAND = {"name": "island", "categories": ISLANDS, "strict": False, "nullable": True}
SAMPLE = {"length": {"minimum": 32.1, "maximum": 59.6}}


def warnings(feature: dict[str, Any], value: Any, derived: Any = SAMPLE) -> list[str]:
    unusual = UnusualValues(parse_contract({"features": [feature]}), derived, {})
    found = unusual.find(Batch.of_rows([{feature["name"]: value}]))
    return [warning.message for warning in found.get(0, ())]


@pytest.mark.parametrize(
    ("feature", "value", "message"),
    [
        (LENGTH, 391, "391 is outside 32.1 to 59.6, the range of the sample"),
        (LENGTH, 62.36, "62.36 is outside 32.1 to 59.6, the range of the sample"),
        (LENGTH, 62.34, None),  # less than a tenth of the range beyond its end
        (LENGTH, 29.36, None),
        (LENGTH, 29, "29 is outside 32.1 to 59.6, the range of the sample"),
        (LENGTH, None, None),
        (LENGTH | {"maximum": 70}, 391, "391 is outside 32.1 to 70, the usual range"),
        (LENGTH | {"warn": False}, 391, None),
        ({"name": "length", "minimum": 0}, -5, None),  # no range
        ({"name": "n", "type": "integer", "minimum": 0, "maximum": 0}, 1, "1 is outside 0 to 0"),
        (ISLAND, "Dream", None),
        (ISLAND, None, None),
        (ISLAND, "Mars", '"Mars" is not one of Biscoe, Dream, the known categories'),
        (
            ISLAND | {"categories": ["A"]},
            "x" * 50,
            f'"{"x" * 40}…" is not one of A, the known categories',
        ),
        (ISLAND | {"warn": False}, "Mars", None),
        ({"name": "island", "type": "category"}, "Mars", None),  # nothing is known
        (
            {"name": "n", "categories": list(range(12)), "strict": False},
            12,
            "12 is not one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …, the known",
        ),
    ],
)
def test_a_value_unlike_the_sample_has_a_warning(
    feature: dict[str, Any], value: Any, message: str | None
) -> None:
    found = warnings(feature, value)
    assert len(found) == (message is not None)
    assert message is None or found[0].startswith(message)


def test_strict_features_have_no_warnings() -> None:
    """They are refused."""
    strict = [{**LENGTH, "strict": True}, {**ISLAND, "strict": True}]
    assert not UnusualValues(parse_contract({"features": strict}), {}, {}).can_warn


FIVE = parse_contract({"features": [{"name": n, "nullable": n != "a"} for n in "abcde"]})


@pytest.mark.parametrize(
    ("missing", "share", "message"),
    [
        ("", 0.0, None),
        ("bc", 0.0, None),
        ("bcd", 0.0, "3 of 5 features are missing"),
        ("bcde", 0.4, "4 of 5 features are missing"),
        ("bcde", 0.9, None),  # as in the sample
    ],
)
def test_a_row_that_is_mostly_unknown_has_a_warning(
    missing: str, share: float, message: str | None
) -> None:
    profiles = {n: Profile(n, "number", share) for n in "abcde"}
    row = {name: None if name in missing else 1.0 for name in "abcde"}
    found = UnusualValues(FIVE, {}, profiles).find(Batch.of_rows([row]))
    assert [w.to_json() for w in found.get(0, ())] == (
        [{"feature": None, "message": message}] if message else []
    )


def test_a_model_of_few_features_has_no_such_warning() -> None:
    contract = parse_contract({"features": [{"name": "a", "nullable": True}]})
    assert not UnusualValues(contract, {}, {}).can_warn


values = st.fixed_dictionaries(
    {
        "length": st.none() | st.floats(-1e6, 1e6),
        "island": st.sampled_from([None, "Dream", "Mars"]),
        "year": st.none() | st.integers(1900, 2100).map(float),
    }
)
YEAR = {"name": "year", "minimum": 1990, "maximum": 2020, "nullable": True}


@given(st.lists(values, min_size=1, max_size=8))
def test_a_row_has_the_same_warnings_alone_and_in_a_batch(rows: list[dict[str, Any]]) -> None:
    contract = parse_contract({"features": [LENGTH, ISLAND, YEAR]})
    unusual = UnusualValues(contract, SAMPLE, {})
    alone = [unusual.find(Batch.of_rows([row])).get(0, []) for row in rows]
    for batch in (Batch.of_rows(rows), as_read_from_a_file(rows)):
        found = unusual.find(batch)
        assert [found.get(number, []) for number in range(len(rows))] == alone


def as_read_from_a_file(rows: list[dict[str, Any]]) -> Batch:
    """Return the rows with numbers as arrays, and other values as codes."""
    numbers = {n: [row[n] for row in rows] for n in ("length", "year")}
    columns: dict[str, Values] = {
        n: np.array([math.nan if v is None else v for v in of]) for n, of in numbers.items()
    }
    known: list[Any] = ["unused", None, "Dream", "Mars"]
    columns["island"] = Coded(np.array([known.index(row["island"]) for row in rows]), known)
    return Batch(columns, range(1, len(rows) + 1))
