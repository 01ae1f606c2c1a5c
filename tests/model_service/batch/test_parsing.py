"""A column read at once has the values and the messages of the same values read one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st

from model_service.batch.parsed import ParsedColumn, Rejection, combine
from model_service.batch.parsing import TextColumn, ValueReader, parse_numbers
from model_service.contract.batch import Coded, listed
from model_service.contract.contract import Contract, Feature
from model_service.contract.parsing import Suggestions, parse_rows
from model_service.contract.problems import Invalid
from model_service.contract.typed_text import request_value
from model_service.csv.rows import cell_of

numbers_and_others = st.sampled_from(
    [
        *("", "1", "-1", "0", "-0", "-0.0", "+5", ".5", "5.", "1e3", "1E-3", "2.5", " 7 ", "nan"),
        *("inf", "1_0", "1e999", "9007199254740993", "9223372036854775807", "1" * 29, "1" * 31),
        *("9223372036854775808", "x", "e", "-", ".", "--1", "1,5", "٣", "true", "2024-02-29"),
    ]
)
floats = st.floats() | st.sampled_from([0.0, 5.5, 2.0**53, 2.0**63, -(2.0**63), 1e300])


def reader_of(feature: Feature, to_json: Any, suggestions: Any = None) -> ValueReader:
    return ValueReader(feature, suggestions or Suggestions({}), to_json)


def used_up() -> Suggestions:
    suggestions = Suggestions({})
    while not suggestions.are_used_up:
        suggestions.nearest("a", ["b"])
    return suggestions


def one_by_one(reader: ValueReader, values: list[Any]) -> list[Any]:
    return [reader.read(value) for value in values]


def at_once(column: ParsedColumn, feature: Feature) -> list[Any]:
    """Return the values and rejections of a column as reading them one by one returns them."""
    values = listed(column.values)
    if feature.type in ("number", "integer") and not isinstance(column.values, Coded):
        values = [None if value != value else value for value in values]
    wrong = column.rejections
    for position, rejection in zip(wrong.positions, wrong.described(), strict=True):
        values[position] = rejection
    return values


def shown(value: Any) -> str:
    # A model meets 5 and 5.0 as the same number, and -0.0 is not 0.0.
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"number {float(value)!r}" if number else f"{type(value).__name__} {value!r}"


@settings(max_examples=400, deadline=None)
@given(feature=strategies.features, texts=st.lists(numbers_and_others, min_size=1, max_size=6))
def test_cells(feature: Feature, texts: list[str]) -> None:
    reader = reader_of(feature, lambda text: request_value(feature, text))
    found = at_once(TextColumn(reader, 100).parse(texts), feature)
    assert list(map(shown, found)) == list(map(shown, one_by_one(reader, texts)))


@settings(max_examples=400, deadline=None)
@given(feature=strategies.features, texts=st.lists(numbers_and_others, min_size=1, max_size=6))
def test_without_suggestions_a_cell_is_refused_as_before(
    feature: Feature, texts: list[str]
) -> None:
    def to_json(text: str) -> object:
        return request_value(feature, cell_of(feature, text))

    quick, slow = (reader_of(feature, to_json, suggestions) for suggestions in (used_up(), None))
    for found, expected in zip(one_by_one(quick, texts), one_by_one(slow, texts), strict=True):
        if isinstance(expected, Rejection):
            assert (found.reason, found.feature) == (expected.reason, expected.feature)
            assert expected.message.startswith(found.message)
        else:
            assert shown(found) == shown(expected)


@settings(max_examples=400, deadline=None)
@given(
    feature=strategies.features.filter(lambda f: f.type in ("number", "integer")),
    numbers=st.lists(floats, min_size=1, max_size=6),
)
def test_numbers(feature: Feature, numbers: list[float]) -> None:
    values = [None if number != number else number for number in numbers]
    reader = reader_of(feature, lambda value: value)
    found = at_once(parse_numbers(np.array(numbers), reader, values.__getitem__), feature)
    assert list(map(shown, found)) == list(map(shown, one_by_one(reader, values)))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(numbers_and_others, st.sampled_from(["a", "b", "c"])), min_size=1))
def test_rows_have_the_problems_of_a_request(rows: list[tuple[str, str]]) -> None:
    contract = Contract((Feature("n", type="integer"), Feature("c", categories=("a", "b"))))
    columns = {}
    for name, texts in zip(contract.by_name, zip(*rows, strict=True), strict=True):
        feature = contract.by_name[name]
        reader = reader_of(feature, lambda text, feature=feature: request_value(feature, text))
        columns[name] = TextColumn(reader, 100).parse(texts)
    parsed = combine(columns, range(len(rows)), 1, {})
    requests = []
    for row in rows:
        request: dict[str, Any] = {}
        for name, text in zip(contract.by_name, row, strict=True):
            try:
                request[name] = request_value(contract.by_name[name], text)
            except Invalid as error:
                request[name] = error
        requests.append(request)
    batch = parse_rows(contract, requests)
    assert list(parsed.batch.row_numbers) == list(batch.row_numbers)
    assert [list(map(shown, row.values())) for row in parsed.batch.rows()] == [
        list(map(shown, row.values())) for row in batch.rows()
    ]
    found = [
        (place + 1, one.feature, one.reason)
        for place, of_row in parsed.rejections.items()
        for one in of_row
    ]
    assert found == [(p.row, p.feature, p.reason) for p in batch.problems]


def test_a_model_that_fails_rejects_the_row() -> None:
    parsed = combine({"a": ParsedColumn([1.0, 2.0, 3.0])}, range(3), 11, {})
    left = parsed.without([1], "the model fails on these values")
    assert list(left.places) == [0, 2]
    assert left.rejections == {1: [Rejection("model", "", "the model fails on these values")]}
    assert list(parsed.batch.row_numbers) == [11, 12, 13]


@pytest.mark.parametrize("kept", [slice(0, 2), slice(1, 3)])
def test_a_short_slice_of_codes_is_a_list(kept: slice) -> None:
    column = Coded(np.array([0, 1, 2, 0]), ["x", "y", None])
    assert column[kept] == ["x", "y", None][kept]
    assert listed(column[0:4]) == listed(column) == ["x", "y", None, "x"]
    assert column[2] is None
