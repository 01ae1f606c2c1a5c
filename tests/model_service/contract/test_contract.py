"""The contract: reading features.json, and validating rows."""

from __future__ import annotations

import json
import math
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from strategies import features, json_values

from model_service.contract.contract import Contract, ContractError, Feature
from model_service.contract.json_values import same_json
from model_service.contract.parsing import parse_rows, parse_value
from model_service.contract.problems import Invalid
from model_service.contract.schema import (
    check_output,
    parse_contract,
    parse_feature,
    parse_output,
    read_contract,
)
from model_service.web.openapi import feature_schema

AREA = {"name": "Area", "categories": ["Rural", "Semiurban", "Urban"]}
OPEN = {**AREA, "strict": False}
LEVEL = {"name": "Level", "categories": [1, 2]}
RANGE = {"name": "Income", "minimum": 0, "maximum": 100, "strict": True}
HINT = {"name": "Income", "minimum": 0, "maximum": 100}

# (feature, value, what the model meets)
TAKEN: list[tuple[dict[str, Any], Any, Any]] = [
    ({"name": "n"}, 5, 5.0),
    ({"name": "n"}, -0.25, -0.25),
    ({"name": "n", "nullable": True}, None, None),
    (HINT, 1e9, 1e9),
    (RANGE, 100, 100.0),
    ({"name": "i", "type": "integer"}, 5.0, 5),
    ({"name": "b", "type": "boolean"}, False, False),
    ({"name": "t", "type": "text"}, "", ""),
    ({"name": "t", "type": "text"}, "NA", "NA"),
    ({"name": "d", "type": "date"}, "2024-02-29", "2024-02-29"),
    (AREA, "Urban", "Urban"),
    (OPEN, "Mars", "Mars"),
    (LEVEL, 1.0, 1),
    ({**LEVEL, "strict": False}, 3, 3.0),
    ({"name": "c", "type": "category"}, "anything", "anything"),
]

# (feature, value, message)
REFUSED: list[tuple[dict[str, Any], Any, str]] = [
    ({"name": "n"}, "5000", "must be a number, not text"),
    ({"name": "n"}, True, "must be a number, not true or false"),
    ({"name": "n"}, [1], "must be a number, not a list"),
    ({"name": "n"}, {}, "must be a number, not an object"),
    ({"name": "n"}, None, "must not be null"),
    ({"name": "n"}, math.inf, "must be a finite number"),
    ({"name": "n"}, 10**400, "is too large for a number"),
    (RANGE, 100.5, "must be at most 100"),
    (RANGE, -1, "must be at least 0"),
    ({"name": "i", "type": "integer"}, 5.5, "must be a whole number"),
    ({"name": "i", "type": "integer"}, 2**63, "is too large for a whole number"),
    ({"name": "b", "type": "boolean"}, 1, "must be true or false, not a number"),
    ({"name": "t", "type": "text"}, 5, "must be text, not a number"),
    ({"name": "t", "type": "text"}, "\ud800", "must be text that UTF-8 can hold"),
    ({"name": "d", "type": "date"}, "2024-02-30", "must be a date as YYYY-MM-DD"),
    ({"name": "d", "type": "date"}, "20240229", "must be a date as YYYY-MM-DD"),
    ({"name": "d", "type": "date"}, "9999-01-01", "must be from 1678-01-01 to 2261-12-31"),
    (AREA, "urbn", "must be one of Rural, Semiurban, Urban"),
    (AREA, 1, "must be one of Rural, Semiurban, Urban"),
    (LEVEL, "1", "must be one of 1, 2"),
    (LEVEL, True, "must be one of 1, 2"),
    (OPEN, 5, "must be text, not a number"),
    ({"name": "c", "type": "category"}, 5, "must be text, not a number"),
]

