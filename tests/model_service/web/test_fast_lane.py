"""The fast lane: which requests are answered in the event thread."""

from __future__ import annotations

import errno
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import LOAN_ROW
from flask import Response
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import EnvironBuilder

from model_service.model.loading import load_model
from model_service.server.request import CutBody
from model_service.web import api
from model_service.web.app import ModelService, create_app
from model_service.web.bodies import json_response
from model_service.web.settings import Settings


def service(loan: Path, **settings: Any) -> ModelService:
    model = load_model(loan / "model")
    model.fast_path = model.compile_fast_path()
    return create_app(model, Settings(**settings))


def is_fast(app: ModelService, method: str, path: str, body: bytes = b"", kind: str = "") -> bool:
    builder = EnvironBuilder(path=path, method=method, content_type=kind)
    return app.answers_inline(builder.get_environ(), body)


def takes_row(app: ModelService) -> bool:
    return is_fast(app, "POST", "/predict", json.dumps(LOAN_ROW).encode(), "application/json")


@pytest.fixture(scope="module")
def app(loan: Path) -> ModelService:
    return service(loan)


@pytest.mark.parametrize(
    ("body", "fast"),
    [
        (LOAN_ROW, True),
        (dict(reversed(LOAN_ROW.items())), True),
        (dict.fromkeys(LOAN_ROW), True),  # its values are refused, which takes no time
        (LOAN_ROW | {"property_area": "Uban"}, False),  # compared with all: did you mean Urban?
        (LOAN_ROW | {"property_area": 1}, True),
        ({}, False),
        ({**LOAN_ROW, "Aera": 1}, False),  # compared with all names: did you mean Area?
        ({name: value for name, value in LOAN_ROW.items() if name != "loan_term"}, False),
        ({"rows": [LOAN_ROW]}, False),
        ([LOAN_ROW], False),
        (LOAN_ROW | {"loan_term": [1]}, False),
        (1, False),
    ],
)
def test_a_row_with_the_names_of_the_features_is_fast(
    app: ModelService, body: Any, fast: bool
) -> None:
    data = json.dumps(body).encode()
    assert is_fast(app, "POST", "/predict", data, "application/json") is fast


def test_a_row_over_the_limit_is_not_fast(loan: Path) -> None:
    assert not takes_row(service(loan, max_json_bytes=100))


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b'{"a":' * 1600, b"9" * 8000])
def test_a_body_that_is_no_json_is_not_fast(app: ModelService, body: bytes) -> None:
    assert not is_fast(app, "POST", "/predict", body, "application/json")


@pytest.mark.parametrize(
    ("method", "path", "kind", "fast"),
    [
        ("POST", "/predict", "application/json; charset=utf-8", True),
        ("POST", "/predict", "text/csv", False),
        ("POST", "/predict", "", False),
        ("POST", "/predict?on_error=keep", "application/json", False),
        ("POST", "/predict/", "application/json", False),
        ("PUT", "/predict", "application/json", False),
        ("POST", "/", "application/json", False),
        ("POST", "/health", "application/json", False),
    ],
)
def test_other_requests_are_not_fast(
    app: ModelService, method: str, path: str, kind: str, fast: bool
) -> None:
    assert is_fast(app, method, path, json.dumps(LOAN_ROW).encode(), kind) is fast


@pytest.mark.parametrize(
    ("method", "path", "body", "fast"),
    [
        ("GET", "/health", b"", True),
        ("GET", "/health?probe=1", b"", True),
        ("GET", "/health", b"x", False),
        ("HEAD", "/health", b"", False),
        ("GET", "/ready", b"", False),
    ],
)
def test_the_health_check_is_fast(
    app: ModelService, method: str, path: str, body: bytes, fast: bool
) -> None:
    assert is_fast(app, method, path, body) is fast


@pytest.mark.parametrize(
    ("settings", "fast"),
    [
        ({}, True),
        ({"requests_per_minute": 9}, True),
        ({"redis_url": "redis://127.0.0.1:1"}, True),
        ({"requests_per_minute": 9, "redis_url": "redis://127.0.0.1:1"}, False),
    ],
)
def test_a_request_that_asks_redis_is_not_fast(
    loan: Path, settings: dict[str, Any], fast: bool
) -> None:
    assert takes_row(service(loan, **settings)) is fast


