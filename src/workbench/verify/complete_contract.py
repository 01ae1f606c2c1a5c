"""Complete the contract with what the model really accepts."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from model_service.contract.batch import Batch
from model_service.contract.contract import Contract, Feature
from model_service.contract.json_values import Row, Scalar
from model_service.model.model import Model
from workbench import files
from workbench.verify.trial import (
    TRIAL_ROWS,
    ProofFailed,
    failure,
    failure_with_nulls,
    failure_with_value,
    predictable_rows,
    refusal,
    with_features,
)

MAX_SHOWN_CATEGORIES = 10
# Of the rows with which null is tried at once, and of the frames that may fail on it. A model of
# hundreds of features is asked about each of them, even if it takes no null.
MAX_TRIED_CELLS, MAX_FAILED_CELLS, MIN_FAILURES = 2_000_000, 100_000, 20


def complete_contract(model: Model, derived: Mapping[str, Mapping[str, Any]]) -> Contract:
    """Return the contract with `nullable` and `strict` as the model needs them.

    `derived` holds, for each feature, the members that adopt derived from the sample: these are
    corrected. Those that a person declared must hold. Raises ProofFailed.
    """
    rows = predictable_rows(model)
    features = model.contract.features
    nullable = _nullable(model, rows, derived)
    completed = {
        feature.name: _complete_feature(model, rows, feature, derived.get(feature.name, {}))
        for feature in (
            dataclasses.replace(f, nullable=f.name in nullable)
            if "nullable" in derived.get(f.name, {})
            else f
            for f in features
        )
    }
    return with_features(model.contract, completed)


def _nullable(
    model: Model, rows: Sequence[Row], derived: Mapping[str, Mapping[str, Any]]
) -> set[str]:
    """Return the features that the model takes without a value, of those that adopt derived.

    Many are tried at once, each in rows of its own, and a group that fails is halved. A model that
    has failed on many of thousands of columns is not asked about each of the others: they stay as
    the sample has them without missing values. Raises ProofFailed if null was declared and fails.
    """
    asked = [f for f in model.contract.features if "nullable" in derived.get(f.name, {})]
    width = len(model.contract.column_kinds)
    size = max(1, MAX_TRIED_CELLS // (TRIAL_ROWS * width))
    max_failures = max(MIN_FAILURES, MAX_FAILED_CELLS // width)
    groups = [asked[start : start + size] for start in range(0, len(asked), size)]
    found: set[str] = set()
    failures = 0
    while groups:
        group = groups.pop()
        if failures >= max_failures:
            group = [feature for feature in group if feature.nullable]
        if not group:
            continue
        if failure_with_nulls(model, rows, group) is None:
            found |= {feature.name for feature in group}
            continue
        failures += 1
        if len(group) > 1:
            middle = len(group) // 2
            groups += [group[:middle], group[middle:]]
    for feature in model.contract.features:
        if feature.nullable and feature not in asked:
            reason = failure_with_value(model, rows, feature, None)
            if reason is not None:
                raise ProofFailed(
                    f"{files.FEATURES} says that {feature.name} can be null, but the model fails "
                    f'on it ({reason}). Set "nullable" to false.'
                )
    return found


def _complete_feature(
    model: Model, rows: Sequence[Row], feature: Feature, derived: Mapping[str, Any]
) -> Feature:
    feature = _with_known_categories(model, rows, feature, derived)
    if not feature.categories or not ("strict" in derived or feature.strict is False):
        return feature
    lenient = dataclasses.replace(feature, strict=False)
    on_unknown = failure_with_value(model, rows, lenient, _unknown_category(feature))
    if "strict" in derived:
        return dataclasses.replace(feature, strict=on_unknown is not None)
    if on_unknown is not None:
        raise ProofFailed(
            f"{files.FEATURES} says that {feature.name} takes other categories, but the "
            f'model fails on them ({on_unknown}). Set "strict" to true.'
        )
    return feature


def _with_known_categories(
    model: Model, rows: Sequence[Row], feature: Feature, derived: Mapping[str, Any]
) -> Feature:
    """Return the feature without derived categories that the model was not trained on.

    Raises ProofFailed if the model fails on one, or if a declared one is lost on the way to it.
    """
    categories = feature.categories or ()
    with_each = [{**rows[0], feature.name: category} for category in categories]
    if not categories or refusal(model, Batch.of_rows(with_each)) is None:
        return feature
    known = []
    for category, row in zip(categories, with_each, strict=True):
        reason = refusal(model, batch := Batch.of_rows([row]))
        if reason is None:
            known.append(category)
        elif "categories" not in derived or failure(model, batch) is not None:
            raise ProofFailed(
                f"{files.FEATURES} lists {json.dumps(category)} for {feature.name}, but the model "
                f"fails on it ({reason}). Take it from the list."
            )
    return dataclasses.replace(feature, categories=tuple(known)) if known else feature


def _unknown_category(feature: Feature) -> Scalar:
    """Return a value of the categories' type that is none of them."""
    categories = feature.categories or ()
    numbers = [c for c in categories if isinstance(c, (int, float))]
    return max(numbers) + 1 if numbers and len(numbers) == len(categories) else "a new category"


def check_encoders(model: Model) -> None:
    """Compare the contract with the categories that the model's encoders were fitted on.

    An encoder that ignores unknown values would accept numbers instead of text silently. Raises
    ProofFailed.
    """
    kinds = model.contract.column_kinds
    for name, values in _fitted_categories(model.estimator):
        known = [v for v in values if isinstance(v, (str, bool, int)) or _is_finite(v)]
        fitted_on_text = any(isinstance(value, str) for value in known)
        kind = kinds.get(name, "object")
        if not known or kind == "object" or (kind == "text") == fitted_on_text:
            continue
        shown = json.dumps(known[:MAX_SHOWN_CATEGORIES], ensure_ascii=False)
        raise ProofFailed(
            f"{files.FEATURES} has {name} as a {'number' if fitted_on_text else 'text'}, but the "
            f"model was trained on {shown}. Give sample_data, or a features file with its "
            "categories."
        )


def _is_finite(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _fitted_categories(estimator: Any) -> Iterator[tuple[str, list[Any]]]:
    """Yield each column that an encoder of a ColumnTransformer was fitted on, with its values."""
    inner = [getattr(estimator, name, None) for name in ("best_estimator_", "estimator_")]
    inner += [step for _, step in getattr(estimator, "steps", ())]
    for part in inner:
        if part is not None:
            yield from _fitted_categories(part)
    for _, transformer, columns in getattr(estimator, "transformers_", ()):
        for step in [transformer, *(s for _, s in getattr(transformer, "steps", ()))]:
            categories = getattr(step, "categories_", None)
            # If a step before dropped a column, the positions do not match.
            if isinstance(categories, list) and len(categories) == len(columns):
                for column, values in zip(columns, categories, strict=True):
                    if isinstance(column, str):
                        yield column, values.tolist()
