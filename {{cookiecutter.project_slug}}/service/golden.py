"""Goldens: recorded predictions, and whether the model still makes them.

Standard library only: `make smoke` compares a deployed service where nothing is installed.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The last bits of a sum differ between processors; a wrong library differs far more.
RELATIVE, ABSOLUTE = 1e-9, 1e-12


@dataclass(frozen=True)
class Golden:
    """Rows as a request has them, and the answers in the shape of /predict."""

    rows: list[dict[str, Any]]
    predictions: list[dict[str, Any]]


def read_golden(path: Path) -> Golden | None:
    """Read golden.json; a model that was never verified has none."""
    if not path.exists():
        return None
    document = json.loads(path.read_text(encoding="utf-8"))
    return Golden(document["rows"], document["predictions"])


def differences(expected: Any, actual: Any, where: str = "") -> list[str]:
    """Return one sentence for each place where two JSON values differ."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        found = []
        for key in {**expected, **actual}:
            inner = f"{where}.{key}" if where else str(key)
            if key not in expected or key not in actual:
                found.append(f"{inner} is {'missing' if key not in actual else 'new'}")
            else:
                found += differences(expected[key], actual[key], inner)
        return found
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True), start=1)
        return [d for n, (e, a) in pairs for d in differences(e, a, f"{where}[{n}]")]
    if _equal(expected, actual):
        return []
    return [f"{where} is {json.dumps(actual)}, was {json.dumps(expected)}"]


def _equal(expected: Any, actual: Any) -> bool:
    if type(expected) is float and type(actual) is float:
        return math.isclose(expected, actual, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return type(expected) is type(actual) and bool(expected == actual)