@pytest.mark.parametrize("has_fast_path", [True, False])
def test_rows_of_a_slow_model_are_not_fast(loan: Path, has_fast_path: bool) -> None:
    model = load_model(loan / "model")
    if has_fast_path:
        model.fast_path = replace(model.compile_fast_path(), inline=False)
    app = create_app(model, Settings())
    assert not takes_row(app)
    assert is_fast(app, "GET", "/health")


def before(app: ModelService) -> None:
    app.before_request(lambda: None)


def after(app: ModelService) -> None:
    app.after_request(lambda response: response)


def preprocessor(app: ModelService) -> None:
    app.url_value_preprocessor(lambda _endpoint, _values: None)


def teardown(app: ModelService) -> None:
    app.teardown_request(lambda _error: None)


def of_the_blueprint(app: ModelService) -> None:
    app.before_request_funcs.setdefault(api.bp.name, []).append(lambda: None)


def middleware(app: ModelService) -> None:
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app)  # type: ignore[method-assign]


def other_views(app: ModelService) -> None:
    for view in ("health", "predict"):
        app.view_functions[f"api.{view}"] = lambda: json_response({})


@pytest.mark.parametrize(
    "change",
    [before, after, preprocessor, teardown, of_the_blueprint, middleware, other_views],
)
def test_with_code_of_the_owners_requests_go_to_threads(
    loan: Path, change: Callable[[ModelService], None]
) -> None:
    app = service(loan)
    change(app)
    assert not takes_row(app)
    assert not is_fast(app, "GET", "/health")


def test_routes_and_hooks_of_the_owners_own_blueprint_change_nothing(loan: Path) -> None:
    app = service(loan)
    app.get("/own")(lambda: Response("own"))
    app.before_request_funcs.setdefault("own", []).append(lambda: None)
    assert takes_row(app)
    assert is_fast(app, "GET", "/health")


def test_without_the_api_nothing_is_fast(loan: Path) -> None:
    app = ModelService("model_service.web", model=load_model(loan / "model"))
    assert not takes_row(app)
    assert not is_fast(app, "GET", "/health")


CSV_BYTES = 50 * 1024 * 1024 + 10_000


@pytest.mark.parametrize(
    ("method", "path", "kind", "max_bytes"),
    [
        ("POST", "/predict", "application/json", 1 << 20),
        ("POST", "/predict", "", 1 << 20),
        ("POST", "/predict", "text/csv; charset=utf-8", CSV_BYTES),
        ("POST", "/file", "multipart/form-data; boundary=x", CSV_BYTES),
        ("POST", "/", "application/x-www-form-urlencoded", 1 << 20),
        ("GET", "/predict", "text/csv", 1 << 20),
        ("POST", "/nowhere", "text/csv", 1 << 20),
        ("POST", "/own", "application/json", CSV_BYTES),  # the route may say so itself
    ],
)
def test_how_long_a_body_can_be(
    loan: Path, method: str, path: str, kind: str, max_bytes: int
) -> None:
    app = service(loan)
    app.post("/own")(lambda: Response("own"))
    environ = EnvironBuilder(path=path, method=method, content_type=kind).get_environ()
    assert app.max_body_bytes(environ) == max_bytes


def test_the_owner_can_raise_the_limit(app: ModelService) -> None:
    environ = EnvironBuilder(path="/predict", method="POST").get_environ()
    limit = app.config["MAX_CONTENT_LENGTH"]
    try:
        for raised, at_least in ((1 << 30, 1 << 30), (None, 1 << 40)):
            app.config["MAX_CONTENT_LENGTH"] = raised
            assert app.max_body_bytes(environ) >= at_least
    finally:
        app.config["MAX_CONTENT_LENGTH"] = limit


def test_a_body_that_the_worker_has_cut_off_is_413(loan: Path) -> None:
    cut = io.BufferedReader(CutBody(io.BytesIO(), OSError(errno.EMSGSIZE, "Message too long")))
    client = service(loan).test_client()
    environ = {"wsgi.input": cut, "CONTENT_LENGTH": "5"}
    response = client.post("/predict", content_type="text/csv", environ_overrides=environ)
    assert (response.status_code, response.mimetype) == (413, "application/problem+json")
