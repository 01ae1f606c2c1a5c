"""What must hold for this model. Add tests of your own; `make test` and `make verify` run them.

The tools' own tests, which hold for any model, run beside these.
"""

import json
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import app

MODEL = Path(__file__).parent.parent / "model"
EXAMPLES = json.loads((MODEL / "manifest.json").read_text(encoding="utf-8"))["examples"]


@pytest.fixture
def client() -> FlaskClient:
    return app.test_client()


@pytest.mark.parametrize("row", EXAMPLES[:3])
def test_a_row_gets_a_prediction(client: FlaskClient, row: dict[str, object]) -> None:
    response = client.post("/predict", json=row)
    assert response.status_code == 200, response.text
    assert response.get_json()["prediction"] is not None


def test_a_row_without_its_features_is_refused_by_name(client: FlaskClient) -> None:
    response = client.post("/predict", json={})
    assert response.status_code == 422
    named = [error["feature"] for error in response.get_json()["errors"]]
    assert named == list(EXAMPLES[0])[:1000]  # an answer lists so many problems at most


def test_the_service_is_ready(client: FlaskClient) -> None:
    assert client.get("/ready").status_code == 200
