"""The gunicorn worker: what is short is answered at once, and nobody can make that thread wait."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from conftest import SRC, TEMPLATE, engine_environment, environment
from tests.workbench.verify.test_verify import free_port, until_listening

from model_service.model.model import load_model
from model_service.server.worker import LONGEST, Worker, arrival
from model_service.web.app import create_app
from model_service.web.settings import Settings

HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
READY = HEALTH.replace(b"/health", b"/ready")
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
ROW = HEAD + b'Content-Length: 7\r\n\r\n{"x":1}'

# Says which thread answers, and how much of the body came. The length asked for is that of a body.
APPLICATION = """
import threading

def app(environ, start_response):
    body = environ["wsgi.input"].read()
    if b"fail" in body:
        raise ValueError("as asked")
    answer = f"{threading.current_thread().name.partition('-')[0]} {len(body)}".encode()
    if b"large" in body:
        answer += b"." * LARGE
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]

app.predicts_at_once = AT_ONCE
"""
LARGE = 20_000_000
WHERE = f"{Worker.__module__}.{Worker.__name__}"
AT_ONCE, IN_A_THREAD = "requests", "ThreadPoolExecutor"


@pytest.mark.parametrize(
    ("request_", "predicts", "found"),
    [
        (HEALTH, True, "whole"),
        (HEALTH, False, "whole"),
        (ROW, True, "whole"),
        (ROW, False, "other"),
        (ROW.replace(b"Content-Length", b"content-length"), True, "whole"),
        (ROW.replace(b"Length: 7", b"Length: 07"), True, "whole"),
        (ROW.replace(b"Length: 7", b"Length: 8"), True, "begun"),
        (HEAD + b"Content-Length: 7\r\n\r\n", True, "begun"),
        (HEAD + b"Content-Length: 9000\r\n\r\n", True, "other"),
        (HEAD + b"X: " + b"x" * LONGEST, True, "other"),
        (ROW + b" ", True, "other"),
        (ROW + ROW, True, "other"),
        (HEALTH + b"x", True, "other"),
        (HEALTH.replace(b"/health", b"/healthy"), True, "other"),
        (HEALTH.replace(b"1.1", b"1.0"), True, "other"),
        (HEALTH.replace(b"GET", b"HEAD"), True, "other"),
        (HEALTH.replace(b"\r\n\r\n", b"\r\nContent-Length: 1\r\n\r\n"), True, "other"),
        (HEALTH.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"), True, "other"),
        (ROW.replace(b"/predict", b"/predict?on_error=keep"), True, "other"),
        (ROW.replace(b"/predict", b"/metrics"), True, "other"),
        (ROW.replace(b"application/json", b"text/csv"), True, "other"),
        (ROW.replace(b"Length: 7", b"Length: 6"), True, "other"),
        (ROW.replace(b"Length: 7", b"Length: 7\r\nContent-Length: 7"), True, "other"),
        (ROW.replace(b"Length: 7", b"Length: 7\r\nTransfer-Encoding: chunked"), True, "other"),
        (ROW.replace(b"Length: 7", b"Length: 7\r\nExpect: 100-continue"), True, "other"),
        (ROW.replace(b"Length: 7", b"Length: +7"), True, "other"),
        (ROW.replace(b"Length: 7", b"Length: 7 7"), True, "other"),
        (HEAD + b"\r\n", True, "other"),
        (HEAD + b'Content-Length: 18\r\n\r\n{"rows": [{"x":1}]}', True, "other"),
        (b"\x16\x03\x01\x02\x00\x01", True, "other"),
    ],
)
def test_what_is_answered_at_once(request_: bytes, predicts: bool, found: str) -> None:
    assert arrival(request_, predicts) == found


@pytest.mark.parametrize("request_", [HEALTH, ROW])
def test_what_comes_in_pieces_is_waited_for(request_: bytes) -> None:
    found = [arrival(request_[:end], True) for end in range(1, len(request_) + 1)]
    assert found == ["begun"] * (len(request_) - 1) + ["whole"]


@contextmanager
def served(folder: Path, *options: str, at_once: bool = True) -> Iterator[int]:
    """Serve the application above, with few threads. Returns the port."""
    text = APPLICATION.replace("AT_ONCE", str(at_once)).replace("LARGE", str(LARGE))
    (folder / "named.py").write_text(text)
    port = free_port()
    words = f"-k {WHERE} -b 127.0.0.1:{port} --threads=4 --keep-alive=60 --no-control-socket"
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *words.split(), *options, "named:app"],
        cwd=folder,  # and not where gunicorn would find the service's configuration
        env=environment(PYTHONPATH=str(SRC)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert server.stdout is not None
    with server.stdout, ThreadPoolExecutor(1) as reader:
        try:
            until_listening(server, port)
            reader.submit(server.stdout.read)
            yield port
        finally:
            server.terminate()
            assert server.wait(60) == 0


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with served(tmp_path_factory.mktemp("served")) as number:
        yield number


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def response_to(client: socket.socket) -> HTTPResponse:
    response = HTTPResponse(client)
    response.begin()
    return response


def answer(client: socket.socket) -> tuple[int, str, int]:
    """Return the status, who answered and how long the body was."""
    response = response_to(client)
    who, _, length = response.read().decode().rstrip(".").partition(" ")
    return response.status, who, int(length)


def asked(port: int, method: str, path: str, body: bytes | None = None) -> list[str]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        return connection.getresponse().read().decode().split(" ")


@pytest.mark.parametrize(
    ("method", "path", "size", "who"),
    [
        ("POST", "/predict", 7, AT_ONCE),
        ("GET", "/health", 0, AT_ONCE),
        ("GET", "/ready", 0, IN_A_THREAD),
        ("POST", "/predict", LONGEST, IN_A_THREAD),
        ("POST", "/predict", 5_000_000, IN_A_THREAD),
    ],
)
def test_who_answers(port: int, method: str, path: str, size: int, who: str) -> None:
    assert asked(port, method, path, b"x" * size or None) == [who, str(size)]


def test_a_model_that_may_take_long_is_asked_in_a_thread(tmp_path: Path) -> None:
    with served(tmp_path, at_once=False) as port:
        assert asked(port, "POST", "/predict", b"x") == [IN_A_THREAD, "1"]
        assert asked(port, "GET", "/health") == [AT_ONCE, "0"]


def test_a_request_that_comes_in_pieces_is_answered_whole(port: int) -> None:
    for place in range(1, len(ROW)):
        with connected(port) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.sendall(ROW[:place])
            client.sendall(ROW[place:])
            assert answer(client) == (200, AT_ONCE, 7)


def test_requests_that_come_together_are_answered_in_turn(port: int) -> None:
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    with connected(port) as client:
        client.sendall(ROW + chunked + HEALTH + ROW)
        text = b""
        while text.count(b"HTTP/1.1 200 OK") < 4 or not text.endswith(b" 7"):
            piece = client.recv(65536)
            assert piece
            text += piece
    bodies = [part.partition(b"\r\n\r\n")[2] for part in text.split(b"HTTP/1.1 200 OK")[1:]]
    assert [int(body.split()[1]) for body in bodies] == [7, 3, 0, 7]


def test_a_connection_is_kept_whoever_answers(port: int) -> None:
    long = HEAD + b"Content-Length: 9999\r\n\r\n" + b"x" * 9999
    with connected(port) as client:
        for request_, who in ((ROW, AT_ONCE), (long, IN_A_THREAD), (HEALTH, AT_ONCE)) * 3:
            client.sendall(request_)
            assert answer(client)[:2] == (200, who)


def test_who_does_not_read_keeps_nobody_waiting(port: int) -> None:
    """More of them than there are threads: their answers are left, and nobody else's is."""
    large = HEAD + b"Content-Length: 5\r\n\r\nlarge"
    with ExitStack() as opened:
        clients = [opened.enter_context(connected(port)) for _ in range(8)]
        for client in clients:
            client.sendall(large)
        assert asked(port, "POST", "/predict", b"x") == [AT_ONCE, "1"]
        with ThreadPoolExecutor(len(clients)) as pool:
            assert set(pool.map(answer, clients)) == {(200, AT_ONCE, 5)}


