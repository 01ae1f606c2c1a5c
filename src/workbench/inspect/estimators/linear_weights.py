"""The weights of a linear model with one number for each column, read from its file."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.inspect.pickle.arrays import values_of
from workbench.inspect.pickle.values import Array, Instance


@dataclass(frozen=True)
class LinearWeights:
    """What the model multiplies its columns with, and what it adds."""

    weights: tuple[float, ...]
    intercept: float


def linear_weights(root: object) -> LinearWeights | None:
    """Return the weights if the model itself is linear and has one output, else None."""
    if not isinstance(root, Instance):
        return None
    weights, intercept = _numbers(root.attribute("coef_")), _numbers(root.attribute("intercept_"))
    if not weights or len(intercept) != 1:
        return None
    return LinearWeights(tuple(weights), intercept[0])


def _numbers(value: object) -> list[float]:
    values = values_of(value) if isinstance(value, Array) else [value]
    numbers = [float(number) for number in values or () if isinstance(number, int | float)]
    return numbers if len(numbers) == len(values or ()) else []
