"""The form: which field a feature gets, what typed text means, how an answer is worded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_service.contract.contract import (
    Contract,
    Feature,
    Output,
    Problem,
    parse_feature,
)
from model_service.contract.typed_text import request_value
from model_service.web.form import fields_of, groups_of, range_of, read_texts, text_of
from model_service.web.wording import number, percent, said_of


def feature(**members: Any) -> Feature:
    return parse_feature({"name": "x", **members})


@pytest.mark.parametrize(
    ("members", "control", "options"),
    [
        ({"type": "number"}, "number", []),
        ({"type": "integer"}, "number", []),
        ({"type": "boolean"}, "checkbox", ["true", "false"]),
        ({"type": "boolean", "nullable": True}, "radio", ["true", "false", ""]),
        ({"categories": ["a", "b"]}, "radio", ["a", "b"]),
        ({"categories": [1, 2, 3], "nullable": True}, "radio", ["1", "2", "3", ""]),
        ({"categories": ["a", "b", "c", "d"]}, "select", ["a", "b", "c", "d"]),
        ({"categories": ["", "b"], "nullable": True}, "radio", ["", "b"]),
        ({"categories": ["a", "b"], "strict": False}, "suggest", ["a", "b"]),
        ({"type": "category"}, "line", []),
        ({"type": "date"}, "date", []),
        ({"type": "text"}, "text", []),
    ],
)
def test_a_feature_gets_the_field_of_its_kind(
    members: dict[str, Any], control: str, options: list[str]
) -> None:
    (field,) = fields_of(Contract((feature(**members),)), {})
    assert field.control == control
    assert [option.value for option in field.options] == options


@pytest.mark.parametrize(
    ("members", "hint"),
    [
        ({}, ""),
        ({"description": "Before taxes", "unit": "USD"}, "Before taxes. In USD."),
        ({"minimum": 1, "maximum": 5}, "Usually 1 to 5."),
        ({"minimum": 1, "maximum": 5, "strict": True}, "From 1 to 5."),
        ({"minimum": 0, "maximum": 81000, "unit": "USD"}, "Usually 0 to 81,000 USD."),
        ({"minimum": 1950, "maximum": 2020}, "Usually 1950 to 2020."),
        ({"nullable": True, "description": "Hm?"}, "Hm? Leave it empty if unknown."),
        ({"nullable": True, "categories": ["a", "b"]}, ""),
    ],
)
def test_a_hint_says_what_the_contract_says(members: dict[str, Any], hint: str) -> None:
    (field,) = fields_of(Contract((feature(**members),)), {})
    assert field.hint == hint


def test_a_range_needs_both_ends() -> None:
    assert range_of(feature(minimum=1)) == ""


def test_a_wide_model_has_groups_and_the_one_with_an_error_is_open() -> None:
    contract = Contract(tuple(Feature(f"f{n}") for n in range(120)))
    groups = groups_of(fields_of(contract, {}, [Problem(1, "f119", "is missing")]))
    assert [(g.first, g.last, g.open) for g in groups] == [
        *((1, 50, True), (51, 100, False), (101, 120, True))
    ]


@given(
    st.one_of(
        st.tuples(st.just({"type": "number"}), st.floats(allow_nan=False, allow_infinity=False)),
        st.tuples(st.just({"type": "integer"}), st.integers(-(2**63) + 1, 2**63 - 1)),
        st.tuples(st.just({"type": "boolean"}), st.booleans()),
        st.tuples(st.just({"type": "text"}), st.text(alphabet=st.characters(codec="utf-8"))),
        st.tuples(st.just({"type": "date"}), st.dates().map(str)),
        st.tuples(st.just({"categories": [1, 2.5, "1", "a", True]}), st.sampled_from([2.5, "a"])),
    )
)
def test_a_json_value_survives_as_the_text_of_a_field(pair: tuple[dict[str, Any], Any]) -> None:
    members, value = pair
    found = request_value(feature(**members), text_of(value))
    assert found == value
    assert json.dumps(found) == json.dumps(value)


def test_all_that_is_wrong_comes_in_contract_order() -> None:
    contract = Contract((Feature("a"), Feature("b", type="integer"), Feature("c"), Feature("d")))
    row, problems = read_texts(contract, {"d": "x", "b": "5.5", "a": "1", "z": "1"})
    assert row is None
    assert [(p.feature, p.message) for p in problems] == [
        ("b", "must be a whole number"),
        ("c", "is missing"),
        ("d", 'must be a number, not "x"'),
        ("z", "unknown feature"),
    ]


def test_a_line_break_of_a_browser_is_one_of_json() -> None:
    row, _ = read_texts(Contract((Feature("a", type="text"),)), {"a": "one\r\ntwo"})
    assert row == {"a": "one\ntwo"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (5, "5"),
        (-0.5, "-0.5"),
        (123456.789, "123,457"),
        (1234567.0, "1,234,567"),
        (3.14159265, "3.14159"),
        (0.000123456789, "0.000123457"),
        (0.00000123, "1.23e-06"),
        (1e20, "1e+20"),
        (92.38830001, "92.3883"),
    ],
)
def test_a_number_has_no_more_digits_than_people_read(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0.0 %"),
        (1.0, "100.0 %"),
        (1e-9, "under 0.1 %"),
        (1 - 1e-9, "over 99.9 %"),
        (0.9234, "92.3 %"),
    ],
)
def test_what_is_nearly_certain_does_not_look_certain(share: float, text: str) -> None:
    assert percent(share) == text


def test_an_answer_in_words() -> None:
    output = Output(name="Loan", labels={"N": "rejected", "Y": "approved"})
    answer = {"prediction": "Y", "label": "approved", "probabilities": {"N": 0.25, "Y": 0.75}}
    (said,) = said_of(answer, output, "classification")
    assert (said.name, said.words, said.native, said.share) == ("Loan", "approved", "Y", "75.0 %")
    assert [(bar.name, bar.share, bar.predicted) for bar in said.bars] == [
        *(("rejected", 0.25, False), ("approved", 0.75, True))
    ]


@pytest.mark.parametrize(
    ("task", "prediction", "output", "words", "native"),
    [
        ("regression", 1234.5, Output(unit="USD"), "1,234.5 USD", None),
        ("regression", None, Output(), "no number", None),
        ("outlier", -1, Output(), "outlier", "-1"),
        ("outlier", 1, Output(), "usual", "1"),
        ("clustering", 3, Output(), "3", None),
        ("classification", True, Output(), "true", None),
        ("classification", 1.0, Output(), "1.0", None),
    ],
)
def test_each_task_has_its_words(
    task: str, prediction: object, output: Output, words: str, native: str | None
) -> None:
    (said,) = said_of({"prediction": prediction}, output, task)
    assert (said.words, said.native) == (words, native)


def test_of_many_classes_the_likeliest_are_shown() -> None:
    shares = {str(n): n / 4950 for n in range(100)}
    (said,) = said_of({"prediction": "99", "probabilities": shares}, Output(), "classification")
    assert [bar.name for bar in said.bars] == [str(n) for n in range(99, 89, -1)]
    assert said.more == 90


def test_several_targets_are_said_one_by_one() -> None:
    answer = {
        "prediction": {"a": 1, "b": 0},
        "label": {"a": "yes"},
        "probabilities": {"a": {"0": 0.1, "1": 0.9}, "b": {"0": 0.8, "1": 0.2}},
    }
    output = Output(labels={"1": "yes"}, targets=("a", "b"))
    found = said_of(answer, output, "classification")
    assert [(s.name, s.words, s.share) for s in found] == [
        *(("a", "yes", "90.0 %"), ("b", "0", "80.0 %"))
    ]
