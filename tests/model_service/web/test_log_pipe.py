"""A log that is not read holds up no request: lines wait, then they are dropped and counted."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import FileIO
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from model_service.model.loading import load_model
from model_service.web import log_pipe
from model_service.web.app import create_app

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="opens a pipe anew")


@contextmanager
def pipe() -> Iterator[FileIO]:
    """Let standard output be a pipe, and return the end to read it from.

    No fixture: pytest sets its own standard output between a fixture and its test.
    """
    read, write = os.pipe()
    with FileIO(read) as reader, os.fdopen(write, "w") as stream, redirect_stdout(stream):
        yield reader


@pytest.fixture
def client(loan: Path) -> FlaskClient:
    return create_app(load_model(loan / "model")).test_client()


def until_the_writer_has_ended() -> None:
    for thread in threading.enumerate():
        if thread.name == "log":
            thread.join(timeout=60)
            assert not thread.is_alive()


def test_lines_of_a_log_that_is_read_arrive_at_once(client: FlaskClient) -> None:
    with pipe() as read:
        client.get("/health")
        assert read.read(1 << 16).decode().endswith(" model_version=1\n")


def test_a_log_that_is_not_read_holds_up_no_request(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_pipe, "MAX_QUEUED_LINES", 10)
    sent = 1000  # more than the 64 KiB of a pipe and the queue
    with pipe() as read:
        for _ in range(sent):
            assert client.get("/health").status_code == 200
        received = b""
        while b"were dropped" not in received:
            received += read.read(1 << 16)
        until_the_writer_has_ended()
        lines = received.decode().splitlines()
        dropped = sent - sum(" path=/health " in line for line in lines)
        assert dropped > 100
        assert lines[-1] == (
            "level=warning logger=model_service.web.log_pipe "
            f'message="{dropped} lines were dropped: the log was not read"'
        )
        assert f"\nlog_lines_dropped_total {dropped}\n" in client.get("/metrics").text
        assert " path=/metrics " in read.read(1 << 16).decode()


def test_a_reader_that_is_gone_fails_no_request(client: FlaskClient) -> None:
    with pipe() as read:
        read.close()
        assert client.get("/health").status_code == 200
