"""Explanations: they add up, and those that verify could not prove are not there."""

from __future__ import annotations

import math
from typing import Any

import pytest
from flask.testing import FlaskClient

from model_service.explain.blackbox import DoesNotFit
from model_service.model.model import Model

TOO_SLOW = DoesNotFit.summary


def test_an_explanation_adds_up_to_the_value(
    client: FlaskClient, model: Model, rows: list[dict[str, Any]]
) -> None:
    if model.explainer is None:
        pytest.skip("there are no explanations")
    response = client.post("/explain", json=rows[0])
    if response.status_code == 422 and response.get_json()["title"] == TOO_SLOW:
        pytest.skip("one explanation takes longer than EXPLAIN_MILLISECONDS")
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.get_json()
    explanation = answer["explanation"]
    one_target = "features" in explanation
    for content in [explanation] if one_target else explanation.values():
        assert {entry["feature"] for entry in content["features"]} == set(rows[0])
        total = content["base"] + sum(entry["contribution"] for entry in content["features"])
        assert math.isclose(total, content["value"], rel_tol=1e-4, abs_tol=1e-6)


def test_without_a_proof_there_are_no_explanations(
    client: FlaskClient, model: Model, rows: list[dict[str, Any]]
) -> None:
    if model.explainer is not None:
        pytest.skip("there are explanations")
    response = client.post("/explain", json=rows[0])
    assert response.status_code == 404
    assert model.manifest.explanations.proven is False
