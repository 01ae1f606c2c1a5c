"""The input columns that a model itself treats as categories."""

from __future__ import annotations

import math
from collections.abc import Mapping

from workbench.inspect.estimators.composite import input_chain
from workbench.inspect.estimators.input_features import InputFeatures
from workbench.inspect.facts import Categories
from workbench.inspect.formats import pickled_boosters
from workbench.inspect.pickle.arrays import values_of
from workbench.inspect.pickle.values import Instance


def category_columns(model: Instance, features: InputFeatures) -> Mapping[int, Categories]:
    """Return the categories by column, counted from 0.

    Without feature names the model takes the codes themselves, so coded columns are left out.
    """
    for node in input_chain(model):
        found: Mapping[int, Categories] = _of_hist_gradient_boosting(node)
        booster = pickled_boosters.facts_of(node)
        # A model behind a selection of features (RFE) counts other columns.
        if booster is not None and booster.n_features == features.count:
            found = booster.categories
        if found:
            return {n: c for n, c in found.items() if features.names or not c.coded}
    return {}


def _of_hist_gradient_boosting(node: Instance) -> dict[int, Categories]:
    """Return the categories that scikit-learn's HistGradientBoosting encodes, from 1.4."""
    flags = values_of(node.attribute("is_categorical_"))
    preprocessor = node.attribute("_preprocessor")
    if flags is None or not isinstance(preprocessor, Instance):
        return {}
    parts = preprocessor.attribute("transformers_")
    first = parts[0] if isinstance(parts, list) and parts else None
    encoder = first[1] if isinstance(first, tuple) and len(first) > 1 else None
    lists = encoder.attribute("categories_") if isinstance(encoder, Instance) else None
    columns = [number for number, flag in enumerate(flags) if flag is True]
    found: dict[int, Categories] = {}
    if not isinstance(lists, list) or len(lists) != len(columns):
        return found
    for column, array in zip(columns, lists, strict=True):
        values = [value for value in values_of(array) or () if not _is_missing(value)]
        labels = tuple(v for v in values if isinstance(v, str | int | float))
        if labels and len(labels) == len(values):
            found[column] = Categories(labels)
    return found


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
