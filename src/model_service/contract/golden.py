"""Golden predictions: read golden.json, and compare predictions with it.

Standard library only: `make smoke` compares a deployed service on a machine without the libraries.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The last bits of a sum differ between processors. A wrong library makes far larger differences.
RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 1e-9, 1e-12

# MAX_JSON_BYTES of a service that does not set it.
MAX_BATCH_BYTES = 1 << 20


@dataclass(frozen=True)
class Golden:
    """Rows and predictions in the shapes of /predict."""

    rows: list[dict[str, Any]]
    predictions: list[dict[str, Any]]
    tolerance: float = RELATIVE_TOLERANCE  # the largest relative difference of two equal numbers

    @property
    def is_batch_invariant(self) -> bool:
        """Whether verify saw that a row has the same prediction alone and in a batch."""
        # It records a wider tolerance if more than the last bits of a sum differ.
        return self.tolerance <= RELATIVE_TOLERANCE

    def to_json(self) -> dict[str, Any]:
        """Return the content of golden.json."""
        usual = self.tolerance == RELATIVE_TOLERANCE
        tolerance = {} if usual else {"tolerance": self.tolerance}
        return {"rows": self.rows, "predictions": self.predictions, **tolerance}

    @classmethod
    def from_json(cls, document: Any) -> Golden:
        """Return what `to_json` wrote. Raises GoldenError."""
        try:
            rows, predictions = list(document["rows"]), list(document["predictions"])
            tolerance = float(document.get("tolerance", RELATIVE_TOLERANCE))
        except (ValueError, KeyError, TypeError):
            raise GoldenError("It has no lists of rows and predictions.") from None
        if not len(rows) == len(predictions) > 0:
            raise GoldenError("There has to be one prediction for each row, and a row.")
        return cls(rows, predictions, tolerance)


class GoldenError(ValueError):
    """A document does not contain golden predictions."""


def read_golden(path: Path) -> Golden | None:
    """Read golden.json; return None if there is no such file. Raises GoldenError."""
    if not path.exists():
        return None
    try:
        return Golden.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        problem = f"{path} holds no recorded predictions; restore it from git."
        raise GoldenError(problem) from None


def json_batches(
    rows: Sequence[dict[str, Any]], max_bytes: int = MAX_BATCH_BYTES
) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows in batches whose JSON has at most so many bytes, or one row."""
    batch: list[dict[str, Any]] = []
    size = len('{"rows": []}')
    for row in rows:
        row_size = len(json.dumps(row)) + len(", ")
        if batch and size + row_size > max_bytes:
            yield batch
            batch, size = [], len('{"rows": []}')
        batch.append(row)
        size += row_size
    if batch:
        yield batch


def golden_differences(golden: Golden, predictions: Any) -> list[str]:
    """Return one sentence for each difference from the golden predictions.

    Labels and warnings are not compared: they can be edited in the contract without a change of the
    model.
    """
    if not isinstance(predictions, list):
        return ["there are no predictions"]
    expected = [_without_words(prediction) for prediction in golden.predictions]
    actual = [_without_words(prediction) for prediction in predictions]
    return differences(expected, actual, golden.tolerance)


def _without_words(prediction: Any) -> Any:
    if not isinstance(prediction, dict):
        return prediction
    return {key: value for key, value in prediction.items() if key not in ("label", "warnings")}


def differences(
    expected: Any, actual: Any, tolerance: float = RELATIVE_TOLERANCE, path: str = ""
) -> list[str]:
    """Return one sentence for each difference between two JSON values, at `path`."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        sentences = []
        for key in {**expected, **actual}:
            member = f"{path}.{key}" if path else str(key)
            if key not in expected or key not in actual:
                sentences.append(f"{member} is {'missing' if key not in actual else 'new'}")
            else:
                sentences += differences(expected[key], actual[key], tolerance, member)
        return sentences
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True), start=1)
        return [
            sentence
            for number, (one, other) in pairs
            for sentence in differences(one, other, tolerance, f"{path}[{number}]")
        ]
    if _is_equal(expected, actual, tolerance):
        return []
    return [f"{path} is {json.dumps(actual)}, was {json.dumps(expected)}"]


def _is_equal(expected: Any, actual: Any, tolerance: float) -> bool:
    if type(expected) is float and type(actual) is float:
        return math.isclose(expected, actual, rel_tol=tolerance, abs_tol=ABSOLUTE_TOLERANCE)
    return type(expected) is type(actual) and bool(expected == actual)