@pytest.mark.parametrize(("request_", "other"), [(ROW, HEALTH), (READY, HEALTH), (ROW, READY)])
def test_who_does_not_close_keeps_nobody_waiting(port: int, request_: bytes, other: bytes) -> None:
    """gunicorn waits two seconds for each. The machine may be busy for one, but not each time."""
    leaving = request_.replace(b"Host: x", b"Host: x\r\nConnection: close")

    def in_a_second() -> bool:
        with ExitStack() as opened, suppress(TimeoutError):
            for _ in range(8):  # twice as many as threads
                opened.enter_context(connected(port)).sendall(leaving)
            asks = opened.enter_context(connected(port))
            asks.settimeout(1)
            asks.sendall(other)
            return answer(asks)[0] == 200
        return False

    assert any(in_a_second() for _ in range(5))


def test_connections_that_end_leave_room_for_others(tmp_path: Path) -> None:
    """However they end; what is counted wrongly would be missing, or be there for ever."""
    leaving = ROW.replace(b"Host: x", b"Host: x\r\nConnection: close")
    # Of each kind as many as may be open. Far fewer are kept below: that the last ones have gone
    # may be seen late, and until then they take the place of one that is kept.
    with served(tmp_path, "--worker-connections=20") as port:
        for request_ in (ROW, leaving, READY, ROW[:-1], b"", b"no HTTP\r\n\r\n") * 20:
            with connected(port) as client:
                client.sendall(request_)
                if request_ in (ROW, leaving, READY):
                    assert answer(client)[0] == 200
        with ExitStack() as opened:
            kept = [opened.enter_context(connected(port)) for _ in range(5)]
            for client in kept * 2:
                client.sendall(HEALTH)
                assert answer(client) == (200, AT_ONCE, 0)


