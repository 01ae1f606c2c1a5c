"""Explanations of a service against the definition, computed from its own predictions.

Nothing of the engine is used but the answers of /predict and /explain, and the rows of the
background: those of the sample, or those of golden.json.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]
MAX_FEATURES, BATCH = 6, 1000
MAX_BACKGROUND = 120
# How much a contribution may differ from the definition, and half of the last bit of a share, in 64
# bits; XGBoost computes in 32.
PRECISION = {False: (1e-12, 2**-53), True: (1e-6, 2**-24)}


def explanation_difference(client: Any, project: Path, row: Row) -> str:
    """Return how the explanation of a row differs from the definition, or an empty text."""
    metadata = client.get("/metadata").get_json()
    if not metadata["explanations"]["proven"]:
        return f"no explanations: {metadata['explanations'].get('reason')}"
    answer = client.post("/explain", json=row)
    if answer.status_code != 200:
        return f"/explain: {answer.text[:300]}"
    explanation = answer.get_json()["explanation"]
    of_target: Mapping[str | None, Any] = (
        {None: explanation} if "features" in explanation else explanation
    )
    for target, one in of_target.items():
        if found := _difference(client, project, row, metadata, target, one):
            return found
    return ""


def _difference(
    client: Any,
    project: Path,
    row: Row,
    metadata: Mapping[str, Any],
    target: str | None,
    explanation: Mapping[str, Any],
) -> str:
    found = {entry["feature"]: entry["contribution"] for entry in explanation["features"]}
    is_loose = "xgboost" in metadata["libraries"]
    tolerance = 1e-5 if is_loose else 1e-9
    scale = max(abs(explanation["value"]), abs(explanation["base"]), *map(abs, found.values()))
    if abs(explanation["base"] + sum(found.values()) - explanation["value"]) > tolerance * scale:
        return "base and contributions do not add up to the value"
    background = _background(client, project, row, metadata["explanations"])
    if not explanation["exact"] or len(found) > MAX_FEATURES or background is None:
        return ""
    features = {name: row[name] for name in found}  # without what the model drops
    values = _values(client, features, background, explanation["of"], target)
    if values is None:
        return ""
    worth = {coalition: _mean(of_rows) for coalition, of_rows in values.items()}
    expected = _shapley(worth, list(found))
    off = max(abs(expected[name] - found[name]) for name in found)
    relative, last_bit = PRECISION[is_loose]
    allowed = relative * max(scale, 1e-3)
    if explanation["of"].startswith("log-odds"):
        # A share says the less about its log-odds the nearer it is to 0 or 1; contributions are
        # weighted differences of two means.
        allowed += 4 * last_bit * max(_mean([*map(_steepness, v)]) for v in values.values())
    return "" if off <= allowed else f"{explanation['of']} differs from the definition by {off:.1e}"


def _background(
    client: Any, project: Path, row: Row, explanations: Mapping[str, Any]
) -> list[Row] | None:
    """Return the background rows; None if those of the service are not all known here."""
    if explanations["by"] == "mixed rows":
        golden = json.loads((project / "model" / "golden.json").read_text(encoding="utf-8"))
        return list(golden["rows"])
    with (project / ".sample.csv").open(encoding="utf-8", newline="") as file:
        records = list(csv.DictReader(file))
    if len(records) != explanations["background"] or len(records) > MAX_BACKGROUND:
        return None
    features = client.get("/features").get_json()["features"]
    return [{f["name"]: _typed(f, record[f["name"]]) for f in features} for record in records]


def _typed(feature: Mapping[str, Any], text: str) -> Any:
    if text == "" and feature["nullable"]:
        return None
    if feature["type"] in ("number", "integer"):
        return float(text)
    if feature["type"] == "boolean":
        return text in ("true", "1")
    by_text = {c if isinstance(c, str) else json.dumps(c): c for c in feature.get("categories", ())}
    return by_text.get(text, text)


def _values(
    client: Any, row: Row, background: Sequence[Row], of: str, target: str | None
) -> dict[frozenset[str], list[float]] | None:
    """Return what is explained by coalition and background row; None if no answer shows it."""
    names = list(row)
    coalitions = [
        frozenset(members)
        for size in range(len(names) + 1)
        for members in combinations(names, size)
    ]
    mixed = [{n: row[n] if n in c else z[n] for n in names} for c in coalitions for z in background]
    values: list[float] = []
    for start in range(0, len(mixed), BATCH):
        response = client.post("/predict", json={"rows": mixed[start : start + BATCH]})
        if response.status_code != 200:
            return None
        for prediction in response.get_json()["predictions"]:
            value = _explained_value(prediction, of, target)
            if value is None:
                return None
            values.append(value)
    count = len(background)
    return {
        coalition: values[n * count : (n + 1) * count] for n, coalition in enumerate(coalitions)
    }


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _steepness(log_odds: float) -> float:
    """Return how much log-odds change for a small change of the share."""
    return 2 + 2 * math.cosh(log_odds)


def _explained_value(prediction: Mapping[str, Any], of: str, target: str | None) -> float | None:
    members = {k: v if target is None else v[target] for k, v in prediction.items() if k != "model"}
    kind, _, class_text = of.partition(" of ")
    if kind == "value":
        return float(members["prediction"])
    if kind == "prediction (1 or 0)":
        predicted = members["prediction"]
        text = predicted if isinstance(predicted, str) else json.dumps(predicted)
        return float(text == class_text)
    share = members.get("probabilities", {}).get(class_text)
    if share is None or kind not in ("probability", "log-odds"):
        return None
    if kind == "probability":
        return float(share)
    return math.log(share / (1 - share)) if 1e-6 < share < 1 - 1e-6 else None


def _shapley(worth: Mapping[frozenset[str], float], names: Sequence[str]) -> dict[str, float]:
    count = len(names)
    return {
        name: math.fsum(
            math.factorial(len(c))
            * math.factorial(count - len(c) - 1)
            / math.factorial(count)
            * (worth[c | {name}] - worth[c])
            for c in worth
            if name not in c
        )
        for name in names
    }
