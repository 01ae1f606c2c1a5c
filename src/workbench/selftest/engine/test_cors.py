"""CORS: off, and opt-in by exact origin."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from model_service.model.model import Model
from model_service.web.app import create_app
from model_service.web.settings import Settings, SettingsError

ORIGIN, OTHER = "https://app.example.org", "http://localhost:3000"
API = ["/predict", "/features", "/metadata", "/openapi.json"]
ASKS = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture
def listed(model: Model, directory: Path) -> FlaskClient:
    environment = {"CORS_ORIGINS": f"{ORIGIN}, {OTHER}", "MODEL_DIR": str(directory)}
    environment["API_KEYS"] = hashlib.sha256(b"a key").hexdigest()
    return create_app(model, Settings.from_environment(environment)).test_client()


@pytest.mark.parametrize("origin", [ORIGIN, OTHER])
@pytest.mark.parametrize("route", API)
def test_a_listed_origin_can_ask_and_read(listed: FlaskClient, route: str, origin: str) -> None:
    preflight = listed.options(route, headers=ASKS | {"Origin": origin})
    assert preflight.status_code == 204
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    refused = listed.post("/predict", json={}, headers={"Origin": origin})
    assert refused.status_code == 401
    for response in (preflight, refused):
        assert response.headers["Access-Control-Allow-Origin"] == origin
        assert "Access-Control-Allow-Credentials" not in response.headers
        assert "Origin" in response.headers["Vary"]


@pytest.mark.parametrize(
    "origin",
    [
        *("https://example.org", "https://app.example.org.evil.example", "http://app.example.org"),
        *("https://app.example.org:8443", "https://APP.example.org", "null", "*", ORIGIN + "/"),
    ],
)
def test_another_origin_cannot(listed: FlaskClient, origin: str) -> None:
    for response in (
        listed.options("/predict", headers=ASKS | {"Origin": origin}),
        listed.get("/features", headers={"Origin": origin, "Authorization": "Bearer a key"}),
    ):
        assert not [name for name, _ in response.headers if name.startswith("Access-Control")]
        assert "Origin" in response.headers["Vary"]  # or a cache would give it the other answer


def test_pages_are_not_cross_origin(listed: FlaskClient) -> None:
    for route in ("/", "/model", "/docs", "/health", "/key"):
        response = listed.options(route, headers=ASKS | {"Origin": ORIGIN})
        assert "Access-Control-Allow-Origin" not in response.headers


def test_it_is_off_until_origins_are_listed(
    client: FlaskClient, rows: list[dict[str, Any]]
) -> None:
    for response in (
        client.options("/predict", headers=ASKS | {"Origin": ORIGIN}),
        client.post("/predict", json=rows[0], headers={"Origin": ORIGIN}),
    ):
        assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize(
    "value",
    [
        *(
            "*",
            "null",
            "app.example.org",
            "https://",
            "https://app.example.org/",
            "ftp://a.example",
        ),
        *(
            "https://*.example.org",
            "https://App.example.org",
            "https://a.example/path",
            ORIGIN + ",",
        ),
        *("https://a.example:443", "http://a.example:80", "https://ä.example", f"{ORIGIN} {OTHER}"),
    ],
)
def test_an_invalid_list_of_origins_is_refused_in_one_line(value: str) -> None:
    with pytest.raises(SettingsError, match=r"CORS_ORIGINS has .*no origin") as caught:
        Settings.from_environment({"CORS_ORIGINS": value})
    assert "\n" not in str(caught.value)


def test_origins_of_every_kind_are_accepted() -> None:
    value = "https://a.example,http://a.example:8080,http://127.0.0.1:5000,http://[::1]:3000"
    assert Settings.from_environment({"CORS_ORIGINS": value}).cors_origins == tuple(
        value.split(",")
    )
