"""Verify adopted projects in their pinned environment, and compare predictions and explanations.

    PYTHONPATH=src python compare.py PROJECT [PROJECT ...]

Prints a JSON object: the first difference of each project, or an empty text.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

from explained import explanation_difference
from predictions import same, values

from model_service.model.loading import load_model
from model_service.web.app import create_app
from workbench.verify.prove import prove


def difference(project: Path) -> str:
    """Return how the service's predictions differ from the model's own, or an empty text."""
    case = json.loads((project.parent / "case.json").read_text())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            prove(project)
            client = create_app(load_model(project / "model")).test_client()
            response = client.post("/predict", json={"rows": case["rows"]})
    except Exception as error:  # any of them means that the adoption failed
        return f"{type(error).__name__}: {error}"
    if response.status_code != 200:
        return response.text[:500]
    answers = response.json["predictions"]
    pairs = list(zip([values(a["prediction"]) for a in answers], case["predictions"], strict=True))
    if "probabilities" in case:
        if "probabilities" not in answers[0]:
            return "there are no probabilities"
        served = [list(answer["probabilities"].values()) for answer in answers]
        pairs += zip(served, case["probabilities"], strict=True)
    for number, (value, native) in enumerate(pairs, start=1):
        if not same(value, native):
            return f"prediction {number} is {value} and should be {native}"
    return explanation_difference(client, project, case["rows"][0])


if __name__ == "__main__":
    print(json.dumps({project: difference(Path(project)) for project in sys.argv[1:]}))
