"""The text categories that the encoders in a model or a transformer were fitted on."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.inspect.estimators.composite import input_chain, steps_of
from workbench.inspect.estimators.explainable_boosting import categories_of, is_ebm
from workbench.inspect.estimators.input_features import input_features
from workbench.inspect.estimators.sklearn_classes import rules_of
from workbench.inspect.facts import ClassLabel
from workbench.inspect.pickle.arrays import plain, values_of
from workbench.inspect.pickle.values import Array, Dict, Instance


def labels_of(array: object) -> tuple[ClassLabel, ...] | None:
    """Return the categories in an array, or None if they cannot be read."""
    values = values_of(array)
    # NaN among the values is a missing value, not a category.
    present = [v for v in values or () if v is not None and v == v]
    labels = tuple(v for v in present if isinstance(v, str | int | float))
    return labels if labels and len(labels) == len(present) else None


def encoded_texts(root: object) -> dict[str, tuple[ClassLabel, ...]]:
    """Return the categories of the columns that are encoded from text, by column name.

    Only parts that receive the input features unchanged count. Encoded numbers are not included.
    """
    found: dict[str, tuple[ClassLabel, ...]] = {}
    for part in input_chain(root) if isinstance(root, Instance) else ():
        if is_ebm(part.cls):
            found.update({name: texts for name, texts in categories_of(part).items() if texts})
        for names, encoder in _encoders(part):
            arrays = encoder.attribute("categories_")
            # If an earlier step dropped a column, positions no longer match.
            if not isinstance(arrays, list) or len(arrays) != len(names):
                continue
            for name, array in zip(names, arrays, strict=True):
                labels = labels_of(array)
                if labels and all(isinstance(label, str) for label in labels):
                    found.setdefault(name, labels)
    return found


def _encoders(part: Instance) -> Iterator[tuple[list[str], Instance]]:
    """Yield the encoders of a part, each with its column names."""
    names = input_features(part).names
    if names is None:
        return
    if rules_of(part.cls.name).encodes_categories:
        yield list(names), part
    for transformer, columns in transformed_columns(part):
        encoder = _encoder(transformer) if isinstance(transformer, Instance) else None
        if encoder is not None:
            yield columns, encoder


def transformed_columns(part: Instance) -> Iterator[tuple[object, list[str]]]:
    """Yield each transformer of a ColumnTransformer, or "passthrough", with its column names."""
    names = input_features(part).names
    if names is None:
        return
    positions = part.attribute("_transformer_to_input_indices")  # of a ColumnTransformer
    transformers = part.attribute("transformers_")
    if not isinstance(transformers, list) or not isinstance(positions, Dict):
        return
    for entry in transformers:
        name, transformer, _ = (
            entry if isinstance(entry, tuple) and len(entry) == 3 else (None,) * 3
        )
        columns = _columns(positions.get(name), names) if isinstance(name, str) else None
        if columns is not None:
            yield transformer, columns


def _encoder(transformer: Instance) -> Instance | None:
    """Return the encoder that a transformer is, or that its first steps lead to unchanged."""
    for step in [step for _, step in steps_of(transformer)] or [transformer]:
        if not isinstance(step, Instance):  # "passthrough"
            continue
        rules = rules_of(step.cls.name)
        if rules.encodes_categories:
            return step
        if not rules.keeps_categories:
            return None
    return None


def _columns(positions: object, names: tuple[str, ...]) -> list[str] | None:
    """Return the names at these positions, or None if one is no position."""
    positions = values_of(positions) if isinstance(positions, Array) else positions
    numbers = [plain(position) for position in positions] if isinstance(positions, list) else []
    found = [names[n] for n in numbers if type(n) is int and 0 <= n < len(names)]
    return found if len(found) == len(numbers) else None
