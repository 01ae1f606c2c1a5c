"""Read text that stands for a number, a boolean or another JSON value.

Two policies: `request_value` reads form fields and the CSV cells of a request, `sample_value` reads
the CSV cells of a sample as pandas.read_csv does, because that is how the training data was read.
Both accept the same numbers.
"""

from __future__ import annotations

import math
import re
import string

from model_service.contract.contract import Feature
from model_service.contract.json_values import Scalar, Value
from model_service.contract.problems import Invalid

# JSON numbers and what spreadsheets and people write besides: +5, .5, 5.
# Each digit can match in one way only: a second way makes a long cell take quadratic time.
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NUMBER_WITH_ANY_POINT = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,30}", re.ASCII)
_NUMBER_START = frozenset("+-.0123456789")
# No number begins with these. White space and a spreadsheet's apostrophe can be before a number.
_NO_NUMBER_START = frozenset(string.printable) - _NUMBER_START - {*string.whitespace, "'"}
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_BITS = {"1": True, "0": False}
_REQUEST_BOOLEANS = {"true": True, "false": False, **_BITS}
# pandas.read_csv reads these three spellings.
SAMPLE_BOOLEANS = {
    **dict.fromkeys(("True", "TRUE", "true"), True),
    **dict.fromkeys(("False", "FALSE", "false"), False),
}
# https://pandas.pydata.org/docs/reference/api/pandas.read_csv.html, na_values
SAMPLE_MISSING = frozenset(
    (
        *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND"),
        *("1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    )
)
# pandas and spreadsheets append it to a date.
_MIDNIGHT = re.compile(r"[ T]00:00(:00(\.0+)?)?$")
MAX_QUOTED = 40


def is_number(text: str) -> bool:
    """Return whether text stands for a number; white space around it is ignored.

    float() reads such a text only after strip(): it does not skip the separators of ASCII.
    """
    return _NUMBER.fullmatch(text.strip()) is not None


def is_spreadsheet_number(text: str) -> bool:
    """Return whether a spreadsheet reads a cell as a number, with a decimal comma too."""
    return _NUMBER_WITH_ANY_POINT.fullmatch(text) is not None


def is_plainly_no_number(text: str) -> bool:
    """Return whether a cell is neither a number, nor missing, nor escaped for a spreadsheet."""
    start = text[:1]
    return start in _NO_NUMBER_START or (start in _NUMBER_START and not is_number(text))


def number(text: str) -> float | None:
    """Return the number that text stands for, or None."""
    text = text.strip()
    if text[:1] not in _NUMBER_START:  # a file can have a million other cells
        return None
    if _INTEGER.fullmatch(text):
        return int(text)  # a float would lose the last digits of a large one
    return float(text) if _NUMBER.fullmatch(text) else None


def whole(value: float) -> float:
    """Return 5000 for 5000.0, as a person would write it."""
    return int(value) if math.isfinite(value) and value == int(value) else value


def request_value(feature: Feature, text: str) -> object:
    """Return the value that a JSON request would hold; `parse_value` judges both alike.

    Raises Invalid if the text stands for no value of the feature's type.
    """
    if text == "":
        return _empty(feature)
    if feature.type in ("number", "integer"):
        return _request_number(text)
    if feature.type == "boolean":
        if (folded := text.strip().lower()) in _REQUEST_BOOLEANS:  # TRUE in spreadsheets
            return _REQUEST_BOOLEANS[folded]
        raise Invalid(f"must be true or false, not {_quoted(text)}")
    if feature.type == "category":
        return _request_category(feature, text)
    return text.strip() if feature.type == "date" else text


def sample_value(feature: Feature, text: str) -> Value:
    """Return the value that a JSON request would hold for a cell of a sample.

    Text that stands for no value of the feature's type is returned as it is.
    """
    if text in SAMPLE_MISSING:
        return None
    if feature.type in ("number", "integer"):
        found = number(text)
        return text if found is None else whole(found)
    if feature.type == "date":
        return _MIDNIGHT.sub("", text)
    if feature.type == "boolean":
        return {**SAMPLE_BOOLEANS, **_BITS}.get(text, text)
    if feature.type == "category":
        return _sample_category(feature, text)
    return text


def sample_number(value: object) -> float | None:
    """Return the number that a model meets for a CSV cell or a JSON value of a sample, or None."""
    if isinstance(value, str):
        if value in SAMPLE_BOOLEANS:
            return float(SAMPLE_BOOLEANS[value])
        value = number(value)
    return float(value) if isinstance(value, (bool, int, float)) else None


def _empty(feature: Feature) -> str | None:
    if feature.nullable:
        return None
    is_open = feature.type == "text" or (feature.type == "category" and not feature.categories)
    if is_open or "" in feature.text_categories:
        return ""
    raise Invalid("must not be empty", "null")


def _request_number(text: str) -> float:
    if (found := number(text)) is not None:
        return found
    raise Invalid(no_number_message(text))


def no_number_message(text: str) -> str:
    """Return what is wrong with text that stands for no number."""
    text = text.strip()
    hint = " with a decimal point" if "," in text and _DECIMAL_COMMA.fullmatch(text) else ""
    return f"must be a number{hint}, not {_quoted(text)}"


def _request_category(feature: Feature, text: str) -> Scalar:
    if (category := feature.category_by_text.get(text)) is not None:
        return category
    stripped, types = text.strip(), feature.category_classes
    # pandas writes 1.0 for 1 and True for true.
    if bool in types and stripped.lower() in ("true", "false"):
        return _REQUEST_BOOLEANS[stripped.lower()]
    if types & {int, float} and _NUMBER.fullmatch(stripped):
        return float(stripped)
    # If the feature accepts other categories, " Urban" is one of them, as it is in JSON.
    return stripped if feature.closed and stripped in feature.text_categories else text


def is_unlisted(feature: Feature, text: object) -> bool:
    """Return whether text plainly is none of the categories of a feature that takes no others."""
    return (
        feature.has_only_texts
        and isinstance(text, str)
        and text[:1] not in ("", "'")  # missing, or escaped for a spreadsheet
        and text not in feature.text_categories
        and text.strip() not in feature.text_categories
    )


def _sample_category(feature: Feature, text: str) -> Scalar:
    if not feature.categories or text in feature.text_categories:
        return text
    typed = SAMPLE_BOOLEANS.get(text, float(text.strip()) if is_number(text) else text)
    category = feature.category_equal_to(typed)
    return category if category is not None else text


def _quoted(text: str) -> str:
    shown = text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…"
    return f'"{shown}"'
