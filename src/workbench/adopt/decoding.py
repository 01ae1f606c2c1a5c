"""Rows as the model has them, read back as people say them: dummy columns and codes to categories.

The author's data has often passed through the author's own encoding; what `one_hot` and `encode` do
on the way in is undone here, so that such data serves as a sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_service.contract.contract import Contract, Feature, Row, Value, json_text, same_json
from model_service.contract.typed_text import SAMPLE_MISSING, sample_number


def as_people_say(row: Mapping[str, Any], contract: Contract) -> Row:
    """Return a row of another contract for the same model, as this one has it where it can."""
    said = {**row, **read_back(row, contract)}
    return {f.name: said[f.name] for f in contract.features if f.name in said}


def read_back(row: Mapping[str, Any], contract: Contract) -> Row:
    """Return the values of the encoded features of which the row only has the model's columns."""
    found: Row = {}
    for feature in contract.features:
        if not feature.encoded:
            continue
        value = row.get(feature.name)
        if _is_category(feature, value):
            continue
        if feature.one_hot is not None and set(feature.one_hot.values()) <= set(row):
            found[feature.name] = _of_dummies(feature, feature.one_hot, row)
        elif feature.encode is not None and (code := sample_number(value)) is not None:
            names = [name for name, given in feature.encode.items() if given == code]
            if names:
                found[feature.name] = _category(feature, names[0])
    return found


def _is_category(feature: Feature, value: Value) -> bool:
    """Tell whether a value is said as people say it."""
    code = sample_number(value)
    return any(
        json_text(category) == json_text(value) or (code is not None and same_json(category, code))
        for category in feature.categories or ()
    )


def _of_dummies(feature: Feature, columns: Mapping[str, str], row: Mapping[str, Any]) -> Value:
    codes = {name: sample_number(row[column]) for name, column in columns.items()}
    if any(code not in (0, 1) for code in codes.values()):
        missing = all(row[column] in (None, *SAMPLE_MISSING) for column in columns.values())
        return None if missing else "neither 0 nor 1"
    ones = [name for name, code in codes.items() if code == 1]
    if len(ones) > 1:
        return " and ".join(ones)  # which no contract takes
    if ones:
        return _category(feature, ones[0])
    # Categories without a column are all the same to the model.
    base = (c for c in feature.categories or () if json_text(c) not in columns)
    return next(base, None)


def _category(feature: Feature, name: str) -> Value:
    """Return the category of that JSON text, with its type."""
    return next((c for c in feature.categories or () if json_text(c) == name), None)
