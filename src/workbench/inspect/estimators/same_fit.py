"""Recognize the same fitted estimator in two files by the numbers that were learned."""

from __future__ import annotations

import hashlib
from collections import Counter

from workbench.inspect.pickle.values import Array, Blob, Dict, Instance, walk

MIN_BYTES = 4  # of a value that is compared


def same_fit(one: object, other: object) -> bool:
    """Return whether two estimators are of the same class and learned the same numbers."""
    if not isinstance(one, Instance) or not isinstance(other, Instance) or one.cls != other.cls:
        return False
    learned = _learned(one)
    return bool(learned) and learned == _learned(other)


def _learned(estimator: Instance) -> Counter[bytes]:
    """Return hashes of the arrays and native models of an estimator, each with its count."""
    found: Counter[bytes] = Counter()
    for value in walk(estimator):
        parts = [value.data] if isinstance(value, Array) else []
        if isinstance(value, Dict):  # a booster's handle is an attribute
            parts = [member for _, member in value.pairs()]
        for part in parts:
            content = part.head + part.tail if isinstance(part, Blob) else part
            if isinstance(content, bytes) and len(content) >= MIN_BYTES:
                found[hashlib.sha256(content).digest()] += 1
    return found