# (document, message)
WRONG: list[tuple[Any, str]] = [
    ([], 'must be an object with a list "features"'),
    ({"features": []}, '"features" is empty'),
    ({"features": [{"name": "a"}], "ouput": {}}, 'unknown member "ouput"; did you mean output?'),
    ({"features": ["a"]}, "feature 1: must be an object, not text"),
    ({"features": [{"type": "number"}]}, 'feature 1: "name" is missing'),
    ({"features": [{"name": ""}]}, '"name" must be text that is not empty'),
    ({"features": [{"name": "a", "typ": "x"}]}, 'unknown member "typ"; did you mean type?'),
    ({"features": [{"name": "a", "type": "float"}]}, '"type" must be one of number, integer'),
    ({"features": [{"name": "a", "minimum": "1"}]}, '"minimum" must be a finite number'),
    ({"features": [{"name": "a", "minimum": 10**400}]}, '"minimum" must be a finite number'),
    ({"features": [{"name": "a", "default": 10**400}]}, '"default" must be text, a number'),
    ({"features": [{"name": "a", "minimum": 2, "maximum": 1}]}, "is above"),
    ({"features": [{"name": "a", "default": "x"}]}, '"default" must be a number, not text'),
    ({"features": [{"name": "a", "categories": []}]}, '"categories" must be a list of different'),
    ({"features": [{"name": "a", "categories": ["x", "x"]}]}, '"categories" must be a list of'),
    ({"features": [{"name": "a", "type": "text", "categories": ["x"]}]}, "do not go with type"),
    ({"features": [{"name": "a"}, {"name": "a"}]}, "feature a: appears 2 times"),
    ({"features": [{**AREA, "encode": {"Rural": 0}}]}, "has no number for Semiurban, Urban"),
    ({"features": [{**AREA, "one_hot": {"Mars": "x"}}]}, "names Mars, which"),
    ({"features": [{"name": "a", "encode": {"x": 1}}]}, '"encode" needs "categories"'),
    ({"features": [{**AREA, "one_hot": {}}]}, '"one_hot" must be an object of columns by category'),
    (
        {"features": [{**AREA, "one_hot": {"Rural": "b", "Urban": "b"}}]},
        'feature Area: "one_hot" names the column b 2 times',
    ),
    (
        {"features": [{**AREA, "one_hot": {"Rural": "b", "Urban": "c"}}, {"name": "b"}]},
        "the features Area and b both have the column b",
    ),
    (
        {"features": [{**AREA, "one_hot": {"Rural": "b"}}], "unused": ["b"]},
        '"unused" names b, which is a column of the feature Area',
    ),
    ({"features": [{"name": "a"}], "output": {"threshold": 0.5}}, '"threshold" needs "positive"'),
    ({"features": [{"name": "a"}], "output": {"transform": "log"}}, "one of exp, expm1"),
]


@pytest.mark.parametrize(("entry", "value", "expected"), TAKEN)
def test_a_valid_value_is_parsed(entry: dict[str, Any], value: Any, expected: Any) -> None:
    parsed = parse_value(parse_feature(entry), value)
    assert (type(parsed), parsed) == (type(expected), expected)


@pytest.mark.parametrize(("entry", "value", "message"), REFUSED)
def test_an_invalid_value_is_refused_with_its_reason(
    entry: dict[str, Any], value: Any, message: str
) -> None:
    with pytest.raises(Invalid) as caught:
        parse_value(parse_feature(entry), value)
    assert str(caught.value) == message


@pytest.mark.parametrize(("document", "message"), WRONG)
def test_an_invalid_contract_is_refused(document: Any, message: str) -> None:
    with pytest.raises(ContractError) as caught:
        parse_contract(document)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "1" * 5000, "\ud800"])
def test_a_file_that_is_not_json_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "features.json").write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(ContractError, match=r"features.json cannot be read"):
        read_contract(tmp_path / "features.json")


def test_all_problems_of_a_contract_are_reported_together() -> None:
    with pytest.raises(ContractError) as caught:
        parse_contract({"features": [{"name": "a", "typ": 1, "minimum": "x"}, {"nam": "b"}]})
    assert len(caught.value.problems) == 3


def test_each_problem_of_a_row_names_its_feature() -> None:
    contract = parse_contract({"features": [{"name": "Income"}, AREA]})
    problems = parse_rows(contract, [{"Income": "5000", "Aera": "Rural"}]).problems
    assert [problem.to_json() for problem in problems] == [
        {"row": 1, "feature": "Income", "message": "must be a number, not text"},
        {"row": 1, "feature": "Aera", "message": "unknown feature; did you mean Area?"},
        {"row": 1, "feature": "Area", "message": "is missing"},
    ]


def test_the_number_of_suggested_categories_is_limited() -> None:
    contract = parse_contract({"features": [AREA]})
    problems = parse_rows(contract, [{"Area": "urbn"}] * 30).problems
    messages = [problem.message for problem in problems]
    assert messages[0] == "must be one of Rural, Semiurban, Urban; did you mean Urban?"
    assert len([message for message in messages if "did you mean" in message]) == 20


def test_the_nearest_of_thousands_of_categories_is_found_within_the_budget() -> None:
    cities = [f"city of the {number:04d} lakes" for number in range(5000)]
    contract = parse_contract({"features": [{"name": "city", "categories": cities}]})
    (problem,) = parse_rows(contract, [{"city": "cty of the 4321 lakes"}]).problems
    assert problem.message.endswith("; did you mean city of the 4321 lakes?")


def test_problems_beyond_the_listed_ones_are_counted_by_reason_and_feature() -> None:
    contract = parse_contract({"features": [{"name": "a"}, {"name": "b"}]})
    problems = parse_rows(contract, [{}] * 400 + [{"a": "x", "c": 1, "d": 2}] * 100).problems
    assert problems.summary == "1200 problems (the first 1000 are listed)"
    assert len(problems) == 1000
    assert problems.counts == {
        ("missing", "a"): 400,
        ("missing", "b"): 500,
        ("type", "a"): 100,
        ("unknown", ""): 200,
    }


LOOKED_UP = [1, 1.0, 0, "1", "a", True, False, 2**70, 1e300, None, [], {}, "", "true"]


