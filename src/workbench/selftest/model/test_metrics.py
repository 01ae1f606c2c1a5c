"""/metrics of this model: its classes and its features are labels."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from flask.testing import FlaskClient

from model_service.contract.json_values import json_text
from model_service.model.model import Model
from model_service.web.app import create_app
from model_service.web.metrics import MAX_NAMES, other_label
from workbench.selftest.responses import samples, value


@pytest.fixture
def client(model: Model) -> FlaskClient:
    """A service of its own, whose counts begin at zero."""
    return create_app(model).test_client()


def test_rows_and_classes_are_counted(
    client: FlaskClient, model: Model, rows: list[dict[str, Any]]
) -> None:
    answers = client.post("/predict", json={"rows": rows}).get_json()["predictions"]
    answers.append(client.post("/predict", json=rows[0]).get_json())
    found = samples(client)
    assert value(found, "model_rows_total") == len(rows) + 1
    expected: Counter[frozenset[tuple[str, str]]] = Counter()
    if model.manifest.task.kind == "classification" and model.manifest.task.classes:
        known = {json_text(name) for name in model.manifest.task.classes[:MAX_NAMES]}
        other = other_label(model.manifest)
        for answer in answers:
            prediction = answer["prediction"]
            by_target = prediction if model.contract.output.targets else {"": prediction}
            for target, name in by_target.items():
                text = json_text(name) if json_text(name) in known else other
                pairs = {"class": text, **({"target": target} if target else {})}
                expected[frozenset(pairs.items())] += 1
    counted = {key: n for (name, key), n in found.items() if name == "model_predictions_total"}
    assert counted == dict(expected)


def test_rejected_rows_are_counted_by_reason_and_feature(
    client: FlaskClient, model: Model, rows: list[dict[str, Any]]
) -> None:
    name = model.contract.features[0].name
    without = {key: cell for key, cell in rows[0].items() if key != name}
    client.post(
        "/predict", json={"rows": [without, {**rows[0], name: {}}, {**rows[0], "*no*": 1}, 5]}
    )
    found = samples(client)
    counted = {key: n for (kind, key), n in found.items() if kind == "model_rejected_rows_total"}
    about = {"feature": name} if name else {}
    category = model.contract.features[0].type == "category" and model.contract.features[0].closed
    assert counted == {
        frozenset({"reason": "missing", **about}.items()): 1,
        frozenset({"reason": "category" if category else "type", **about}.items()): 1,
        frozenset({"reason": "unknown"}.items()): 1,
        frozenset({"reason": "form"}.items()): 1,
    }
