"""Text that people type, in form fields and CSV cells, as the JSON values that it stands for."""

from __future__ import annotations

import re

from model_service.contract.contract import Feature, Invalid, Scalar, json_text

# What JSON calls a number, and what spreadsheets and people write besides: +5, .5, 5.
# One way to match each digit: a second one would take hours to give up on a long cell.
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,30}", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
SHOWN = 40


def value_of(feature: Feature, text: str) -> object:
    """Return the value that a JSON request would have; Feature.parse judges both alike.

    Raises Invalid where the text stands for no value of the feature's type.
    """
    if text == "":
        return _of_nothing(feature)
    if feature.type in ("number", "integer"):
        return _number(text)
    if feature.type == "boolean":
        if (folded := text.strip().lower()) in _BOOLEANS:  # spreadsheets write TRUE, pandas True
            return _BOOLEANS[folded]
        raise Invalid(f"must be true or false, not {_quoted(text)}")
    if feature.type == "category":
        return _category(feature, text)
    return text.strip() if feature.type == "date" else text


def _of_nothing(feature: Feature) -> str | None:
    if feature.nullable:
        return None
    listed = feature.categories or ()
    if feature.type == "text" or "" in listed or (feature.type == "category" and not listed):
        return ""
    raise Invalid("must not be empty", "null")


def _number(text: str) -> float:
    text = text.strip()
    if _WHOLE.fullmatch(text):
        return int(text)  # a float would lose the last digits of a large one
    if NUMBER.fullmatch(text):
        return float(text)
    if _DECIMAL_COMMA.fullmatch(text):
        raise Invalid(f"must be a number with a decimal point, not {_quoted(text)}")
    raise Invalid(f"must be a number, not {_quoted(text)}")


def _category(feature: Feature, text: str) -> Scalar:
    categories = feature.categories or ()
    for category in categories:
        if json_text(category) == text:
            return category
    stripped, kinds = text.strip(), {type(category) for category in categories}
    # pandas writes 1.0 for 1 and True for true.
    if bool in kinds and stripped.lower() in ("true", "false"):
        return _BOOLEANS[stripped.lower()]
    if kinds & {int, float} and NUMBER.fullmatch(stripped):
        return float(stripped)
    # Where others are taken too, " Urban" is another one, as it is in JSON.
    return stripped if feature.closed and stripped in categories else text


def _quoted(text: str) -> str:
    shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
    return f'"{shown}"'
