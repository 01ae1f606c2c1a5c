"""Prove and ask adopted animals inside of their pinned environment.

    PYTHONPATH=src python ask.py PROJECT [PROJECT ...]

Prints a JSON object: what is wrong with each project, an empty text where nothing is.
"""

from __future__ import annotations

import json
import math
import sys
import warnings
from pathlib import Path
from typing import Any

from model_service.model.loading import load_model
from model_service.web.app import create_app
from workbench.verify.prove import prove

CLOSE = 1e-9


def wrong(project: Path) -> str:
    """Return how the service's answers differ from the author's own code, or nothing."""
    case = json.loads((project.parent / "case.json").read_text())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            prove(project)
            client = create_app(load_model(project / "model")).test_client()
            response = client.post("/predict", json={"rows": case["rows"]})
    except Exception as error:  # whatever it is, this animal was not adopted
        return f"{type(error).__name__}: {error}"
    if response.status_code != 200:
        return response.text[:500]
    answers = response.json["predictions"]
    pairs = list(zip([values(a["prediction"]) for a in answers], case["predictions"], strict=True))
    if "probabilities" in case:
        if "probabilities" not in answers[0]:
            return "there are no probabilities"
        given = [list(answer["probabilities"].values()) for answer in answers]
        pairs += zip(given, case["probabilities"], strict=True)
    for number, (given_one, native) in enumerate(pairs, start=1):
        if not same(given_one, native):
            return f"answer {number} is {given_one} and should be {native}"
    return ""


def values(prediction: Any) -> Any:
    """Return several targets as a list, in their order."""
    return list(prediction.values()) if isinstance(prediction, dict) else prediction


def same(one: Any, other: Any) -> bool:
    if isinstance(other, list) and len(other) == 1 and not isinstance(one, list):
        other = other[0]  # a column of predictions
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    numbers = isinstance(one, (int, float)) and isinstance(other, (int, float))
    if numbers and not isinstance(one, bool):
        return math.isclose(one, other, rel_tol=CLOSE, abs_tol=CLOSE)
    return type(one) is type(other) and bool(one == other)


if __name__ == "__main__":
    print(json.dumps({project: wrong(Path(project)) for project in sys.argv[1:]}))
