"""The texts that the encoders in a model or a transformer were fitted on."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.inspect.estimators.fitted import features_of, fitted_on, steps_of
from workbench.inspect.facts import ClassLabel
from workbench.inspect.pickle.arrays import plain, values_of
from workbench.inspect.pickle.values import Array, Dict, Instance

ENCODERS = frozenset(("OneHotEncoder", "OrdinalEncoder", "TargetEncoder"))
# What may come before an encoder: it leaves all values as they are but the missing ones.
KEEPING = frozenset(("SimpleImputer",))


def labels_of(array: object) -> tuple[ClassLabel, ...] | None:
    """Return the categories in an array, or None where they cannot be told."""
    values = values_of(array)
    # NaN among them is a missing value, not a category.
    present = [v for v in values or () if v is not None and v == v]
    labels = tuple(v for v in present if isinstance(v, str | int | float))
    return labels if labels and len(labels) == len(present) else None


def fitted_texts(root: object) -> dict[str, tuple[ClassLabel, ...]]:
    """Return the categories of the columns that are encoded from text, by name.

    Of the parts that see the features as they come; numbers stay numbers, whatever encodes them.
    """
    found: dict[str, tuple[ClassLabel, ...]] = {}
    for part in features_of(root) if isinstance(root, Instance) else ():
        for names, encoder in _encoders(part):
            arrays = encoder.attribute("categories_")
            # Where a step before dropped a column, positions mean nothing any more.
            if not isinstance(arrays, list) or len(arrays) != len(names):
                continue
            for name, array in zip(names, arrays, strict=True):
                labels = labels_of(array)
                if labels and all(isinstance(label, str) for label in labels):
                    found.setdefault(name, labels)
    return found


def _encoders(part: Instance) -> Iterator[tuple[list[str], Instance]]:
    """Yield the encoders of a part, each with the names of its columns."""
    names = fitted_on(part).names
    if names is None:
        return
    if part.cls.name in ENCODERS:
        yield list(names), part
    places = part.attribute("_transformer_to_input_indices")
    fitted = part.attribute("transformers_")
    if not isinstance(fitted, list) or not isinstance(places, Dict):
        return
    for entry in fitted:
        name, transformer, _ = (
            entry if isinstance(entry, tuple) and len(entry) == 3 else (None,) * 3
        )
        if not isinstance(name, str) or not isinstance(transformer, Instance):
            continue
        encoder, columns = _encoder(transformer), _columns(places.get(name), names)
        if encoder is not None and columns is not None:
            yield columns, encoder


def _encoder(transformer: Instance) -> Instance | None:
    """Return the encoder that a transformer is, or that is the first of its steps to matter."""
    for step in [step for _, step in steps_of(transformer)] or [transformer]:
        if not isinstance(step, Instance):  # "passthrough"
            continue
        if step.cls.name in ENCODERS:
            return step
        if step.cls.name not in KEEPING:
            return None
    return None


def _columns(places: object, names: tuple[str, ...]) -> list[str] | None:
    places = values_of(places) if isinstance(places, Array) else places
    numbers = [plain(place) for place in places] if isinstance(places, list) else []
    found = [names[n] for n in numbers if type(n) is int and 0 <= n < len(names)]
    return found if len(found) == len(numbers) else None
