"""Rows of requests that arrive together are predicted by one call, and answered as if alone."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import pytest
from conftest import EXAMPLE, LOAN_ROW, adopted
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline
from werkzeug.test import EnvironBuilder

from model_service.model.loading import load_model
from model_service.model.model import Model
from model_service.web.app import ModelService, create_app
from model_service.web.settings import Settings
from workbench.verify.prove import prove

KEY = "a-key-of-this-test"
ALLOWED = {"Authorization": f"Bearer {KEY}"}
OTHER = {**LOAN_ROW, "applicant_income": 3000, "credit_history": "bad"}
UNUSUAL = {**LOAN_ROW, "applicant_income": 9_000_000}
MISSING = {**LOAN_ROW, "loan_amount": None}
WRONG = {**LOAN_ROW, "loan_term": "long"}
# What is asked: a row, its path and more headers.
Asked = tuple[dict[str, Any], str, dict[str, str]]


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The loan example with a forest in the place of its linear model."""
    folder = tmp_path_factory.mktemp("trees")
    frame = pd.read_csv(EXAMPLE / "sample.csv")
    target = frame.pop("loan_status")
    steps = joblib.load(EXAMPLE / "model.joblib").steps[:-1]
    pipeline = Pipeline([*steps, ("forest", RandomForestClassifier(9, random_state=0))])
    joblib.dump(clone(pipeline).fit(frame, target), folder / "model.joblib")
    files = {"sample_data": "sample.csv", "features": "features.json"}
    answers = {name: str(EXAMPLE / file) for name, file in files.items()}
    project = adopted(folder, folder / "model.joblib", **answers)
    prove(project)
    return load_model(project / "model")


def counting(model: Model) -> tuple[Model, list[int]]:
    """Return the model, and a list to which each call for several rows adds their number."""
    assert model.fast_path is not None
    predict, sizes = model.fast_path.predict, []

    def counted(data: Any) -> Any:
        outputs = predict(data)
        sizes.append(len(outputs[0]))
        return outputs

    return model.with_fast_path(replace(model.fast_path, predict=counted)), sizes


def service(model: Model, **settings: Any) -> ModelService:
    app = create_app(model, Settings(**settings))
    app.service.predictor.require_ready()  # it has reproduced its golden predictions
    return app


def environ_of(app: ModelService, asked: Asked) -> dict[str, Any]:
    row, path, headers = asked
    body = json.dumps(row).encode()
    headers = {"X-Request-ID": "0123456789abcdef0123456789abcdef", **headers}
    environ = EnvironBuilder(
        path=path, method="POST", data=body, content_type="application/json", headers=headers
    ).get_environ()
    assert app.answers_inline(environ, body)
    return environ


def answer(app: ModelService, environ: dict[str, Any]) -> tuple[str, bytes]:
    status: list[str] = []

    def start_response(line: str, _headers: Any, *_: Any) -> Callable[[bytes], None]:
        status.append(line)
        return lambda _piece: None

    body = b"".join(app(environ, start_response))
    return status[-1], body


def ask(app: ModelService, asked: Sequence[Asked], *, together: bool) -> list[tuple[str, bytes]]:
    environs = [environ_of(app, one) for one in asked]
    if together:
        app.prepare_inline(environs)
    return [answer(app, environ) for environ in environs]


@pytest.mark.parametrize(
    ("asked", "sizes"),
    [
        ([(row, "/predict", {}) for row in (LOAN_ROW, OTHER, MISSING)], [3]),
        ([(LOAN_ROW, "/predict", {}), (OTHER, "/explain", {})], [2]),
        ([(UNUSUAL, "/predict", {}), (LOAN_ROW, "/predict", {})], [2]),
        ([(LOAN_ROW, "/predict", {}), (WRONG, "/predict", {}), (OTHER, "/predict", {})], [2]),
        ([(WRONG, "/predict", {}), (WRONG, "/predict", {})], []),
        ([(LOAN_ROW, "/predict", {})], []),
    ],
    ids=["three", "explained", "unusual", "one is wrong", "all are wrong", "one"],
)
def test_the_answers_are_those_alone(trees: Model, asked: list[Asked], sizes: list[int]) -> None:
    model, found = counting(trees)
    app = service(model)
    found.clear()
    together = ask(app, asked, together=True)
    assert found == sizes
    assert together == ask(app, asked, together=False)


def test_who_has_no_key_gets_no_prediction(trees: Model) -> None:
    model, found = counting(trees)
    app = service(model, api_keys=(hashlib.sha256(KEY.encode()).digest(),))
    found.clear()
    asked = [(LOAN_ROW, "/predict", headers) for headers in (ALLOWED, {}, ALLOWED, {})]
    statuses = [status[:3] for status, _ in ask(app, asked, together=True)]
    assert statuses == ["200", "401", "200", "401"]
    assert found == [2]


def test_where_the_call_fails_each_row_is_predicted_alone(trees: Model) -> None:
    assert trees.fast_path is not None
    predict = trees.fast_path.predict

    def fail_for_several(data: Any) -> Any:
        outputs = predict(data)
        if len(outputs[0]) > 1:
            raise ZeroDivisionError
        return outputs

    app = service(trees.with_fast_path(replace(trees.fast_path, predict=fail_for_several)))
    asked = [(LOAN_ROW, "/predict", {}), (OTHER, "/predict", {})]
    together = ask(app, asked, together=True)
    assert [status[:3] for status, _ in together] == ["200", "200"]
    assert together == ask(service(trees), asked, together=False)


def test_a_linear_model_predicts_each_row_alone(proven: Path) -> None:
    model, found = counting(load_model(proven / "model"))
    app = service(model)
    found.clear()
    ask(app, [(LOAN_ROW, "/predict", {}), (OTHER, "/predict", {})], together=True)
    assert found == []


def test_they_are_logged_and_counted_alike(
    trees: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [(LOAN_ROW, "/predict", {}), (UNUSUAL, "/predict", {}), (WRONG, "/predict", {})]
    seen = []
    for together in (True, False):
        app = service(trees)
        capsys.readouterr()
        ask(app, asked, together=together)
        log = re.sub(r" ms=\S+", "", capsys.readouterr().out)
        metrics = app.test_client().get("/metrics").text
        seen.append((log, re.sub(r"http_request_duration_seconds.*", "", metrics)))
    assert seen[0] == seen[1]
    assert seen[0][0].count("status=200 rows=1") == 2
    assert "model_rows_total 2\n" in seen[0][1]
