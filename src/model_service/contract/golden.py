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
    tolerance: float = RELATIVE  # how far numbers may lie apart, relative to the larger one


class GoldenError(ValueError):
    """golden.json does not hold goldens."""


def read_golden(path: Path) -> Golden | None:
    """Read golden.json; a model that was never verified has none. Raises GoldenError."""
    if not path.exists():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        rows, predictions = document["rows"], document["predictions"]
        if len(rows) == len(predictions) > 0:
            tolerance = float(document.get("tolerance", RELATIVE))
            return Golden(list(rows), list(predictions), tolerance)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise GoldenError(f"{path} holds no recorded predictions; restore it from git.")


def disagreements(golden: Golden, predictions: Any) -> list[str]:
    """Return where the predictions differ from the recorded ones.

    Labels are what people call the classes; who edits them does not change the model.
    """
    if not isinstance(predictions, list):
        return ["there are no predictions"]
    expected, actual = ([_unlabelled(p) for p in ps] for ps in (golden.predictions, predictions))
    return differences(expected, actual, golden.tolerance)


def _unlabelled(prediction: Any) -> Any:
    if not isinstance(prediction, dict):
        return prediction
    return {key: value for key, value in prediction.items() if key != "label"}


def differences(
    expected: Any, actual: Any, tolerance: float = RELATIVE, where: str = ""
) -> list[str]:
    """Return one sentence for each place where two JSON values differ."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        found = []
        for key in {**expected, **actual}:
            inner = f"{where}.{key}" if where else str(key)
            if key not in expected or key not in actual:
                found.append(f"{inner} is {'missing' if key not in actual else 'new'}")
            else:
                found += differences(expected[key], actual[key], tolerance, inner)
        return found
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True), start=1)
        return [d for n, (e, a) in pairs for d in differences(e, a, tolerance, f"{where}[{n}]")]
    if _equal(expected, actual, tolerance):
        return []
    return [f"{where} is {json.dumps(actual)}, was {json.dumps(expected)}"]


def _equal(expected: Any, actual: Any, tolerance: float) -> bool:
    if type(expected) is float and type(actual) is float:
        return math.isclose(expected, actual, rel_tol=tolerance, abs_tol=ABSOLUTE)
    return type(expected) is type(actual) and bool(expected == actual)
