"""Shapley values by their definition, written without the engine: loops over all coalitions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pandas as pd

Predict = Callable[[pd.DataFrame], Any]


def shapley(
    predict: Predict, row: pd.DataFrame, background: pd.DataFrame, names: Sequence[str]
) -> dict[str, Any]:
    """Return the value of each feature for a frame of one row, and "base" under an empty name."""
    worth: dict[frozenset[str], Any] = {}
    frames, order = [], []
    for size in range(len(names) + 1):
        for members in combinations(names, size):
            mixed = background.copy()
            for name in members:
                mixed[name] = pd.Series([row[name].iloc[0]] * len(mixed), index=mixed.index).astype(
                    mixed[name].dtype
                )
            frames.append(mixed)
            order.append(frozenset(members))
    outputs = np.asarray(predict(pd.concat(frames, ignore_index=True)), dtype=float)
    size = len(background)
    for number, coalition in enumerate(order):
        worth[coalition] = outputs[number * size : (number + 1) * size].mean(axis=0)
    found = {"": worth[frozenset()]}
    count = len(names)
    for name in names:
        found[name] = sum(
            factorial(len(c))
            * factorial(count - len(c) - 1)
            / factorial(count)
            * (worth[c | {name}] - worth[c])
            for c in order
            if name not in c
        )
    return found
