"""API keys: with API_KEYS set, a caller without a key learns nothing about the model."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import logging
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, url_for
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from model_service.model.model import Model
from model_service.web.app import create_app
from model_service.web.form import field_texts
from model_service.web.settings import Settings, SettingsError

KEY, OLD_KEY = "a-key", "an-old-key"
HASHES = [hashlib.sha256(key.encode()).hexdigest() for key in (KEY, OLD_KEY)]
BEARER = {"Authorization": f"Bearer {KEY}"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
SECRET = "Said to nobody"
PUBLIC = {
    *("static", "docs.viewer", "pages.accent", "api.health", "api.ready"),
    *("keys.sign_in", "keys.sign_out"),
}


@pytest.fixture(scope="module")
def app(model: Model, directory: Path) -> Flask:
    about = dataclasses.replace(model.manifest.about, title=SECRET, description=SECRET)
    told = dataclasses.replace(model.manifest, about=about)
    secret = Model(model.estimator, model.contract, told, model.golden, model.prepare, model.stages)
    environment = {"API_KEYS": f"{HASHES[0]}, {HASHES[1].upper()}", "MODEL_DIR": str(directory)}
    return create_app(secret, Settings.from_environment(environment))


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def cookie(response: TestResponse) -> str:
    (header,) = response.headers.getlist("Set-Cookie")
    return header


def test_every_route_needs_a_key_but_the_public_ones(app: Flask) -> None:
    files: dict[str, dict[str, Any]] = {
        "static": {"filename": "style.css"},
        "docs.viewer": {"name": "swagger-ui.css"},
        **{f"api.jobs.{name}": {"job_id": "1"} for name in ("show", "result", "delete")},
    }
    assert {rule.endpoint for rule in app.url_map.iter_rules()} > PUBLIC
    for rule in app.url_map.iter_rules():
        with app.test_request_context():
            address = url_for(rule.endpoint, **files.get(rule.endpoint, {}))
        for method in rule.methods or ():
            bare, known = (
                app.test_client().open(address, method=method, headers=headers, buffered=True)
                for headers in ({}, BEARER)
            )
            assert SECRET not in bare.text
            if rule.endpoint == "keys.sign_in" and method == "POST":
                assert "API key is not valid" in bare.text
            elif rule.endpoint in PUBLIC:
                assert bare.status_code in (200, 303), address
            else:
                assert bare.status_code == 401, address
                assert bare.mimetype == "application/problem+json"
                assert bare.headers["WWW-Authenticate"] == "Bearer"
                assert bare.headers.getlist("Cache-Control") == ["no-store"]
                assert known.status_code != 401, address


@pytest.mark.parametrize("headers", [{}, BROWSER])
def test_an_unknown_address_does_not_name_the_model(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    response = client.get("/nothing", headers=headers)
    assert response.status_code == 404
    assert SECRET not in response.text
    assert SECRET in client.get("/nothing", headers=BROWSER | BEARER).text


@pytest.mark.parametrize("key", [KEY, OLD_KEY])
def test_each_of_several_keys_is_accepted(
    client: FlaskClient, rows: list[dict[str, Any]], key: str
) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    assert client.post("/predict", json=rows[0], headers=headers).status_code == 200


@pytest.mark.parametrize(
    "value",
    [
        *("Bearer", "Bearer ", "Bearer other", f"Bearer {HASHES[0]}", f"Bearer {KEY} {KEY}"),
        *(f"Basic {KEY}", KEY, f"Bearer key={KEY}", "Bearer \xff", f"Token {KEY}"),
    ],
)
def test_other_credentials_are_refused_and_not_repeated(
    client: FlaskClient, rows: list[dict[str, Any]], value: str
) -> None:
    response = client.post("/predict", json=rows[0], headers={"Authorization": value})
    assert response.status_code == 401
    assert KEY not in response.text


def test_a_key_in_the_query_is_not_accepted(client: FlaskClient) -> None:
    for address in (f"/features?key={KEY}", f"/features?api_key={KEY}", f"/?key={KEY}"):
        assert client.get(address).status_code == 401


def test_signing_in_and_out_on_a_page(client: FlaskClient, rows: list[dict[str, Any]]) -> None:
    asked = client.get("/docs", headers=BROWSER)
    assert asked.status_code == 401
    assert asked.mimetype == "text/html"
    assert 'name="key"' in asked.text
    assert 'name="page" value="docs.page"' in asked.text
    wrong = client.post("/key", data={"key": "not-the-key", "page": "docs.page"}, headers=BROWSER)
    assert wrong.status_code == 401
    assert "API key is not valid" in wrong.text
    assert 'value="docs.page"' in wrong.text
    assert "not-the-key" not in wrong.text
    assert "Set-Cookie" not in wrong.headers

    right = client.post("/key", data={"key": f" {KEY}\n", "page": "docs.page"})
    assert (right.status_code, right.location) == (303, "/docs")
    assert KEY in cookie(right)
    for attribute in ("HttpOnly", "SameSite=Strict", "Path=/"):
        assert attribute in cookie(right)
    assert SECRET in client.get("/docs").text
    assert "Sign out" in client.get("/").text
    assert client.post("/", data=field_texts(rows[0])).status_code == 200
    assert client.post("/predict", json=rows[0]).status_code == 200
    content = client.get("/example.csv").data
    form = {"file": (io.BytesIO(content), "some.csv")}
    assert client.post("/file", data=form, buffered=True).status_code == 200

    assert client.post("/key/forget").status_code == 303
    assert client.get("/docs").status_code == 401


def test_the_cookie_is_secure_behind_tls_and_kept_on_plain_http(client: FlaskClient) -> None:
    behind = {"X-Forwarded-Proto": "https"}
    assert "Secure" in cookie(client.post("/key", data={"key": KEY}, headers=behind))
    assert "Secure" not in cookie(client.post("/key", data={"key": KEY}))


@pytest.mark.parametrize("page", ["", "https://example.org", "//example.org", "api.metadata", "x"])
def test_signing_in_redirects_only_to_pages_of_this_service(client: FlaskClient, page: str) -> None:
    assert client.post("/key", data={"key": KEY, "page": page}).location == "/"


@pytest.mark.parametrize("route", ["/key", "/key/forget", "/"])
def test_another_site_cannot_use_the_cookie(client: FlaskClient, route: str) -> None:
    client.post("/key", data={"key": KEY})
    for headers in ({"Sec-Fetch-Site": "same-site"}, {"Origin": "https://example.org"}):
        assert client.post(route, data={"key": KEY}, headers=headers).status_code == 403


def test_openapi_and_the_example_requests_name_the_key(client: FlaskClient) -> None:
    document = client.get("/openapi.json", headers=BEARER).json
    assert document is not None
    (scheme,) = document["paths"]["/predict"]["post"]["security"][0]
    assert document["components"]["securitySchemes"][scheme]["scheme"] == "bearer"
    assert "401" in document["paths"]["/predict"]["post"]["responses"]
    assert "security" not in document["paths"]["/health"]["get"]
    page = client.get("/docs", headers=BEARER).text
    assert page.count("Authorization") >= 7
    assert KEY not in page


def test_an_open_service_is_logged_at_the_start(
    model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    for keys, lines in (((), 1), ((bytes(32),), 0)):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            create_app(model, Settings(api_keys=keys))
        assert caplog.text.count("open to everyone") == lines


@pytest.mark.parametrize(
    "value", [",", " ", KEY, HASHES[0][1:], f"{HASHES[0]},", f"{HASHES[0]}\n{HASHES[1]}", "٣" * 64]
)
def test_an_invalid_list_of_hashes_is_refused_in_one_line(value: str) -> None:
    with pytest.raises(SettingsError, match="API_KEYS holds something other") as caught:
        Settings.from_environment({"API_KEYS": value})
    assert "\n" not in str(caught.value)
    assert KEY not in str(caught.value).split()