@pytest.mark.parametrize("listed", [[1, 1.5, 2**70], ["1", "a", ""], [True, 1, "true", "1"], [1.0]])
def test_categories_are_looked_up_as_json_values_are_compared(listed: list[Any]) -> None:
    feature = Feature("f", "category", categories=tuple(listed))
    for value in LOOKED_UP:
        by_search = next((c for c in listed if same_json(c, value)), None)
        found = feature.category_equal_to(value)
        assert (type(found), found) == (type(by_search), by_search)


def test_feature_names_are_case_sensitive() -> None:
    contract = parse_contract({"features": [{"name": "Age"}, {"name": "age"}]})
    batch = parse_rows(contract, [{"Age": 1, "age": 2}])
    assert (batch.rows(), list(batch.problems)) == ([{"Age": 1.0, "age": 2.0}], [])


# (output, message); the model has the classes 0 and 1
WRONG_OUTPUTS = [
    ({"positive": "1"}, '"positive" is "1"; the classes are 0, 1'),
    ({"labels": {"2": "two"}}, '"labels" names 2; the classes are 0, 1'),
    ({"transform": "exp"}, '"transform" is for regression, and the task is classification'),
    ({"targets": ["a", "b"]}, '"targets" names 2, and the model predicts 1'),
]


@pytest.mark.parametrize(("output", "message"), WRONG_OUTPUTS)
def test_an_output_that_does_not_fit_the_model_is_refused(
    output: dict[str, Any], message: str
) -> None:
    with pytest.raises(ContractError) as caught:
        check_output(parse_output(output), "classification", [0, 1], 1)
    assert message in str(caught.value)


# (output, whether classes are asked for, message or nothing); the model is a raw booster that
# answers a number, which decides between 0 and 1
OUTPUTS_OF_A_NUMBER = [
    ({}, False, ""),
    ({"transform": "exp", "positive": 1}, False, ""),
    ({"labels": {"0": "no", "1": "yes"}}, True, ""),
    ({"threshold": 0.3, "positive": 0}, True, ""),
    ({"threshold": 0.3, "positive": "1"}, True, '"positive" is "1"; the classes are 0, 1'),
    ({"labels": {"2": "two"}}, True, '"labels" names 2; the classes are 0, 1'),
    ({"labels": {"1": "yes"}, "transform": "exp"}, True, "the task is classification"),
]


@pytest.mark.parametrize(("output", "asks", "message"), OUTPUTS_OF_A_NUMBER)
def test_an_output_can_ask_a_raw_booster_for_classes(
    output: dict[str, Any], asks: bool, message: str
) -> None:
    parsed = parse_output(output)
    assert parsed.asks_for_classes is asks
    refused = pytest.raises(ContractError, match=message) if message else nullcontext()
    with refused:
        check_output(parsed, "regression", None, 1, binary=[0, 1])


def test_a_missing_value_is_not_the_category_null() -> None:
    one_hot = {"null": "kind_null", "a": "kind_a"}
    feature = Feature("kind", categories=("null", "a"), nullable=True, one_hot=one_hot)
    columns = feature.encode_values([None, "null", "a"])
    assert [list(column.values) for column in columns] == [[0, 1, 0], [0, 0, 1]]


def test_encoded_and_one_hot_features_become_model_columns() -> None:
    contract = parse_contract(
        {
            "features": [
                {"name": "Employed", "categories": ["no", "yes"], "encode": {"no": 0, "yes": 1}},
                {**AREA, "one_hot": {"Semiurban": "Area_S", "Urban": "Area_U"}},
            ]
        }
    )
    batch = parse_rows(
        contract, [{"Employed": "yes", "Area": "Urban"}, {"Employed": "no", "Area": "Rural"}]
    )
    assert not batch.problems
    columns = {column.name: list(column.values) for column in contract.columns(batch)}
    assert columns == {"Employed": [1, 0], "Area_S": [0, 0], "Area_U": [1, 0]}
    assert contract.row_values(batch[:1], ["Area_U", "Employed", "Area_S"]) == [1, 1, 0]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [(1, 1.0, True), (1, True, False), (1, "1", False), ("a", "a", True), (True, True, True)],
)
def test_values_are_compared_as_json_values(one: Any, other: Any, same: bool) -> None:
    assert same_json(one, other) is same


@given(features, json_values)
def test_any_json_value_is_parsed_or_refused_with_a_message(feature: Feature, value: Any) -> None:
    contract = Contract((feature,))
    batch = parse_rows(contract, [{feature.name: value}])
    assert len(batch) + len(batch.problems) == 1
    if batch.problems:
        assert batch.problems[0].message
    else:
        (column,) = contract.columns(batch)
        assert len(column.values) == 1
        json.dumps(batch.rows(), allow_nan=False)


@given(features)
def test_a_feature_that_is_written_and_read_is_the_same(feature: Feature) -> None:
    written = json.loads(json.dumps(feature.to_json()))
    assert parse_feature(written) == feature


@given(features, json_values)
def test_the_openapi_schema_accepts_what_the_parser_accepts(feature: Feature, value: Any) -> None:
    try:
        parse_value(feature, value)
        taken = True
    except Invalid:
        taken = False
    validator = jsonschema.Draft202012Validator(feature_schema(feature))
    if taken:
        validator.validate(value)
