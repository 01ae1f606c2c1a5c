"""Put fitted transformers into the order in which each takes what the one before it gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from workbench.adopt.beside.transformer_files import Fitted

MAX_PATHS = 200
# Transformers that only fill in missing values: training often needs them, and the app does not.
IMPUTERS = ("IterativeImputer", "KNNImputer", "MissingIndicator", "SimpleImputer")


def longest_paths(pool: Sequence[Fitted], needed: int | None) -> list[tuple[Fitted, ...]]:
    """Return the longest orders of transformers of all columns that give `needed` columns.

    One that knows the names of its columns was fitted on a frame, so it comes first if there is
    such an order: transformers give arrays. Of two scalers only one is applied, unless the second
    was fitted on what the first gives.
    """
    if needed is None:
        return []
    found = [
        path
        for path in islice(_paths(tuple(pool), needed), MAX_PATHS)
        if all(_follows(one, later) for n, one in enumerate(path) for later in path[n + 1 :])
    ]
    length = max(map(len, found), default=0)
    longest = [path for path in found if len(path) == length > 0]
    named_first = [path for path in longest if not any(one.facts.feature_names for one in path[1:])]
    return named_first or longest


def _follows(one: Fitted, later: Fitted) -> bool:
    """Return whether a scaler can come behind another: where its values usually are tells."""
    first, second = one.facts.scalings, later.facts.scalings
    if not first or len(first) != len(second):
        return True
    votes = {a.was_applied([b.centre]) for a, b in zip(first, second, strict=True)}
    return True in votes and False not in votes


def _paths(pool: tuple[Fitted, ...], needed: int | None) -> Iterator[tuple[Fitted, ...]]:
    for number, one in enumerate(pool):
        if needed is not None and one.facts.n_outputs == needed:
            others = pool[:number] + pool[number + 1 :]
            yield (one,)
            if not one.facts.takes_texts:
                for before in _paths(others, one.facts.n_features):
                    yield (*before, one)


def is_imputer(one: Fitted) -> bool:
    """Return whether a transformer only fills in missing values."""
    return one.facts.name in IMPUTERS
