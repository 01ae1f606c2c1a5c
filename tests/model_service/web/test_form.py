"""The form: the field of each feature, the values of texts, and predictions as text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_service.contract.contract import Contract, Feature, Output
from model_service.contract.problems import Problem
from model_service.contract.schema import parse_feature
from model_service.contract.typed_text import request_value
from model_service.web.form import field_text, form_fields, group_fields, parse_form, range_text
from model_service.web.wording import describe_prediction, format_number, format_percent


def feature(**members: Any) -> Feature:
    return parse_feature({"name": "x", **members})


@pytest.mark.parametrize(
    ("members", "control", "choices"),
    [
        ({"type": "number"}, "number", []),
        ({"type": "integer"}, "number", []),
        ({"type": "boolean"}, "checkbox", ["true", "false"]),
        ({"type": "boolean", "nullable": True}, "radio", ["true", "false", ""]),
        ({"categories": ["a", "b"]}, "radio", ["a", "b"]),
        ({"categories": [1, 2, 3], "nullable": True}, "radio", ["1", "2", "3", ""]),
        ({"categories": ["a", "b", "c", "d"]}, "select", ["a", "b", "c", "d"]),
        ({"categories": ["", "b"], "nullable": True}, "radio", ["", "b"]),
        ({"categories": ["a", "b"], "strict": False}, "radio", ["a", "b"]),
        ({"type": "category"}, "text", []),
        ({"type": "date"}, "date", []),
        ({"type": "text"}, "textarea", []),
    ],
)
def test_the_type_of_a_feature_decides_its_control(
    members: dict[str, Any], control: str, choices: list[str]
) -> None:
    (field,) = form_fields(Contract((feature(**members),)), {})
    assert field.control == control
    assert [choice.value for choice in field.choices] == choices


@pytest.mark.parametrize(
    ("members", "hint"),
    [
        ({}, ""),
        ({"description": "Before taxes", "unit": "USD"}, "Before taxes. In USD."),
        ({"minimum": 1, "maximum": 5}, "Usually 1 to 5."),
        ({"minimum": 1, "maximum": 5, "strict": True}, "From 1 to 5."),
        ({"minimum": 0, "maximum": 81000, "unit": "USD"}, "Usually 0 to 81,000 USD."),
        ({"minimum": 1950, "maximum": 2020}, "Usually 1950 to 2020."),
        ({"minimum": 1500, "maximum": 25000}, "Usually 1,500 to 25,000."),
        ({"minimum": 1.692432, "maximum": 9.105636}, "Usually 1.692 to 9.106."),
        ({"nullable": True, "description": "Hm?"}, "Hm?"),
        ({"nullable": True, "categories": ["a", "b"]}, ""),
    ],
)
def test_a_hint_has_description_range_and_unit(members: dict[str, Any], hint: str) -> None:
    (field,) = form_fields(Contract((feature(**members),)), {})
    assert field.hint == hint


def test_a_range_needs_minimum_and_maximum() -> None:
    assert range_text(feature(minimum=1)) == ""


def test_many_fields_are_grouped_and_a_group_with_an_error_is_open() -> None:
    contract = Contract(tuple(Feature(f"f{n}") for n in range(120)))
    groups = group_fields(contract, form_fields(contract, {}, [Problem(1, "f119", "is missing")]))
    assert [(g.title, g.is_open) for g in groups] == [
        ("Features 1 to 50", True),
        ("Features 51 to 100", False),
        ("Features 101 to 120", True),
    ]


def test_groups_of_the_contract_are_in_the_order_of_their_first_features() -> None:
    grouped = {"a": "Body", "b": "", "c": "Body", "d": "Place"}
    contract = Contract(tuple(Feature(name, group=group) for name, group in grouped.items()))
    groups = group_fields(contract, form_fields(contract, {}))
    assert [(g.title, [f.name for f in g.fields]) for g in groups] == [
        ("Body", ["a", "c"]),
        ("More", ["b"]),
        ("Place", ["d"]),
    ]


@pytest.mark.parametrize(
    ("members", "text", "is_optional", "other"),
    [
        ({"nullable": True}, "", True, None),
        ({"nullable": True, "categories": ["a"]}, "", True, None),
        ({"categories": ["a", "b"], "strict": False}, "a", False, ""),
        ({"categories": ["a", "b"], "strict": False}, "z", False, "z"),
    ],
)
def test_a_field_is_optional_or_has_another_choice(
    members: dict[str, Any], text: str, is_optional: bool, other: str | None
) -> None:
    (field,) = form_fields(Contract((feature(**members),)), {"x": text})
    assert (field.is_optional, field.other) == (is_optional, other)


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
def test_the_text_of_a_json_value_is_read_as_the_same_value(
    pair: tuple[dict[str, Any], Any],
) -> None:
    members, value = pair
    found = request_value(feature(**members), field_text(value))
    assert found == value
    assert json.dumps(found) == json.dumps(value)


def test_problems_are_in_the_order_of_the_contract() -> None:
    contract = Contract((Feature("a"), Feature("b", type="integer"), Feature("c"), Feature("d")))
    batch = parse_form(contract, {"d": "x", "b": "5.5", "a": "1", "z": "1"})
    assert len(batch) == 0
    assert [(p.feature, p.message) for p in batch.problems] == [
        ("b", "must be a whole number"),
        ("c", "is missing"),
        ("d", 'must be a number, not "x"'),
        ("z", "unknown feature"),
    ]


def test_a_line_break_from_a_browser_becomes_a_line_feed() -> None:
    batch = parse_form(Contract((Feature("a", type="text"),)), {"a": "one\r\ntwo"})
    assert batch.rows() == [{"a": "one\ntwo"}]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (5, "5"),
        (-0.5, "-0.5"),
        (123456.789, "123,457"),
        (1234567.0, "1,234,567"),
        (3.14159265, "3.142"),
        (0.000123456789, "0.0001235"),
        (0.00000123, "1.23e-06"),
        (1e20, "1e+20"),
        (92.38830001, "92.39"),
    ],
)
def test_a_number_has_four_digits_or_all_before_the_point(value: float, text: str) -> None:
    assert format_number(value) == text


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
def test_a_probability_near_0_or_1_is_not_rounded_to_it(share: float, text: str) -> None:
    assert format_percent(share) == text


def test_a_prediction_with_labels_and_probabilities() -> None:
    output = Output(name="Loan", labels={"N": "rejected", "Y": "approved"})
    prediction = {"prediction": "Y", "label": "approved", "probabilities": {"N": 0.25, "Y": 0.75}}
    (found,) = describe_prediction(prediction, output, "classification")
    assert (found.name, found.text) == ("Loan", "approved")
    assert found.probability == "75.0 %"
    assert [(bar.label, bar.share, bar.is_predicted) for bar in found.bars] == [
        *(("rejected", 0.25, False), ("approved", 0.75, True))
    ]


@pytest.mark.parametrize(
    ("task", "value", "output", "text"),
    [
        ("regression", 1234.5, Output(unit="USD"), "1,234 USD"),
        ("regression", None, Output(), "no number"),
        ("outlier", -1, Output(), "outlier"),
        ("outlier", 1, Output(), "usual"),
        ("clustering", 3, Output(), "3"),
        ("classification", True, Output(), "true"),
        ("classification", 1.0, Output(), "1.0"),
    ],
)
def test_a_value_as_the_text_of_its_task(
    task: str, value: object, output: Output, text: str
) -> None:
    (found,) = describe_prediction({"prediction": value}, output, task)
    assert found.text == text


def test_only_the_most_probable_of_many_classes_have_a_bar() -> None:
    prediction = {"prediction": "99", "probabilities": {str(n): n / 4950 for n in range(100)}}
    (found,) = describe_prediction(prediction, Output(), "classification")
    assert [bar.label for bar in found.bars] == [str(n) for n in range(99, 89, -1)]
    assert found.hidden_classes == 90


def test_each_of_several_targets_has_a_text() -> None:
    prediction = {
        "prediction": {"a": 1, "b": 0},
        "label": {"a": "yes"},
        "probabilities": {"a": {"0": 0.1, "1": 0.9}, "b": {"0": 0.8, "1": 0.2}},
    }
    output = Output(labels={"1": "yes"}, targets=("a", "b"))
    found = describe_prediction(prediction, output, "classification")
    assert [(text.name, text.text, text.probability) for text in found] == [
        *(("a", "yes", "90.0 %"), ("b", "0", "80.0 %"))
    ]
