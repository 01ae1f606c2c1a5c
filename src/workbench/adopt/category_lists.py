"""The columns that a model takes as categories: what their categories are, and in which order."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from model_service.contract.contract import Contract, Feature, Scalar, json_text
from model_service.contract.typed_text import whole
from workbench.adopt.sample import ColumnFacts, Sample
from workbench.errors import listing
from workbench.inspect import Categories, ModelFacts

WHOLE = re.compile(r"-?(0|[1-9]\d*)")
Known = dict[str, Categories]  # by the name of the column


def known_categories(facts: ModelFacts, columns: Sequence[str], sample: Sample | None) -> Known:
    """Return what the model file says of its categories, by the names of the model's columns."""
    found = {columns[n]: column for n, column in facts.categories.items() if n < len(columns)}
    for name, column in found.items():
        cells = sample.columns.get(name) if sample is not None else None
        if column.values == (0, 1) and cells is not None and cells.type == "boolean":
            # scikit-learn writes false and true as 0 and 1.
            found[name] = replace(column, values=(False, True))
    return found


def of_model(model: ModelFacts) -> Known:
    """Return the categories of the model's own columns, whatever comes before the model."""
    return known_categories(model, model.feature_names or (), None)


def before_transformers(
    model: ModelFacts, facts: ModelFacts, chosen: Collection[tuple[str, ...] | None]
) -> ModelFacts:
    """Return the facts of model and transformers with the categories that no transformer makes."""
    if not chosen:
        return facts
    touched = None if None in chosen else {name for names in chosen for name in names or ()}
    names = facts.feature_names or ()
    left = {
        names.index(name): column
        for name, column in of_model(model).items()
        if touched is not None and name in names and name not in touched
    }
    return replace(facts, categories=left)


def said_of(known: Known, entry: Mapping[str, Any], sample: Sample | None) -> dict[str, Any]:
    """Return what the model says of a feature, in the words of the contract."""
    column = known.get(entry["name"])
    if column is None or entry.get("one_hot") or entry.get("type", "category") != "category":
        return {}
    said: dict[str, Any] = {"type": "category"}
    cells = sample.columns.get(entry["name"]) if sample is not None else None
    if column.values:
        said["categories"] = [_as_said(value) for value in column.values]
    elif not column.coded and cells is not None and cells.categories and _pointed(cells):
        # CatBoost refuses numbers with a point, so that the training had them as texts.
        said["categories"] = sorted(cells.distinct)
    return said


def _pointed(cells: ColumnFacts) -> bool:
    return cells.numeric and not all(WHOLE.fullmatch(cell) for cell in cells.distinct)


def _as_said(value: Scalar) -> Scalar:
    return whole(value) if isinstance(value, float) else value


def completed(known: Known, contract: Contract, previous: Mapping[str, Any] | None) -> Known:
    """Return the categories; those that the file does not have are the contract's.

    A contract that was edited may list them in another order than that of their codes, which
    the manifest of the model before still has.
    """
    features = contract.by_name
    before = previous["categories"] if previous else {}
    return {
        name: replace(column, values=_listed(features[name], before.get(name)))
        if column.coded and not column.values and name in features
        else column
        for name, column in known.items()
    }


def _listed(feature: Feature, before: Mapping[str, Any] | None) -> tuple[Scalar, ...] | None:
    if feature.encoded or feature.categories is None:
        return None
    codes = before["values"] if before is not None else None
    if codes and {*_texts(codes)} == {*_texts(feature.categories)}:
        return tuple(codes)
    return feature.categories


def problems(facts: ModelFacts, known: Known) -> Iterator[str]:
    """Say which categories nobody knows, or cannot be all that the model was trained on."""
    for name, column in known.items():
        if not column.coded:
            continue
        if not column.values:
            yield (
                f"features: the model was trained on a pandas category {name}, and the file has "
                f"its codes only, as {facts.estimator} writes them. Give sample_data with all rows "
                f'of the training, or features= with the "categories" of {name} in the order of '
                "their codes (pandas sorts them)."
            )
        elif column.most_code >= len(column.values):
            yield (
                f"features: the model asks {name} for category number {column.most_code + 1}, and "
                f"only {len(column.values)} are known ({listing(_texts(column.values))}). Give "
                f'sample_data with all rows of the training, or features= with all "categories" '
                f"of {name} in the order of their codes (pandas sorts them)."
            )


def notices(told: Known, known: Known) -> Iterator[str]:
    """Say which categories, and in which order, were taken from elsewhere than the file."""
    for name, column in known.items():
        if column.values and not told[name].values:
            yield (
                f"The file has only the codes of the pandas category {name}; they are taken for "
                f"{', '.join(_texts(column.values))}, in this order. Check it with the training."
            )


def _texts(values: Sequence[Scalar]) -> list[str]:
    return [json_text(value) for value in values]


def enforced(known: Known) -> dict[str, tuple[Scalar, ...]]:
    """Return the categories of those columns that take no others."""
    return {name: column.values for name, column in known.items() if column.coded and column.values}


def to_json(known: Known) -> dict[str, Any]:
    """Return what the service needs to make the columns again."""
    return {
        name: {"values": list(column.values) if column.values else None, "dtype": column.dtype}
        for name, column in known.items()
        if column.values or not column.coded
    }