def test_without_keepalive_a_request_is_answered_and_closed(tmp_path: Path) -> None:
    with served(tmp_path, "--keep-alive=0") as port:
        for place in (0, 10, len(ROW)):
            with connected(port) as client:
                client.sendall(ROW[:place])
                client.sendall(ROW[place:])
                assert answer(client) == (200, IN_A_THREAD, 7)
                assert client.recv(1) == b""


def test_who_dawdles_takes_no_thread(port: int) -> None:
    with ExitStack() as opened:
        clients = [opened.enter_context(connected(port)) for _ in range(50)]
        for number, client in enumerate(clients):
            client.sendall(ROW[:number])
        assert asked(port, "GET", "/ready") == [IN_A_THREAD, "0"]
        for number, client in enumerate(clients):
            client.sendall(ROW[number:])
            assert answer(client) == (200, AT_ONCE, 7)


def test_who_goes_before_the_answer_harms_nobody(port: int) -> None:
    for request_ in (ROW, HEAD + b"Content-Length: 5\r\n\r\nlarge", ROW[:-1], b"") * 5:
        with connected(port) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.sendall(request_)
    assert asked(port, "POST", "/predict", b"x") == [AT_ONCE, "1"]


def test_an_application_that_fails_is_told_of_and_the_next_is_answered(port: int) -> None:
    with connected(port) as client:
        client.sendall(HEAD + b"Content-Length: 4\r\n\r\nfail")
        assert response_to(client).status == 500
    assert asked(port, "POST", "/predict", b"x") == [AT_ONCE, "1"]


def test_what_is_no_http_is_refused(port: int) -> None:
    bad = ROW.replace(b"Host: x", b"Host: x\r\nHost: y")
    assert arrival(bad, True) == "whole"
    with connected(port) as client:
        client.sendall(bad)
        assert response_to(client).status == 400


@pytest.mark.parametrize(
    ("settings", "at_once"),
    [
        ({}, True),
        ({"requests_per_minute": 9}, True),
        ({"redis_url": "redis://127.0.0.1:1"}, True),
        ({"requests_per_minute": 9, "redis_url": "redis://127.0.0.1:1"}, False),
    ],
)
def test_what_asks_redis_waits_in_a_thread(
    loan: Path, settings: dict[str, Any], at_once: bool
) -> None:
    model = load_model(loan / "model")
    model.plan = model.make_plan()
    assert create_app(model, Settings(**settings)).predicts_at_once is at_once  # type: ignore[attr-defined]
    model.plan = replace(model.plan, inline=False)
    assert create_app(model, Settings(**settings)).predicts_at_once is False  # type: ignore[attr-defined]
    model.plan = None
    assert create_app(model, Settings(**settings)).predicts_at_once is False  # type: ignore[attr-defined]


def test_the_configuration_takes_this_worker(loan: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "--print-config"],
        cwd=TEMPLATE,
        env=engine_environment(MODEL_DIR=str(loan / "model")),
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"worker_class = {WHERE}" in " ".join(found.stdout.split())
