"""The gunicorn worker: which thread answers, and that no client can make it wait."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest
from conftest import SRC, TEMPLATE, engine_environment, environment
from running import free_port, until_listening

from model_service.server.worker import MAX_FAST_BYTES, Worker

HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
READY = HEALTH.replace(b"/health", b"/ready")
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
ROW = HEAD + b'Content-Length: 7\r\n\r\n{"x":1}'

# Answers with the thread that serves the request and the length of the body.
APPLICATION = """
import os
import threading

def app(environ, start_response):
    body = environ["wsgi.input"].read()
    if environ["PATH_INFO"] == "/pid":
        start_response("200 OK", [])
        return [str(os.getpid()).encode()]
    if b"fail" in body:
        raise SystemExit("as asked") if b"leave" in body else ValueError("as asked")
    answer = f"{threading.current_thread().name.partition('-')[0]} {len(body)}".encode()
    if b"large" in body:
        answer += b"." * LARGE
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]

app.answers_inline = lambda environ, body: environ["PATH_INFO"] in INLINE_PATHS

def prepare(environs):
    bodies = [environ["wsgi.input"].read() for environ in environs]
    for environ, body in zip(environs, bodies):
        environ["wsgi.input"].seek(0)
    if any(b"stumble" in body for body in bodies):
        raise ValueError("as asked")

app.prepare_inline = prepare
"""
LARGE = 20_000_000
WHERE = f"{Worker.__module__}.{Worker.__name__}"
INLINE, IN_POOL = "requests", "ThreadPoolExecutor"


@contextmanager
def served(folder: Path, *options: str) -> Iterator[int]:
    """Serve the application above, with few threads. Returns the port."""
    with started(folder, *options) as (_, port):
        yield port


@contextmanager
def started(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Serve the application above, with few threads. Returns gunicorn and the port."""
    text = APPLICATION.replace("INLINE_PATHS", "('/predict', '/health')")
    text = text.replace("LARGE", str(LARGE))
    (folder / "named.py").write_text(text)
    port = free_port()
    words = f"-k {WHERE} -b 127.0.0.1:{port} --threads=4 --keep-alive=60 --no-control-socket"
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *words.split(), *options, "named:app"],
        cwd=folder,  # gunicorn finds no gunicorn.conf.py there
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
            yield server, port
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
    """Return the status, the thread that answered, and the length of the body."""
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
        ("POST", "/predict", 7, INLINE),
        ("GET", "/health", 0, INLINE),
        ("GET", "/ready", 0, IN_POOL),
        ("POST", "/predict", MAX_FAST_BYTES, INLINE),
        ("POST", "/predict", MAX_FAST_BYTES + 1, IN_POOL),
        ("POST", "/predict", 5_000_000, IN_POOL),
    ],
)
def test_which_thread_answers(port: int, method: str, path: str, size: int, who: str) -> None:
    assert asked(port, method, path, b"x" * size or None) == [who, str(size)]


def test_a_request_that_arrives_in_pieces_is_answered(port: int) -> None:
    for place in range(1, len(ROW)):
        with connected(port) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.sendall(ROW[:place])
            client.sendall(ROW[place:])
            assert answer(client) == (200, INLINE, 7)


def test_pipelined_requests_are_answered_in_order(port: int) -> None:
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


def test_a_connection_is_kept_in_both_lanes(port: int) -> None:
    long = HEAD + b"Content-Length: 9999\r\n\r\n" + b"x" * 9999
    with connected(port) as client:
        for request_, who in ((ROW, INLINE), (long, IN_POOL), (HEALTH, INLINE)) * 3:
            client.sendall(request_)
            assert answer(client)[:2] == (200, who)


def test_a_client_that_does_not_read_blocks_no_other(port: int) -> None:
    """There are more of them than threads."""
    large = HEAD + b"Content-Length: 5\r\n\r\nlarge"
    with ExitStack() as opened:
        clients = [opened.enter_context(connected(port)) for _ in range(8)]
        for client in clients:
            client.sendall(large)
        assert asked(port, "POST", "/predict", b"x") == [INLINE, "1"]
        with ThreadPoolExecutor(len(clients)) as pool:
            assert set(pool.map(answer, clients)) == {(200, INLINE, 5)}


@pytest.mark.parametrize(("request_", "other"), [(ROW, HEALTH), (READY, HEALTH), (ROW, READY)])
def test_a_client_that_does_not_close_blocks_no_other(
    port: int, request_: bytes, other: bytes
) -> None:
    """gunicorn waits two seconds for each. The machine can be busy for one, but not each time."""
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


def test_closed_connections_are_no_longer_counted(tmp_path: Path) -> None:
    """However they end: the count decides how many new connections are accepted."""
    leaving = ROW.replace(b"Host: x", b"Host: x\r\nConnection: close")
    # As many of each kind as can be open. Far fewer are kept below: the worker can notice late that
    # the last ones are closed, and until then each takes the place of one that is kept.
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
                assert answer(client) == (200, INLINE, 0)


