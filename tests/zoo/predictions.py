"""Compare predictions that were served with those of the author's own code."""

from __future__ import annotations

import math
from typing import Any

TOLERANCE = 1e-9


def values(prediction: Any) -> Any:
    """Return several targets as a list, in their order."""
    return list(prediction.values()) if isinstance(prediction, dict) else prediction


def same(one: Any, other: Any) -> bool:
    if isinstance(other, list) and len(other) == 1 and not isinstance(one, list):
        other = other[0]  # a single column of predictions
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    numbers = isinstance(one, (int, float)) and isinstance(other, (int, float))
    if numbers and not isinstance(one, bool):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return type(one) is type(other) and bool(one == other)
