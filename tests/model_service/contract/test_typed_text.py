"""Text that stands for a number or a boolean: in requests and in samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model_service.contract.contract import Feature
from model_service.contract.parsing import parse_value
from model_service.contract.problems import Invalid
from model_service.contract.schema import parse_feature
from model_service.contract.typed_text import (
    is_number,
    is_spreadsheet_number,
    number,
    request_value,
    sample_number,
    sample_value,
)
from workbench.adopt.csv.sample import ColumnFacts, read_sample

# A pattern that can match a digit in two ways would take hours for each of these.
LONG = [
    pytest.param("1" * 1_000_000 + "x", id="digits"),
    pytest.param("1." + "1" * 1_000_000 + "x", id="decimals"),
    pytest.param("1e" + "1" * 1_000_000 + "x", id="exponent"),
]


@pytest.mark.parametrize(
    ("members", "text", "value"),
    [
        ({"type": "number"}, "5", 5),
        ({"type": "number"}, " 5.50 ", 5.5),
        ({"type": "number"}, "+.5e1", 5.0),
        ({"type": "number"}, "-5.", -5.0),
        ({"type": "integer"}, "9007199254740993", 9007199254740993),
        ({"type": "number", "nullable": True}, "", None),
        ({"type": "boolean"}, "TRUE", True),
        ({"type": "boolean"}, "0", False),
        ({"type": "text"}, "", ""),
        ({"type": "text"}, " as it is ", " as it is "),
        ({"type": "text", "nullable": True}, "", None),
        ({"type": "text", "nullable": True}, "NA", "NA"),
        ({"type": "date"}, " 2024-02-29 ", "2024-02-29"),
        ({"type": "category"}, "anything", "anything"),
        ({"categories": [1, 2]}, "2", 2),
        ({"categories": [1, 2]}, "2.0", 2.0),
        ({"categories": ["1", "2"]}, "2", "2"),
        ({"categories": [True, False]}, "True", True),
        ({"categories": [1, "1"]}, "1", 1),
        ({"categories": [1, "a"]}, "a", "a"),
        ({"categories": ["a", " b"]}, " b", " b"),
        ({"categories": ["a", "b"]}, " b", "b"),
        ({"categories": ["a", "b"], "strict": False}, "c", "c"),
        ({"categories": [1, 2], "strict": False}, "7", 7.0),
    ],
)
def test_request_text_becomes_a_json_value(
    members: dict[str, Any], text: str, value: object
) -> None:
    found = request_value(parse_feature({"name": "x", **members}), text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("members", "text", "message"),
    [
        ({"type": "number"}, "", "must not be empty"),
        ({"categories": ["a"]}, "", "must not be empty"),
        ({"type": "number"}, "lots", 'must be a number, not "lots"'),
        ({"type": "number"}, "3,5", 'must be a number with a decimal point, not "3,5"'),
        ({"type": "number"}, "nan", 'must be a number, not "nan"'),
        ({"type": "number"}, "1_000", 'must be a number, not "1_000"'),
        ({"type": "number"}, "٣", 'must be a number, not "٣"'),
        ({"type": "number"}, "x" * 50, f'must be a number, not "{"x" * 40}…"'),
        ({"type": "boolean"}, "yes", 'must be true or false, not "yes"'),
    ],
)
def test_request_text_that_is_not_a_value_of_its_feature_is_refused(
    members: dict[str, Any], text: str, message: str
) -> None:
    with pytest.raises(Invalid) as caught:
        request_value(parse_feature({"name": "x", **members}), text)
    assert str(caught.value) == message


@pytest.mark.parametrize("time", ["", " 00:00:00", "T00:00:00.000", " 00:00"])
def test_midnight_is_removed_from_a_date_of_a_sample(time: str) -> None:
    feature = parse_feature({"name": "when", "type": "date"})
    assert parse_value(feature, sample_value(feature, f"2024-02-29{time}")) == "2024-02-29"


@pytest.mark.parametrize(
    ("members", "text", "value"),
    [
        ({"type": "number"}, "5.0", 5),
        ({"type": "number"}, " 5.5 ", 5.5),
        ({"type": "number"}, "NA", None),
        ({"type": "number"}, "lots", "lots"),
        ({"type": "number"}, "3,5", "3,5"),
        ({"type": "integer"}, "9007199254740993", 9007199254740993),
        ({"type": "boolean"}, "TRUE", True),
        ({"type": "boolean"}, "0", False),
        ({"type": "boolean"}, "tRUE", "tRUE"),
        ({"type": "text"}, "5", "5"),
        ({"categories": [1, 2]}, "2.0", 2),
        ({"categories": [True, False]}, "True", True),
        ({"categories": ["a"]}, "b", "b"),
        ({"type": "category"}, "5", "5"),
    ],
)
def test_a_cell_of_a_sample_becomes_a_json_value(
    members: dict[str, Any], text: str, value: object
) -> None:
    found = sample_value(parse_feature({"name": "x", **members}), text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", LONG)
def test_a_long_cell_takes_linear_time(text: str) -> None:
    assert not is_number(text)
    assert not is_spreadsheet_number(text)
    assert number(text) is None
    assert sample_number(text) is None
    assert sample_value(Feature("x"), text) == text
    with pytest.raises(Invalid, match="must be a number, not"):
        request_value(Feature("x"), text)
    column = ColumnFacts("x")
    column.add(text)
    assert column.type == "category"


def test_a_sample_with_long_cells_takes_linear_time(tmp_path: Path) -> None:
    cell = "1" * 100_000 + "x"  # csv's own limit for a cell is 131,072 characters
    path = tmp_path / "sample.csv"
    path.write_text("amount\n" + f"{cell}\n" * 50, encoding="utf-8")
    assert read_sample(path).columns["amount"].type == "category"


def test_only_ascii_digits_are_numbers() -> None:
    """No CSV request could fill a number that the sample suggested by other digits."""
    arabic = "٣"
    column = ColumnFacts("x")
    column.add(arabic)
    assert column.type == "category"
    assert sample_value(Feature("x"), arabic) == arabic
    assert sample_number(arabic) is None
    with pytest.raises(Invalid, match="must be a number, not"):
        request_value(Feature("x"), arabic)
