"""Describe the explainable boosting machines (EBMs) of interpret, which records no version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from workbench.inspect.pickle.arrays import plain, values_of
from workbench.inspect.pickle.values import Dict, Global, Instance
from workbench.inspect.refused_file import RefusedFile

CLASSES = tuple(
    Global("interpret.glassbox._ebm._ebm", name)
    for name in ("ExplainableBoostingClassifier", "ExplainableBoostingRegressor")
)
SINCE_0_6 = "best_iteration_"  # an attribute that earlier releases called breakpoint_iteration_
BOOLEANS = ("false", "true")


def is_ebm(cls: Global) -> bool:
    """Return whether a class is that of an EBM."""
    return cls in CLASSES


def has_default_names(model: Instance) -> bool:
    """Return whether an EBM was fitted on an array, whose columns interpret names by position."""
    names = model.attribute("feature_names_in_")
    if not is_ebm(model.cls) or not isinstance(names, list):
        return False
    return names == [f"feature_{position:04}" for position in range(len(names))]


def categories_of(model: Instance) -> dict[str, tuple[str, ...]]:
    """Return the categories of each feature that has some, as the texts that interpret keeps."""
    return {
        name: tuple(text for key, _ in bins.pairs() if isinstance(text := plain(key), str))
        for name, bins in _bins(model)
        if isinstance(name, str) and isinstance(bins, Dict)
    }


def thresholds_of(model: Instance) -> Iterator[tuple[int, float]]:
    """Yield columns by position with numbers that an EBM compares them with."""
    for column, (_, bins) in enumerate(_bins(model) if is_ebm(model.cls) else ()):
        for value in values_of(bins) or ():
            if isinstance(value, float):
                yield column, value


def check_ebms(parts: Iterable[object]) -> None:
    """Raise RefusedFile for an EBM whose answers depend on the release that wrote it.

    Until 0.7.6 interpret wrote True and 1.0 as other categories than since, and the file does not
    say which release wrote it. Numbers as numbers and categories that are words mean the same.
    """
    for part in parts:
        if not isinstance(part, Instance) or not is_ebm(part.cls):
            continue
        if part.attribute("bins_") is not None and part.attribute(SINCE_0_6) is None:
            raise RefusedFile(
                "unsupported",
                f"The {part.cls.name} in the file was written by interpret before 0.6.",
                "Fit it again with interpret-core 0.7.7 or later.",
            )
        for name, categories in categories_of(part).items():
            unclear = [category for category in categories if not _is_word(category)][:2]
            if unclear:
                raise RefusedFile(
                    "unsupported",
                    f"The {part.cls.name} in the file has {' and '.join(map(repr, unclear))} as "
                    f"categories of {name}. Releases of interpret write booleans and numbers as "
                    "different categories, and the file does not say which release wrote it.",
                    f"Fit it again with interpret-core 0.7.7 or later, with {name} as numbers, or "
                    f"as words such as '{name} {unclear[0]}'.",
                )


def _bins(model: Instance) -> list[tuple[object, object]]:
    """Return each feature's name, and its bins: a dict of categories, or an array of numbers.

    Interactions can have coarser bins behind the first.
    """
    names, bins = model.attribute("feature_names_in_"), model.attribute("bins_")
    if not isinstance(names, list) or not isinstance(bins, list) or len(names) != len(bins):
        return []
    first = (levels[0] if isinstance(levels, list) and levels else None for levels in bins)
    return list(zip(names, first, strict=True))


def _is_word(category: str) -> bool:
    """Return whether a category is the text that the column held, in each release."""
    try:
        float(category)
    except ValueError:
        return category.lower() not in BOOLEANS
    return False