def test_where_preparing_fails_all_are_answered(port: int) -> None:
    row = HEAD + b"Content-Length: 7\r\n\r\nstumble"
    with ExitStack() as opened:
        clients = [opened.enter_context(connected(port)) for _ in range(40)]
        for number, client in enumerate(clients):
            client.sendall((row, ROW, READY)[number % 3])
        lanes = [answer(client)[:2] for client in clients]
    assert lanes == [(200, IN_POOL if n % 3 == 2 else INLINE) for n in range(40)]


def test_without_keepalive_a_request_is_answered_and_closed(tmp_path: Path) -> None:
    with served(tmp_path, "--keep-alive=0") as port:
        for place in (0, 10, len(ROW)):
            with connected(port) as client:
                client.sendall(ROW[:place])
                client.sendall(ROW[place:])
                assert answer(client) == (200, INLINE, 7)
                assert client.recv(1) == b""


def test_a_slow_client_takes_no_thread(port: int) -> None:
    with ExitStack() as opened:
        clients = [opened.enter_context(connected(port)) for _ in range(50)]
        for number, client in enumerate(clients):
            client.sendall(ROW[:number])
        assert asked(port, "GET", "/ready") == [IN_POOL, "0"]
        for number, client in enumerate(clients):
            client.sendall(ROW[number:])
            assert answer(client) == (200, INLINE, 7)


def test_a_client_that_disconnects_early_harms_no_other(port: int) -> None:
    for request_ in (ROW, HEAD + b"Content-Length: 5\r\n\r\nlarge", ROW[:-1], b"") * 5:
        with connected(port) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.sendall(request_)
    assert asked(port, "POST", "/predict", b"x") == [INLINE, "1"]


@pytest.mark.parametrize("path", [b"/predict", b"/other"])
@pytest.mark.parametrize("failure", [b"fail", b"fail, leave"])
def test_after_an_error_of_the_application_the_next_request_is_answered(
    port: int, path: bytes, failure: bytes
) -> None:
    with connected(port) as client:
        head = HEAD.replace(b"/predict", path) + b"Content-Length: %d\r\n\r\n" % len(failure)
        client.sendall(head + failure)
        assert response_to(client).status == 500
    assert asked(port, "POST", "/predict", b"x") == [INLINE, "1"]


def pids(port: int, enough: Callable[[list[str]], bool]) -> list[str]:
    """Ask for the worker's process until it is enough; each request has to be answered."""
    found: list[str] = []
    deadline = time.monotonic() + 60
    while not enough(found):
        assert time.monotonic() < deadline, found
        found += asked(port, "GET", "/pid")
    return found


def test_a_worker_is_replaced_after_max_requests(tmp_path: Path) -> None:
    with served(tmp_path, "--max-requests=10") as port:
        pids(port, lambda found: len(set(found)) >= 3)


def test_sighup_replaces_the_worker(tmp_path: Path) -> None:
    with started(tmp_path) as (server, port):
        (first,) = asked(port, "GET", "/pid")
        server.send_signal(signal.SIGHUP)
        pids(port, lambda found: first not in found[-20:] and len(found) > 20)


def test_ttin_adds_a_worker_and_ttou_takes_it_away(tmp_path: Path) -> None:
    with started(tmp_path) as (server, port):
        server.send_signal(signal.SIGTTIN)
        pids(port, lambda found: len(set(found)) == 2)
        server.send_signal(signal.SIGTTOU)
        pids(port, lambda found: len(set(found[-30:])) == 1 and len(found) > 30)


@pytest.mark.parametrize("begun", [0, 10, len(ROW) - 2])
def test_after_sigterm_what_has_begun_is_answered(tmp_path: Path, begun: int) -> None:
    with started(tmp_path) as (server, port), connected(port) as client, connected(port) as other:
        client.sendall(HEALTH + ROW[:begun])
        assert answer(client)[0] == 200
        server.terminate()
        closes = None
        while closes != "close":  # by then the worker stops
            other.sendall(HEALTH)
            response = response_to(other)
            closes = response.getheader("Connection")
            response.read()
        client.sendall(ROW[begun:])
        response = response_to(client)
        assert (response.status, response.getheader("Connection")) == (200, "close")
        assert response.read().decode().split() == [INLINE, "7"]
        assert server.wait(60) == 0


def test_after_sigterm_a_long_response_is_received_completely(tmp_path: Path) -> None:
    with started(tmp_path) as (server, port), connected(port) as client:
        client.sendall(HEAD.replace(b"predict", b"other") + b"Content-Length: 5\r\n\r\nlarge")
        response = response_to(client)
        server.terminate()
        assert len(response.read()) > LARGE
        assert server.wait(60) == 0


def test_a_unix_socket_is_served(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with served(tmp_path, f"--bind=unix:{path}"), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(path))
        client.sendall(ROW)
        assert answer(client) == (200, INLINE, 7)


@pytest.mark.parametrize(
    "options", [("--certfile=a.pem", "--keyfile=a.pem"), ("--proxy-protocol=auto",)]
)
def test_what_the_worker_does_not_speak_is_refused(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    (tmp_path / "a.pem").touch()
    found = subprocess.run(
        [sys.executable, "-m", "gunicorn", "-k", WHERE, *options, "--no-control-socket", "a:b"],
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(SRC)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1
    assert 'set worker_class = "gthread"' in found.stderr


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
