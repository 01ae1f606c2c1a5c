"""The rate limit: who counts as one caller, and which routes are never refused."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from model_service.model.model import Model
from model_service.web import rate_limit
from model_service.web.app import create_app
from model_service.web.rate_limit import InProcess, network
from model_service.web.settings import Settings, SettingsError

MOST = 3
MINUTE = 1_000_020.0  # one begins here
SetClock = Callable[[float], None]


@pytest.fixture(autouse=True)
def at(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    def at(seconds: float) -> None:
        monkeypatch.setattr(rate_limit, "time", lambda: seconds)

    at(MINUTE)
    return at


@pytest.fixture
def settings() -> Settings:
    return Settings.from_environment({"REQUESTS_PER_MINUTE": str(MOST)})


@pytest.fixture
def client(model: Model, settings: Settings) -> FlaskClient:
    return create_app(model, settings).test_client()


def statuses(client: FlaskClient, times: int = MOST + 1, **headers: str) -> list[int]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return [client.get("/features", headers=named).status_code for _ in range(times)]


ALLOWED = [200] * MOST


def test_a_request_over_the_limit_gets_retry_after(client: FlaskClient, at: SetClock) -> None:
    at(MINUTE + 17.5)
    assert statuses(client) == [*ALLOWED, 429]
    response = client.post("/predict", json={})
    assert response.status_code == 429
    assert response.mimetype == "application/problem+json"
    assert response.headers["Retry-After"] == "43"
    at(MINUTE + 60)
    assert statuses(client) == [*ALLOWED, 429]


def test_health_and_files_are_never_refused(client: FlaskClient) -> None:
    statuses(client)
    for route in ("/health", "/ready", "/static/style.css", "/docs/swagger-ui.css"):
        for _ in range(MOST + 1):
            assert client.get(route, buffered=True).status_code == 200
    assert client.get("/nothing").status_code == 429


def test_the_address_is_taken_from_the_router(client: FlaskClient) -> None:
    """The router appends whom it sees to what the caller has written there."""
    forged = [f"198.51.100.{n}, 203.0.113.7" for n in range(MOST + 1)]
    found = [statuses(client, 1, X_Forwarded_For=value)[0] for value in forged]
    assert found == [*ALLOWED, 429]
    assert statuses(client, X_Forwarded_For="203.0.113.7, 203.0.113.8") == [*ALLOWED, 429]


def test_each_known_key_is_a_caller_and_guessed_keys_are_not(
    model: Model, settings: Settings
) -> None:
    hashes = tuple(hashlib.sha256(key).digest() for key in (b"one", b"two"))
    client = create_app(model, dataclasses.replace(settings, api_keys=hashes)).test_client()
    for key in ("one", "two"):
        assert statuses(client, Authorization=f"Bearer {key}") == [*ALLOWED, 429]
    guesses = [statuses(client, 1, Authorization=f"Bearer {n}")[0] for n in range(MOST + 1)]
    assert guesses == [401, 401, 401, 429]


def test_without_a_limit_no_request_is_counted(model: Model) -> None:
    assert statuses(create_app(model, Settings()).test_client(), 20) == [200] * 20


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("x" * 9000, "x" * 45),
    ],
)
def test_a_caller_has_one_address_or_a_network(address: str, caller: str) -> None:
    assert network(address) == caller


def test_past_minutes_are_forgotten() -> None:
    counter = InProcess()
    assert [counter.count("a", 1), counter.count("a", 1), counter.count("b", 1)] == [1, 2, 1]
    assert [counter.count("a", 2), counter.count("a", 1)] == [1, 2]
    assert list(counter._counts) == ["a"]


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many"])
def test_a_limit_that_is_no_number_is_refused_by_name(value: str) -> None:
    with pytest.raises(SettingsError, match="REQUESTS_PER_MINUTE"):
        Settings.from_environment({"REQUESTS_PER_MINUTE": value})


def test_redis_is_not_used_without_a_limit_and_its_password_is_not_shown(model: Model) -> None:
    settings = Settings.from_environment({"REDIS_URL": "rediss://:secret@127.0.0.1:1"})
    assert statuses(create_app(model, settings).test_client()) == [200] * (MOST + 1)
    assert "secret" not in repr(settings)
