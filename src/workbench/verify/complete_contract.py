"""Complete the contract with what the model really accepts."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from model_service.contract.contract import Batch, Contract, Feature, Row, Scalar
from model_service.model.model import Model
from workbench import files
from workbench.verify.trial import (
    ProofFailed,
    failure,
    failure_with_value,
    predictable_rows,
    with_features,
)

MAX_SHOWN_CATEGORIES = 10
MAX_TRIED = 64  # categories in one batch


def complete_contract(model: Model, derived: Mapping[str, Mapping[str, Any]]) -> Contract:
    """Return the contract with `nullable` and `strict` as the model needs them.

    `derived` holds, for each feature, the members that adopt derived from the sample: these are
    corrected. Those that a person declared must hold. Raises ProofFailed.
    """
    rows = predictable_rows(model)
    completed = {
        feature.name: _complete_feature(model, rows, feature, derived.get(feature.name, {}))
        for feature in model.contract.features
    }
    return with_features(model.contract, completed)


def _complete_feature(
    model: Model, rows: Sequence[Row], feature: Feature, derived: Mapping[str, Any]
) -> Feature:
    changes: dict[str, Any] = {}
    nullable = dataclasses.replace(feature, nullable=True)
    on_null = failure_with_value(model, rows, nullable, None)
    if "nullable" in derived:
        changes["nullable"] = on_null is None
    elif feature.nullable and on_null is not None:
        raise ProofFailed(
            f"{files.FEATURES} says that {feature.name} may be null, but the model fails "
            f'on it ({on_null}). Set "nullable" to false.'
        )
    for category in _doubtful_categories(model, rows[0], feature):
        on_category = failure_with_value(model, rows[:1], feature, category)
        if on_category is not None:
            raise ProofFailed(
                f"{files.FEATURES} lists {json.dumps(category)} for {feature.name}, but the model "
                f"fails on it ({on_category}). Take it from the list."
            )
    if feature.categories and ("strict" in derived or feature.strict is False):
        lenient = dataclasses.replace(feature, strict=False)
        on_unknown = failure_with_value(model, rows, lenient, _unknown_category(feature))
        if "strict" in derived:
            changes["strict"] = on_unknown is not None
        elif on_unknown is not None:
            raise ProofFailed(
                f"{files.FEATURES} says that {feature.name} takes other categories, but the "
                f'model fails on them ({on_unknown}). Set "strict" to true.'
            )
    return dataclasses.replace(feature, **changes)


def _doubtful_categories(model: Model, row: Row, feature: Feature) -> Iterator[Scalar]:
    """Yield the categories of those batches on which the model fails: there can be hundreds."""
    changed = model.with_contract(with_features(model.contract, {feature.name: feature}))
    categories = feature.categories or ()
    for start in range(0, len(categories), MAX_TRIED):
        tried = categories[start : start + MAX_TRIED]
        if failure(changed, Batch.of_rows([{**row, feature.name: c} for c in tried])) is not None:
            yield from tried


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
