"""Any request: never a status of 500 or more, and the next good request is answered as before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import joblib
import pytest
from conftest import adopted
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier
from werkzeug.test import TestResponse

from model_service.contract.snippets import csv_text
from model_service.model.loading import load_model
from model_service.web.app import create_app

# The client is the same for all examples, as a worker is for all requests.
often = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# Hypothesis makes no half of a surrogate pair by itself.
texts = (
    st.text()
    | st.text(st.characters(categories=["Cs", "Cc", "Nd"]))
    | st.sampled_from(
        [
            "1e999",
            "-0",
            "NaN",
            "null",
            "true",
            "=1+1",
            "9" * 4000,
            "\ufeff",
            "\r\n",
            '"',
            "__proto__",
        ]
    )
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=10
)
accepts = st.sampled_from(["application/json", "text/html", "*/*"])

FEATURES: list[dict[str, Any]] = [
    {"name": "whole", "type": "integer", "nullable": True},
    {"name": "yes", "type": "boolean"},
    {
        "name": "day",
        "type": "category",
        "categories": [1, 2, 3],
        "encode": {"1": 1, "2": 2, "3": 4},
    },
    {"name": "kind", "type": "category", "categories": ["a", "="], "one_hot": {"a": "kind_a"}},
]


@pytest.fixture(scope="module", params=["loan", "every type"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    if request.param == "loan":
        project: Path = request.getfixturevalue("loan")
    else:
        folder = tmp_path_factory.mktemp("every")
        rows = [[0.0, 1.0, 1.0, 0.0], [1.0, 0.0, 4.0, 1.0]]
        joblib.dump(DecisionTreeClassifier().fit(rows, ["=no", "yes"]), folder / "model.joblib")
        (folder / "features.json").write_text(json.dumps(FEATURES))
        answers = {"features": str(folder / "features.json")}
        project = adopted(folder, folder / "model.joblib", **answers)
    return create_app(load_model(project / "model")).test_client()


@pytest.fixture
def row(client: FlaskClient) -> dict[str, Any]:
    example: dict[str, Any] = client.application.service.model.manifest.example()
    return example


@pytest.fixture(autouse=True)
def next_one(client: FlaskClient, row: dict[str, Any]) -> Any:
    """Ask before and after."""
    before = client.post("/predict", json=row).json
    assert before is not None
    assert before["prediction"] is not None
    yield
    assert client.post("/predict", json=row).json == before


def check(response: TestResponse, accept: str = "application/json") -> None:
    body = response.get_data()
    assert response.status_code < 500, response.text
    assert b"Traceback" not in body
    if response.status_code >= 400:
        kinds = {"text/html": ["text/html"], "application/json": ["application/problem+json"]}
        assert response.mimetype in kinds.get(accept, ["application/problem+json"]), body
    if response.mimetype.endswith("json"):
        json.loads(body.decode("utf-8"), parse_constant=pytest.fail)


@given(st.binary(), accepts)
@often
def test_any_bytes_as_json(client: FlaskClient, body: bytes, accept: str) -> None:
    sent = {"content_type": "application/json", "headers": {"Accept": accept}}
    check(client.post("/predict", data=body, **sent), accept)


@given(st.data(), accepts)
@often
def test_any_json(
    client: FlaskClient, row: dict[str, Any], data: st.DataObject, accept: str
) -> None:
    names = st.sampled_from([*row, "rows"]) | texts
    near = st.dictionaries(names, values, max_size=4).map(lambda some: {**row, **some})
    body = data.draw(values | near | st.lists(near, max_size=3).map(lambda rows: {"rows": rows}))
    sent = {"content_type": "application/json", "headers": {"Accept": accept}}
    check(client.post("/predict", data=json.dumps(body), **sent), accept)


@given(st.binary(), st.booleans(), st.sampled_from(["refuse", "keep"]))
@often
def test_any_bytes_as_csv(
    client: FlaskClient, row: dict[str, Any], body: bytes, header: bool, on_error: str
) -> None:
    start = csv_text([row]).encode() if header else b""
    url = f"/predict?on_error={on_error}"
    check(client.post(url, data=start + body, content_type="text/csv"))


@given(st.data(), st.sampled_from(["", "?part=answer"]))
@often
def test_any_form(
    client: FlaskClient, row: dict[str, Any], data: st.DataObject, query: str
) -> None:
    form = data.draw(st.dictionaries(st.sampled_from([*row]) | texts, texts, max_size=6))
    encoded = {
        name.encode("utf-8", "surrogatepass"): value.encode("utf-8", "surrogatepass")
        for name, value in form.items()
    }
    check(client.post(f"/{query}", data=encoded), "text/html")


@given(texts | values.map(json.dumps), st.sampled_from(["", "?part=answer"]))
@often
def test_any_pasted_row(client: FlaskClient, text: str, query: str) -> None:
    pasted = {"row": text.encode("utf-8", "surrogatepass")}
    check(client.post(f"/row{query}", data=pasted), "text/html")


@given(
    st.binary(), st.sampled_from(["x-www-form-urlencoded", "multipart; boundary=x", "multipart"])
)
@often
def test_any_bytes_as_a_form(client: FlaskClient, body: bytes, kind: str) -> None:
    kind = f"application/{kind}" if kind.startswith("x") else kind.replace("part", "part/form-data")
    for route in ("/", "/row", "/file"):
        response = client.post(route, data=b"--x\r\n" + body, content_type=kind)
        assert response.status_code < 500
