"""The other routes: what they tell, and how they refuse."""

from __future__ import annotations

import dataclasses
import json
import logging
from typing import Any

import pytest
from flask.testing import FlaskClient

from model_service.model.model import Model
from model_service.web.app import create_app
from model_service.web.settings import Settings

ROUTES = ["/features", "/health", "/metadata", "/openapi.json", "/ready"]


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_answers_json(client: FlaskClient, route: str) -> None:
    response = client.get(route)
    assert response.status_code == 200, response.text
    assert isinstance(response.json, dict)


@pytest.mark.parametrize(
    ("method", "route", "status"),
    [("GET", "/nothing", 404), ("GET", "/predict", 405), ("DELETE", "/features", 405)],
)
def test_errors_are_problems(client: FlaskClient, method: str, route: str, status: int) -> None:
    response = client.open(route, method=method)
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    assert response.json is not None
    assert response.json["status"] == status
    assert status != 405 or response.headers["Allow"]


@pytest.mark.parametrize(
    ("method", "route"),
    [
        ("POST", "/jobs"),
        ("GET", "/jobs/1"),
        ("GET", "/jobs/00000000-0000-4000-8000-000000000000/result"),
        ("DELETE", "/jobs/1"),
    ],
)
def test_without_jobs_their_routes_name_the_setting(model: Model, method: str, route: str) -> None:
    client = create_app(model, Settings(jobs=False)).test_client()
    response = client.open(route, method=method, data="a\n", content_type="text/csv")
    assert response.status_code == 404
    assert "JOBS" in response.text
    assert "jobs" not in client.get("/openapi.json").text


def test_metadata_describes_the_model_and_not_the_sample(client: FlaskClient) -> None:
    document = client.get("/metadata").json
    assert document is not None
    for name in ("name", "version", "task", "classes", "libraries", "python", "verified"):
        assert name in document
    assert set(document["model"]) >= {"file", "sha256"}
    assert "examples" not in document


def test_a_failure_of_the_model_gives_the_caller_only_an_id(
    model: Model, rows: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Model):
        def predict(self, rows: Any) -> Any:
            raise ZeroDivisionError("a secret")

    unverified = dataclasses.replace(model.manifest, verified=False)
    client = create_app(Broken(None, model.contract, unverified)).test_client()
    with caplog.at_level(logging.ERROR):
        response = client.post("/predict", json=rows[0])
    assert response.status_code == 500
    assert response.mimetype == "application/problem+json"
    assert "secret" not in response.text
    assert "ZeroDivision" not in response.text
    error_id = json.loads(response.text)["detail"].split()[-1].strip(".")
    assert error_id in caplog.text
    assert "a secret" in caplog.text
