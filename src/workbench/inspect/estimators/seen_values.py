"""The values that a fitted model compares its input with: a hint at whether that was scaled.

A tree keeps its thresholds, nearest neighbours their training rows, a support vector machine some
of them, and k-means its centres. Other models keep nothing of that kind.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from workbench.inspect.estimators import explainable_boosting
from workbench.inspect.estimators.composite import first_estimator, parts_of
from workbench.inspect.formats import pickled_boosters
from workbench.inspect.pickle.arrays import values_of
from workbench.inspect.pickle.values import Array, Instance

MAX_TREES, MAX_VALUES = 50, 2_000  # for each model, and for each column
# A node of a scikit-learn tree: left and right child, column, threshold, and more behind them.
NODE = struct.Struct("<qqqd")
NODE_BYTES = (56, 64)  # until scikit-learn 1.2, and later
ROWS = ("_fit_X", "support_vectors_", "cluster_centers_", "X_train_")


@dataclass
class SeenValues:
    """Some of the values of each column, by position."""

    columns: dict[int, list[float]] = field(default_factory=dict)
    are_thresholds: bool = False

    def add(self, column: int, value: float) -> None:
        found = self.columns.setdefault(column, [])
        if len(found) < MAX_VALUES and value == value and abs(value) < float("inf"):
            found.append(value)


def seen_values(root: object) -> SeenValues:
    """Return the values that a model compares its input with, as far as the file has them."""
    seen = SeenValues()
    if not isinstance(root, Instance):
        return seen
    model = first_estimator(root)
    for column, value in pickled_boosters.thresholds_of(model):
        seen.add(column, value)
    for column, value in explainable_boosting.thresholds_of(model):
        seen.add(column, value)
    for column, value in _tree_thresholds(model):
        seen.add(column, value)
    seen.are_thresholds = bool(seen.columns)
    for attribute in ROWS if not seen.columns else ():
        array = model.attribute(attribute)
        values = values_of(array)
        if isinstance(array, Array) and len(array.shape) == 2 and values and array.shape[1]:
            width = array.shape[1]
            for number, entry in enumerate(values):
                if isinstance(entry, int | float):
                    seen.add(number % width, float(entry))
            break
    return seen


def _tree_thresholds(model: Instance) -> Iterator[tuple[int, float]]:
    trees = [model, *parts_of(model, "estimators_")][: MAX_TREES + 1]
    for part in trees:
        tree = part.attribute("tree_")
        nodes = tree.attribute("nodes") if isinstance(tree, Instance) else None
        if not isinstance(nodes, Array) or not isinstance(nodes.data, bytes) or not nodes.shape:
            continue
        size = len(nodes.data) // max(1, nodes.shape[0])
        if size not in NODE_BYTES:
            continue
        for start in range(0, min(len(nodes.data), MAX_VALUES * size) - size + 1, size):
            left, _, column, threshold = NODE.unpack_from(nodes.data, start)
            if left >= 0 and 0 <= column < 1 << 20:  # no leaf
                yield column, threshold
