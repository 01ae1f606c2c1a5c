"""The contract in the API: each problem is named by row and feature, the examples are taken."""

from __future__ import annotations

import json
from typing import Any

from flask.testing import FlaskClient

from model_service.contract.contract import Feature
from model_service.contract.schema import parse_contract
from model_service.model.model import Model
from workbench.selftest.responses import problem

# Each wrong value is sent in a row of its own: of a wide model, few features are tried.
MAX_VALUES_SENT = 20_000

WRONG: dict[str, list[Any]] = {
    "number": ["5", "5.1", True, [], {}, 1e400, 10**400, 10**4000],
    "integer": ["5", True, [], 5.5, 2**63],
    "category": [[], {}, {"a": 1}],
    "boolean": ["true", 1, 0],
    "text": [5, True, [], "\ud800"],
    "date": [5, "2024-13-01", "1.2.2024", "20240101", "9999-01-01"],
}


def test_every_missing_feature_is_named(client: FlaskClient, model: Model) -> None:
    errors = problem(client.post("/predict", json={}), 422)["errors"]
    missing = [(error["row"], error["feature"], error["message"]) for error in errors]
    assert missing == [(1, f.name, "is missing") for f in model.contract.features[:1000]]


def test_an_unknown_feature_is_named_with_the_nearest(
    client: FlaskClient, model: Model, rows: list[dict[str, Any]]
) -> None:
    row, name = rows[0], model.contract.features[-1].name
    misspelt = f"{name}_"
    while misspelt in row:
        misspelt += "_"
    row[misspelt] = row.pop(name)
    errors = problem(client.post("/predict", json=row), 422)["errors"]
    assert [error["feature"] for error in errors] == [misspelt, name]
    assert errors[0]["message"] == f"unknown feature; did you mean {name}?"
    assert errors[1]["message"] == "is missing"


def test_a_value_of_the_wrong_type_is_refused(
    client: FlaskClient, model: Model, rows: list[dict[str, Any]]
) -> None:
    features = model.contract.features
    for feature in features[: max(1, min(50, MAX_VALUES_SENT // len(features)))]:
        for value in wrong_values(feature):
            body = json.dumps({**rows[0], feature.name: value}).replace(": Infinity", ": 1e999")
            response = client.post("/predict", data=body, content_type="application/json")
            errors = problem(response, 422)["errors"]
            assert [error["feature"] for error in errors] == [feature.name], value
    assert client.post("/predict", json=rows[0]).status_code == 200


def wrong_values(feature: Feature) -> list[Any]:
    values = list(WRONG[feature.type])
    if feature.closed and not feature.nullable:
        values += [None, "no such category"]
    return values


def test_all_problems_of_all_rows_come_at_once(
    client: FlaskClient, model: Model, rows: list[dict[str, Any]]
) -> None:
    first = model.contract.features[0].name
    without = {name: value for name, value in rows[0].items() if name != first}
    batch = [rows[0], {**rows[0], first: {}}, without, {**rows[0], "no such feature": 1}]
    document = problem(client.post("/predict", json={"rows": batch}), 422)
    found = [(error["row"], error["feature"]) for error in document["errors"]]
    assert found == [(2, first), (3, first), (4, "no such feature")]
    assert document["detail"] == "3 problems"
    assert client.post("/predict", json=rows[0]).status_code == 200


def test_the_contract_is_what_features_shows(client: FlaskClient, model: Model) -> None:
    assert parse_contract(client.get("/features").json) == model.contract


def test_openapi_has_every_feature_and_examples_that_work(
    client: FlaskClient, model: Model
) -> None:
    document = client.get("/openapi.json").json
    assert document is not None
    assert document["openapi"].startswith("3.1")
    row = document["components"]["schemas"]["Row"]
    assert row["required"] == [feature.name for feature in model.contract.features]
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]
    for example in content["application/json"]["examples"].values():
        assert client.post("/predict", json=example["value"]).status_code == 200
    table = {"data": content["text/csv"]["example"], "content_type": "text/csv"}
    assert client.post("/predict", buffered=True, **table).status_code == 200
