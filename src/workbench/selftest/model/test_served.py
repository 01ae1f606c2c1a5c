"""Served: gunicorn, as the Procfile starts it, answers what the application does."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

PROJECT = Path.cwd()
SECONDS = 60

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs Unix")


@pytest.fixture(scope="module")
def connection(directory: Path) -> Iterator[HTTPConnection]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    server = subprocess.Popen(
        # -B: where the project's folder is a template, nothing is to be left in it.
        [sys.executable, "-B", "-m", "gunicorn", "--config", "gunicorn.conf.py"],
        cwd=PROJECT,
        env={**kept, "MODEL_DIR": str(directory), "PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    found = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    deadline = time.monotonic() + SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            found.connect()
            break
        time.sleep(0.05)
    try:
        yield found
    finally:
        found.close()
        server.terminate()
        try:
            status = server.wait(SECONDS)
        finally:
            server.kill()
    assert status in (0, -signal.SIGTERM)


def ask(connection: HTTPConnection, method: str, path: str, body: str | None = None) -> Any:
    connection.request(method, path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def test_the_worker_overrides_methods_that_gunicorn_has() -> None:
    from gunicorn.workers.gthread import ThreadWorker  # noqa: PLC0415  # not on Windows

    from model_service.server.worker import Worker  # noqa: PLC0415

    own = {name for name in vars(Worker) if not name.startswith("_")}
    own.remove("early_signals")  # which the hook post_fork gives it
    assert own == {"check_config", "init_process", "init_signals", "handle_exit", "run"}
    assert own <= set(dir(ThreadWorker))


def test_rows_and_batches_are_answered_as_by_the_application(
    connection: HTTPConnection, client: FlaskClient, rows: list[dict[str, Any]]
) -> None:
    for body in (*rows[:3], {"rows": rows[:3]}, {}):
        expected = client.post("/predict", json=body)
        answer = ask(connection, "POST", "/predict", json.dumps(body))
        assert answer == (expected.status_code, expected.get_json())


def test_a_long_body_is_answered_on_the_same_connection(
    connection: HTTPConnection, client: FlaskClient, rows: list[dict[str, Any]]
) -> None:
    padded = json.dumps(rows[0]) + " " * 100_000
    expected = client.post("/predict", json=rows[0])
    for _ in range(2):
        answer = ask(connection, "POST", "/predict", padded)
        assert answer == (expected.status_code, expected.get_json())
        assert ask(connection, "GET", "/health") == (200, {"status": "ok"})
