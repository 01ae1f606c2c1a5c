"""The rate limit with a real Redis, and without it when it dies."""

from __future__ import annotations

import logging
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from flask.testing import FlaskClient
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from model_service.model.loading import load_model
from model_service.model.model import Model
from model_service.web import rate_limit
from model_service.web.app import create_app
from model_service.web.settings import Settings, SettingsError

pytestmark = pytest.mark.slow
MOST = 4
NOW = 1_000_020.0


@pytest.fixture(scope="module")
def model(loan: Path) -> Model:
    return load_model(loan / "model")


@pytest.fixture(autouse=True)
def one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "time", lambda: NOW)


@contextmanager
def running(folder: Path, port: int, *options: str) -> Iterator[None]:
    """Run a Redis that keeps nothing, until it answers."""
    server = shutil.which("redis-server")
    assert server, "redis-server is needed: apt-get install redis-server"
    process = subprocess.Popen(
        [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", *options],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_answering(url: str, **options: str | bool) -> None:
    """Wait until a Redis answers."""
    with redis.Redis.from_url(url, retry=Retry(ConstantBackoff(0.05), 200), **options) as client:
        assert client.ping()


def a_process(model: Model, url: str) -> FlaskClient:
    """Make what one process has: it shares nothing with the others but Redis."""
    return create_app(model, Settings(requests_per_minute=MOST, redis_url=url)).test_client()


def statuses(client: FlaskClient, times: int) -> list[int]:
    return [client.get("/features").status_code for _ in range(times)]


def test_processes_share_the_count_and_count_alone_without_redis(
    model: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    url = f"redis://127.0.0.1:{port}"
    with running(tmp_path, port):
        until_answering(url)
        one, other = a_process(model, url), a_process(model, url)
        assert statuses(one, MOST - 1) + statuses(other, 2) == [200] * MOST + [429]
        assert statuses(one, 1) == [429]
        with redis.Redis.from_url(url) as client:
            (key,) = client.keys()
            assert key.startswith(b"loan-approval:requests:")
            assert 0 < client.ttl(key) <= 2 * rate_limit.WINDOW_SECONDS
    with caplog.at_level(logging.WARNING):
        for client in (one, other):
            assert statuses(client, MOST + 1) == [200] * MOST + [429]
    assert caplog.text.count("Redis does not answer") == 2  # once a process, not once a request
    monkeypatch.setattr(rate_limit, "monotonic", lambda: sys.float_info.max)  # the pause is over
    with running(tmp_path, port):
        until_answering(url)
        assert statuses(one, MOST - 1) + statuses(other, 2) == [200] * MOST + [429]


def test_a_self_signed_certificate_is_accepted(model: Model, tmp_path: Path) -> None:
    certificate = ["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=redis.example"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *certificate],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    port = free_port()
    url = f"rediss://:secret@127.0.0.1:{port}"
    tls = ["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem", "--tls-auth-clients", "no"]
    options = ["--tls-port", str(port), "--requirepass", "secret", *tls]
    with running(tmp_path, 0, *options):
        until_answering(url, ssl_cert_reqs="none", ssl_check_hostname=False)
        one, other = a_process(model, url), a_process(model, url)
        assert statuses(one, MOST) + statuses(other, 1) == [200] * MOST + [429]


def test_a_redis_that_never_answers_delays_one_request(
    model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes the connection, and no more
        client = a_process(model, f"redis://127.0.0.1:{silent.getsockname()[1]}")
        assert statuses(client, MOST + 1) == [200] * MOST + [429]
        assert caplog.text.count("Redis does not answer (TimeoutError)") == 1


def test_a_missing_redis_package_is_logged_at_the_start(
    model: Model, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    client = a_process(model, "redis://127.0.0.1:1")
    assert "add redis to requirements.in" in caplog.text
    assert statuses(client, MOST + 1) == [200] * MOST + [429]


@pytest.mark.parametrize("url", ["secret", "http://:secret@127.0.0.1"])
def test_an_invalid_redis_url_is_refused_without_its_password(model: Model, url: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL is no address") as caught:
        a_process(model, url)
    assert "secret" not in str(caught.value)
