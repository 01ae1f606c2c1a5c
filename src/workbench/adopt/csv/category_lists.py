"""The columns that a model takes as pandas categories: their values, in the order of the codes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from model_service.columns.categories import ColumnCategories
from model_service.contract.contract import Contract, Feature
from model_service.contract.json_values import Scalar, json_text
from model_service.contract.typed_text import whole
from workbench.adopt.csv.sample import ColumnFacts, Sample
from workbench.adopt.problems import Problem, QuestionNames
from workbench.errors import listing
from workbench.inspect import Categories, ModelFacts

INTEGER = re.compile(r"-?(0|[1-9]\d*)")
Known = Mapping[str, Categories]  # by column


def known_categories(facts: ModelFacts, columns: Sequence[str], sample: Sample | None) -> Known:
    """Return the categories in the model file by column; `columns` are the model's, in order."""
    found = {columns[n]: entry for n, entry in facts.categories.items() if n < len(columns)}
    for name, entry in found.items():
        column = sample.columns.get(name) if sample is not None else None
        if entry.values == (0, 1) and column is not None and column.type == "boolean":
            # scikit-learn writes false and true as 0 and 1.
            found[name] = replace(entry, values=(False, True))
    return found


def model_categories(model: ModelFacts) -> Known:
    """Return the categories of the columns that the model itself takes."""
    return known_categories(model, model.feature_names or (), None)


def untransformed_categories(
    model: ModelFacts, joined: ModelFacts, transformed: Collection[tuple[str, ...] | None]
) -> Mapping[int, Categories]:
    """Return the categories of the model's columns that no transformer changes.

    `joined` are the facts of model and transformers as one. `transformed` holds the columns of each
    transformer, None for all columns.
    """
    if not transformed:
        return joined.categories
    if None in transformed:
        return {}
    changed = {name for names in transformed for name in names or ()}
    names = joined.feature_names or ()
    return {
        names.index(name): entry
        for name, entry in model_categories(model).items()
        if name in names and name not in changed
    }


def category_fields(
    known: Known, entry: Mapping[str, Any], sample: Sample | None
) -> dict[str, Any]:
    """Return the contract's fields for a feature that the model takes as a category."""
    categories = known.get(entry["name"])
    if categories is None or entry.get("one_hot") or entry.get("type", "category") != "category":
        return {}
    fields: dict[str, Any] = {"type": "category"}
    column = sample.columns.get(entry["name"]) if sample is not None else None
    if categories.values:
        fields["categories"] = [_without_point(value) for value in categories.values]
    elif not categories.coded and column is not None and column.categories and _has_point(column):
        # CatBoost refuses numbers with a decimal point, so these were texts in training.
        fields["categories"] = sorted(column.distinct)
    return fields


def _has_point(column: ColumnFacts) -> bool:
    return column.numeric and not all(INTEGER.fullmatch(cell) for cell in column.distinct)


def _without_point(value: Scalar) -> Scalar:
    return whole(value) if isinstance(value, float) else value


def complete_categories(
    known: Known, contract: Contract, previous: Mapping[str, ColumnCategories]
) -> Known:
    """Return the categories; values that the file does not have come from the contract.

    An edited contract can list them in another order than that of their codes. `previous` holds the
    categories of the model that is replaced, in that order.
    """
    features = contract.by_name
    return {
        name: replace(entry, values=_values(features[name], previous.get(name)))
        if entry.coded and not entry.values and name in features
        else entry
        for name, entry in known.items()
    }


def _values(feature: Feature, previous: ColumnCategories | None) -> tuple[Scalar, ...] | None:
    if feature.encoded or feature.categories is None:
        return None
    values = previous.values if previous is not None else None
    if values and {*_texts(values)} == {*_texts(feature.categories)}:
        return values
    return feature.categories


def check_category_lists(
    facts: ModelFacts, known: Known, names: QuestionNames
) -> Iterator[Problem]:
    """Yield a problem for categories that are unknown, or fewer than the model was trained on."""
    for name, entry in known.items():
        if not entry.coded:
            continue
        if not entry.values:
            yield Problem(
                "features",
                f"the model was trained on a pandas category {name}, and the file has its codes "
                f"only, as {facts.estimator} writes them. Give {names.sample_data} with all rows "
                f'of the training, or {names.features}= with the "categories" of {name} in the '
                "order of their codes (pandas sorts them).",
            )
        elif entry.max_code >= len(entry.values):
            yield Problem(
                "features",
                f"the model uses category number {entry.max_code + 1} of {name}, and only "
                f"{len(entry.values)} are known ({listing(_texts(entry.values))}). Give "
                f"{names.sample_data} with all rows of the training, or {names.features}= with all "
                f'"categories" of {name} in the order of their codes (pandas sorts them).',
            )


def category_notes(in_file: Known, known: Known) -> Iterator[str]:
    """Yield a note for each column whose categories are not in the model file."""
    for name, entry in known.items():
        if entry.values and not in_file[name].values:
            yield (
                f"The file has only the codes of the pandas category {name}; they are assumed "
                f"to be {', '.join(_texts(entry.values))}, in this order. Compare it with the "
                "training data."
            )


def _texts(values: Sequence[Scalar]) -> list[str]:
    return [json_text(value) for value in values]


def closed_categories(known: Known) -> dict[str, tuple[Scalar, ...]]:
    """Return the categories of the columns for which the model takes no other values."""
    return {name: entry.values for name, entry in known.items() if entry.coded and entry.values}


def manifest_categories(known: Known) -> dict[str, ColumnCategories]:
    """Return the manifest's entries, from which the service makes the columns."""
    return {
        name: ColumnCategories(entry.values or None, entry.dtype)
        for name, entry in known.items()
        if entry.values or not entry.coded
    }
