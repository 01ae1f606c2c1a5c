"""Good requests: the answer is the model's own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from model_service.contract.golden import (
    RELATIVE_TOLERANCE,
    differences,
    golden_differences,
    json_batches,
)
from model_service.contract.parsing import parse_rows
from model_service.model.model import Model
from model_service.web.settings import Settings
from workbench.selftest.responses import problem


def test_one_row_gets_one_answer(
    client: FlaskClient, model: Model, rows: list[dict[str, Any]]
) -> None:
    response = client.post("/predict", json=rows[0])
    assert response.status_code == 200, response.text
    answer = response.json
    assert answer is not None
    assert answer["model"] == {
        "name": model.manifest.about.name,
        "version": model.manifest.about.version,
    }
    assert answer["prediction"] is not None
    assert ("probabilities" in answer) == model.manifest.task.probabilities


def test_each_class_has_a_probability(
    client: FlaskClient, model: Model, rows: list[dict[str, Any]]
) -> None:
    classes = model.manifest.task.classes
    if not model.manifest.task.probabilities or classes is None:
        pytest.skip("the model has no probabilities, or those of several targets")
    answer = client.post("/predict", json=rows[0]).json
    assert answer is not None
    assert len(answer["probabilities"]) == len(classes)
    # Of one class against the rest they need not sum to one.
    assert all(0 <= share <= 1 for share in answer["probabilities"].values())


def test_a_batch_answers_each_row_as_if_it_were_alone(
    client: FlaskClient, model: Model, rows: list[dict[str, Any]]
) -> None:
    tolerance = model.golden.tolerance if model.golden else RELATIVE_TOLERANCE
    batch = client.post("/predict", json={"rows": rows}).json
    assert batch is not None
    assert len(batch["predictions"]) == len(rows)
    for row, together in zip(rows, batch["predictions"], strict=True):
        alone = client.post("/predict", json=row).json
        assert alone is not None
        del alone["model"]
        assert differences(alone, together, tolerance) == []


def test_predictions_are_those_of_the_models_own_methods(
    model: Model, rows: list[dict[str, Any]]
) -> None:
    batch = parse_rows(model.contract, rows)
    assert not batch.problems
    assert differences(list(model.natively(batch)), list(model.predict(batch))) == []


def test_the_order_of_the_features_does_not_matter(
    client: FlaskClient, rows: list[dict[str, Any]]
) -> None:
    backwards = dict(reversed(rows[0].items()))
    assert (
        client.post("/predict", json=backwards).json == client.post("/predict", json=rows[0]).json
    )


def test_null_is_accepted_if_the_contract_says_so(
    client: FlaskClient, model: Model, rows: list[dict[str, Any]]
) -> None:
    features = model.contract.features
    # Of all in one request: one for each of thousands of features takes a minute.
    if refused := [feature.name for feature in features if not feature.nullable]:
        response = client.post("/predict", json={**rows[0], **dict.fromkeys(refused)})
        errors = problem(response, 422)["errors"]
        assert [error["feature"] for error in errors] == refused[:1000]
    nullable = [feature.name for feature in features if feature.nullable]
    for name in nullable[:50] if model.manifest.verified else ():
        assert client.post("/predict", json={**rows[0], name: None}).status_code == 200, name


def test_the_recorded_predictions_are_reproduced(client: FlaskClient, model: Model) -> None:
    if model.golden is None:
        pytest.skip("nothing is recorded before the first make verify")
    predictions: list[Any] = []
    for batch in json_batches(model.golden.rows, Settings.from_environment().max_json_bytes):
        predictions += client.post("/predict", json={"rows": batch}).get_json()["predictions"]
    assert golden_differences(model.golden, predictions) == []


def test_answers_are_strict_json(client: FlaskClient, rows: list[dict[str, Any]]) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    text = client.post("/predict", json={"rows": rows}).text
    assert json.loads(text, parse_constant=refuse)["predictions"]
