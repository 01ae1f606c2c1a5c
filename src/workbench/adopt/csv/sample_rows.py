"""Rows of a sample as a request has them: typed, and with categories for dummy columns and codes.

Training data has often passed through the author's own encoding. What `one_hot` and `encode` do to
a request is undone here, so that such data serves as a sample.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from model_service.contract.contract import Contract, Feature
from model_service.contract.json_values import Row, Value, json_text, same_json
from model_service.contract.parsing import parse_rows
from model_service.contract.typed_text import SAMPLE_MISSING, sample_number, sample_value, whole
from workbench.adopt.csv.sample import MAX_EXAMPLES, ColumnFacts, Sample
from workbench.adopt.problems import AnswerError, Problem

_NUMBERS = ("number", "integer")


def examples(
    contract: Contract, sample: Sample | None, previous: Sequence[Mapping[str, Any]]
) -> list[Row]:
    """Return rows that the contract takes: of the sample, of the previous model, or invented.

    Raises AnswerError if the sample has no such row.
    """
    if sample is not None:
        rows = rows_of(contract, sample, sample.examples)
        problems = [parse_rows(contract, [row]).problems for row in rows]
        valid = [row for row, found in zip(rows, problems, strict=True) if not found]
        if not valid:
            first = problems[0][0]
            message = (
                f"no row of {sample.path.name} fits the features; in the first one {first.feature} "
                f"{first.message}."
            )
            raise AnswerError(Problem("sample_data", message))
        chosen = valid[:: max(1, len(valid) // MAX_EXAMPLES)][:MAX_EXAMPLES]
        return chosen if contract.examples == "whole" else mixed(chosen)
    kept = [decode_row(row, contract) for row in previous]
    kept = [row for row in kept if not parse_rows(contract, [row]).problems]
    return kept or [
        {feature.name: plausible_value(feature, number) for feature in contract.features}
        for number in range(3)
    ]


def mixed(rows: Sequence[Row]) -> list[Row]:
    """Return rows with the same values of each feature, of which none tells which row it is from.

    The values of each feature are sorted before they are dealt out: what is left of the order of
    the sample would be enough to put its rows together again.
    """
    numbers = range(len(rows))
    columns: dict[str, list[Value]] = {}
    for name in rows[0]:
        values = sorted((row[name] for row in rows), key=_sorting_key)
        dealt = sorted(numbers, key=lambda n: hashlib.sha256(f"{name}\0{n}".encode()).digest())
        columns[name] = [values[place] for place in dealt]
    return [{name: values[number] for name, values in columns.items()} for number in numbers]


def _sorting_key(value: Value) -> tuple[str, Any]:
    return ("", 0) if value is None else (type(value).__name__, value)


def rows_of(contract: Contract, sample: Sample, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return rows of a sample as a request has them."""
    if sample.typed:
        values = [{f.name: row.get(f.name) for f in contract.features} for row in rows]
    else:
        odd = _odd_columns(contract, sample)
        cells = [{**row, **{n: c.plain(row[n]) for n, c in odd.items()}} for row in rows]
        values = [
            {f.name: sample_value(f, row.get(f.name, "")) for f in contract.features}
            for row in cells
        ]
    encoded = any(feature.encoded for feature in contract.features)
    return [
        {**found, **decoded_values(row, contract)} if encoded else found
        for found, row in zip(values, rows, strict=True)
    ]


def _odd_columns(contract: Contract, sample: Sample) -> dict[str, ColumnFacts]:
    """Return the columns of numbers whose cells pandas does not read as such."""
    numbers = (feature.name for feature in contract.features if feature.type in _NUMBERS)
    columns = {name: sample.columns[name] for name in numbers if name in sample.columns}
    return {name: column for name, column in columns.items() if not column.is_plain}


def column_of(entry: Mapping[str, Any], sample: Sample) -> ColumnFacts | None:
    """Return a feature's column in a sample, an empty one if only its dummy columns are there."""
    dummies = set((entry.get("one_hot") or {}).values())
    if entry["name"] not in sample.columns and dummies and dummies <= set(sample.columns):
        return ColumnFacts(entry["name"])
    return sample.columns.get(entry["name"])


def decode_row(row: Mapping[str, Any], contract: Contract) -> Row:
    """Return a row of another contract for the same model as a row of this one, if possible."""
    values = {**row, **decoded_values(row, contract)}
    return {f.name: values[f.name] for f in contract.features if f.name in values}


def decoded_values(row: Mapping[str, Any], contract: Contract) -> Row:
    """Return the encoded features of which the row has only the model's columns."""
    found: Row = {}
    for feature in contract.features:
        if not feature.encoded:
            continue
        value = row.get(feature.name)
        if _is_category(feature, value):
            continue
        if feature.one_hot is not None and set(feature.one_hot.values()) <= set(row):
            found[feature.name] = _from_dummies(feature, feature.one_hot, row)
        elif feature.encode is not None and (code := sample_number(value)) is not None:
            names = [name for name, number in feature.encode.items() if number == code]
            if names:
                found[feature.name] = _category(feature, names[0])
    return found


def _is_category(feature: Feature, value: Value) -> bool:
    """Return whether a value is one of the categories, not their code."""
    number = sample_number(value)
    return any(
        json_text(category) == json_text(value)
        or (number is not None and same_json(category, number))
        for category in feature.categories or ()
    )


def _from_dummies(feature: Feature, columns: Mapping[str, str], row: Mapping[str, Any]) -> Value:
    codes = {name: sample_number(row[column]) for name, column in columns.items()}
    if any(code not in (0, 1) for code in codes.values()):
        missing = all(row[column] in (None, *SAMPLE_MISSING) for column in columns.values())
        return None if missing else "neither 0 nor 1"
    ones = [name for name, code in codes.items() if code == 1]
    if len(ones) > 1:
        return " and ".join(ones)  # no contract takes it
    if ones:
        return _category(feature, ones[0])
    # Categories without a column are all zeros, so any of them will do.
    without_column = (c for c in feature.categories or () if json_text(c) not in columns)
    return next(without_column, None)


def _category(feature: Feature, text: str) -> Value:
    """Return the category with that JSON text, with its type."""
    return next((c for c in feature.categories or () if json_text(c) == text), None)


def plausible_value(feature: Feature, number: int) -> Any:
    """Return an invented value of a feature for the row with that number."""
    if feature.default is not None and number == 0:
        return feature.default
    if feature.categories is not None:
        return feature.categories[number % len(feature.categories)]
    if feature.type in ("number", "integer"):
        low = feature.minimum if feature.minimum is not None else 0
        high = feature.maximum if feature.maximum is not None else low + 2
        return whole(float(low + (high - low) * number // 2))
    simple = {"boolean": number % 2 == 0, "date": f"2024-0{number + 1}-15"}
    return simple.get(feature.type, ["some text", "another text", "more text"][number % 3])
