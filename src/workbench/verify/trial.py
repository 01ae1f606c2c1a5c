"""Try what the loaded model predicts, and what it fails on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from model_service.contract.batch import Batch, listed
from model_service.contract.contract import Contract, Feature
from model_service.contract.json_values import Row, Value, json_text
from model_service.contract.parsing import parse_rows
from model_service.model.model import Model
from workbench import files
from workbench.errors import listing

MAX_ERROR_CHARACTERS = 200
# Rows with which a value of a feature is tried.
TRIAL_ROWS = 3
NO_SAMPLE = (
    "This row is made up, because no sample was given: give sample_data, a CSV of typical rows, or "
    "a features file that says what each feature is."
)


class ProofFailed(Exception):
    """The model does not do what its contract or its golden predictions say.

    `output` are members of the contract's output with which it would.
    """

    def __init__(self, message: str, output: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.output = output or {}


def failure(model: Model, batch: Batch) -> str | None:
    """Return why the model cannot predict a batch, or None if it can.

    Raises ModelActed, and MemoryError.
    """
    try:
        predictions = model.predict(batch)
    except MemoryError:  # not caused by the values
        raise
    except Exception as error:  # whatever a model raises, it does not accept the batch
        first_line = next(iter(str(error).splitlines()), "")
        return f"{type(error).__name__}: {first_line[:MAX_ERROR_CHARACTERS]}"
    if any(prediction["prediction"] is None for prediction in predictions):
        return "the prediction is not a number"
    return None


def refusal(model: Model, batch: Batch) -> str | None:
    """Return why the model does not take a batch, or None.

    It does not if it fails, nor if a value is lost on the way to one of its pandas categories.
    """
    if (reason := failure(model, batch)) is not None:
        return reason
    if unknown := model.unknown_categories(batch):
        return f"the model was trained on other values of {listing(unknown)}"
    return None


def failure_with_value(
    model: Model, rows: Sequence[Row], feature: Feature, value: Value
) -> str | None:
    """Return why the model cannot predict rows with a value of a feature, or None if it can.

    `feature` takes the place of the contract's feature of the same name.
    """
    changed = model.with_contract(with_features(model.contract, {feature.name: feature}))
    with_value = [{**row, feature.name: value} for row in rows[:TRIAL_ROWS]]
    return refusal(changed, Batch.of_rows(with_value))


def failure_with_nulls(
    model: Model, rows: Sequence[Row], features: Sequence[Feature]
) -> str | None:
    """Return why the model cannot predict rows without one of the features, each in turn."""
    nullable = {f.name: dataclasses.replace(f, nullable=True) for f in features}
    changed = model.with_contract(with_features(model.contract, nullable))
    some = Batch.of_rows(rows[:TRIAL_ROWS])
    columns = {name: listed(values) * len(features) for name, values in some.columns.items()}
    for number, feature in enumerate(features):
        place = slice(number * len(some), (number + 1) * len(some))
        columns[feature.name][place] = [None] * len(some)
    return failure(changed, Batch(columns, range(1, len(some) * len(features) + 1)))


def with_features(contract: Contract, changed: Mapping[str, Feature]) -> Contract:
    """Return the contract with other features of the same names."""
    features = tuple(changed.get(feature.name, feature) for feature in contract.features)
    return dataclasses.replace(contract, features=features)


def example_rows(model: Model) -> list[Row]:
    """Return the example rows that the contract accepts. Raises ProofFailed if it accepts none."""
    # Each by itself: an edited contract may refuse some of them.
    parsed = [parse_rows(model.contract, [row]) for row in model.manifest.examples]
    rows = [row for batch in parsed for row in batch.rows()]
    if not rows:
        raise ProofFailed(
            f"{files.FEATURES} takes none of the example rows; undo the edit, or run make adopt "
            "with SAMPLE= and rows that fit."
        )
    return rows


def predictable_rows(model: Model) -> list[Row]:
    """Return the example rows that the model predicts. Raises ProofFailed if it fails on others.

    Three kinds may fail: real rows with missing values, because the feature is then not nullable,
    rows with a category that the model does not know, and made-up rows, as long as one works.
    """
    # Of real rows the values fit together; of those that adopt has mixed or made up some may not.
    made_up = model.manifest.sample is None
    mixed = model.contract.examples == "mixed"
    predictable, failed = [], []
    rows = example_rows(model)
    if refusal(model, Batch.of_rows(rows)) is None:
        return rows
    for row in rows:
        reason = failure(model, Batch.of_rows([row]))
        if reason is None:
            if not model.unknown_categories(Batch.of_rows([row])):
                predictable.append(row)
        else:
            failed.append((row, reason))
    real = not made_up and not mixed
    serious = [(row, why) for row, why in failed if real and None not in row.values()]
    if serious or not predictable:
        row, reason = (serious or failed)[0]
        hint = _encoding_hint(model, row) or (NO_SAMPLE if made_up else "")
        message = f"The model fails on {json.dumps(row, ensure_ascii=False)}: {reason}."
        raise ProofFailed(f"{message} {hint}".rstrip())
    return predictable


def _encoding_hint(model: Model, row: Row) -> str:
    """Return how to encode text as numbers, if the model predicts the row with numbers instead.

    The author's app encoded them before it called the model.
    """
    texts = [
        feature
        for feature in model.contract.features
        if feature.categories and not feature.encoded and feature.category_type != "number"
    ]
    encoded = {
        feature.name: dataclasses.replace(
            feature,
            encode={json_text(c): number for number, c in enumerate(feature.categories or ())},
        )
        for feature in texts
    }
    with_numbers = model.with_contract(with_features(model.contract, encoded))
    if not texts or failure(with_numbers, Batch.of_rows([row])) is not None:
        return ""
    first = encoded[texts[0].name]
    example = {
        "name": first.name,
        "categories": list(first.categories or ()),
        "encode": first.encode,
    }
    return (
        f"The model takes numbers, and {listing([*encoded])} are text. If fitted encoders make "
        "numbers of them, answer transformers with all fitted files in the order of your app, "
        "encoders before a scaler. If your own code does, say in a features file which numbers, "
        f"such as {json.dumps(example, ensure_ascii=False)}"
    )
