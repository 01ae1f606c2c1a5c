"""Validate the rows of a request against the contract: all problems, each naming row and feature.

Standard library only.
"""

from __future__ import annotations

import datetime
import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from model_service.contract.contract import (
    Batch,
    Contract,
    Feature,
    Invalid,
    Problem,
    Scalar,
    Value,
    json_text,
    json_type,
    same_json,
)

INTEGER_LIMIT = 2**63  # models hold whole numbers in 64 bits
# datetime64[ns], which models are trained on, holds these years in full.
EARLIEST, LATEST = datetime.date(1678, 1, 1), datetime.date(2261, 12, 31)
# A hostile request can hold 100,000 unknown names, and each search for a similar one costs time.
MAX_SUGGESTIONS = 20
MAX_LISTED = 20  # categories in one message


def parse_rows(contract: Contract, rows: Sequence[object]) -> Batch:
    """Return the valid rows, and every problem of the others."""
    features = contract.features
    valid: list[list[Value]] = []
    row_numbers: list[int] = []
    problems: list[Problem] = []
    suggestions = Suggestions(contract.by_name)
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            message = f"must be an object of features, not {json_type(row)}"
            problems.append(Problem(number, None, message))
            continue
        found = len(problems)
        values: list[Value] = []
        for feature in features:
            if feature.name not in row:
                continue
            try:
                values.append(parse_value(feature, row[feature.name]))
            except Invalid as error:
                message = str(error) + suggestions.for_value(row[feature.name], feature)
                problems.append(Problem(number, feature.name, message, reason=error.reason))
        if len(row) != len(features) or len(values) != len(features):
            problems += _misnamed(contract, number, row, suggestions)
        if len(problems) == found:
            row_numbers.append(number)
            valid.append(values)
    columns = map(list, zip(*valid, strict=True)) if valid else ([] for _ in features)
    return Batch(dict(zip(contract.by_name, columns, strict=True)), row_numbers, problems)


def _misnamed(
    contract: Contract, number: int, row: Mapping[str, object], suggestions: Suggestions
) -> Iterable[Problem]:
    for name in row:
        if name not in contract.by_name:
            message = "unknown feature" + suggestions.for_name(name, row)
            yield Problem(number, name, message, reason="unknown")
    for feature in contract.features:
        if feature.name not in row:
            yield Problem(number, feature.name, "is missing", reason="missing")


def parse_value(feature: Feature, value: object) -> Value:
    """Return a JSON value as the model meets it. Raises Invalid."""
    if value is None:
        if feature.nullable:
            return None
        raise Invalid("must not be null", "null")
    return _PARSERS[feature.type](feature, value)


def _parse_number(feature: Feature, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Invalid(f"must be a number, not {json_type(value)}")
    try:
        number = float(value)
    except OverflowError:
        raise Invalid("is too large for a number", "range") from None
    if not math.isfinite(number):
        raise Invalid("must be a finite number", "range")
    if feature.strict and feature.minimum is not None and number < feature.minimum:
        raise Invalid(f"must be at least {feature.minimum:.15g}", "range")
    if feature.strict and feature.maximum is not None and number > feature.maximum:
        raise Invalid(f"must be at most {feature.maximum:.15g}", "range")
    return number


def _parse_integer(feature: Feature, value: object) -> int:
    number = _parse_number(feature, value)
    if number != math.floor(number):
        raise Invalid("must be a whole number")
    exact = value if isinstance(value, int) else int(number)  # no float equals 2**53 + 1
    if abs(exact) >= INTEGER_LIMIT:
        raise Invalid("is too large for a whole number", "range")
    return exact


def _parse_boolean(feature: Feature, value: object) -> bool:
    if not isinstance(value, bool):
        raise Invalid(f"must be true or false, not {json_type(value)}")
    return value


def _parse_text(feature: Feature, value: object) -> str:
    text = _text(value)
    if feature.max_characters is not None and len(text) > feature.max_characters:
        limit = f"must be text of at most {feature.max_characters} characters, not {len(text)}"
        raise Invalid(limit, "range")
    return text


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Invalid(f"must be text, not {json_type(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Invalid("must be text that UTF-8 can hold") from None
    return value


def _parse_date(feature: Feature, value: object) -> str:
    text = _text(value)
    try:
        date = datetime.date.fromisoformat(text)
    except ValueError:
        raise Invalid("must be a date as YYYY-MM-DD") from None
    if date.isoformat() != text:  # Python 3.11 and later accept more than YYYY-MM-DD
        raise Invalid("must be a date as YYYY-MM-DD")
    if not EARLIEST <= date <= LATEST:
        raise Invalid(f"must be from {EARLIEST} to {LATEST}", "range")
    return text


def _parse_category(feature: Feature, value: object) -> Scalar:
    if feature.categories is None:
        return _parse_text(feature, value)
    if isinstance(value, str) and value in feature.text_categories:
        return value
    for category in feature.categories:
        if same_json(category, value):
            return category
    if not feature.closed:
        # Other categories must have the type that the model was trained on.
        return (_parse_text if feature.category_type == "text" else _parse_number)(feature, value)
    shown = ", ".join(json_text(category) for category in feature.categories[:MAX_LISTED])
    more = ", …" if len(feature.categories) > MAX_LISTED else ""
    raise Invalid(f"must be one of {shown}{more}", "category")


_PARSERS: Mapping[str, Callable[[Feature, object], Value]] = {
    "number": _parse_number,
    "integer": _parse_integer,
    "category": _parse_category,
    "boolean": _parse_boolean,
    "text": _parse_text,
    "date": _parse_date,
}


class Suggestions:
    """The nearest known name or category for a misspelt one, at most MAX_SUGGESTIONS a request."""

    def __init__(self, known: Mapping[str, object]) -> None:
        self._known = known
        self._left = MAX_SUGGESTIONS

    def for_name(self, name: str, row: Mapping[str, object]) -> str:
        """Return "; did you mean X?" for a feature that the row lacks, or nothing."""
        return self._nearest(name, (known for known in self._known if known not in row))

    def for_value(self, value: object, feature: Feature) -> str:
        """Return "; did you mean X?" for a category of the feature, or nothing."""
        if feature.categories is None or not isinstance(value, str):
            return ""
        return self._nearest(value, (c for c in feature.categories if isinstance(c, str)))

    def _nearest(self, word: str, known: Iterable[str]) -> str:
        if self._left == 0:
            return ""
        self._left -= 1
        return did_you_mean(word, known)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean X?" for the nearest known name, or nothing."""
    near = nearest(name, known)
    return f"; did you mean {near}?" if near is not None else ""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name with the most similar spelling, or None if none is similar."""
    folded = {candidate.casefold(): candidate for candidate in known}
    near = difflib.get_close_matches(name[:200].casefold(), list(folded), n=1)
    return folded[near[0]] if near else None
