"""Clients that hold connections: without a router in front, everybody else is answered."""

from __future__ import annotations

import json
import resource
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest
from conftest import EXAMPLE, LOAN_ROW
from running import Server, drained

pytestmark = pytest.mark.slow
on_linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks for the worker")

CLIENTS = 200  # more than three times as many as threads
# With a thread for each of them, others would wait until the deadlines pass: 10 s at least.
ANSWER_SECONDS = 5
ROW = json.dumps(LOAN_ROW).encode()
POST = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
POST_ROW = POST + b"Content-Length: %d\r\n\r\n" % len(ROW) + ROW
LARGE = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n"

HELD = {
    "the head of a request to a thread": b"GET /features HTTP/1.1\r\nHost: x\r\nX-a: ",
    "the head of a request to the fast lane": b"GET /health HTTP/1.1\r\nHost: x\r\nX-a: ",
    "a request line": b"POST /pre",
    "a body": POST + b'Content-Length: 9000\r\n\r\n{"rows"',
    "a body in a file": POST + b"Content-Length: 900000\r\n\r\n" + b" " * 100_000,
    "a chunked body": POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n[",
    "large responses": LARGE * 6,
    "responses of the fast lane": POST_ROW * 300,
    "nothing": b"",
}


@pytest.fixture(scope="module")
def server(proven: Path) -> Iterator[Server]:
    with drained(proven / "model") as server:
        yield server


def connect(server: Server) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(60)
    client.connect(("127.0.0.1", server.port))
    client.setblocking(False)
    return client


def ask(server: Server, method: str, path: str, body: bytes | None = None) -> int:
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=ANSWER_SECONDS)) as connection:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        return connection.getresponse().status


def is_answering(server: Server) -> bool:
    """Ask in both lanes. The machine can be busy once, but not each time."""
    requests = [
        ("GET", "/health", None),
        ("POST", "/predict", ROW),
        ("GET", "/features", None),
        ("POST", "/predict", b'{"rows": [%b]}' % ROW),
    ]
    for method, path, body in requests:
        for _ in range(3):
            with suppress(TimeoutError):
                if ask(server, method, path, body) == 200:
                    break
        else:
            return False
    return True


@pytest.mark.parametrize("held", HELD)
def test_others_are_answered(server: Server, held: str) -> None:
    with ExitStack() as opened:
        for _ in range(CLIENTS):
            client = opened.enter_context(connect(server))
            with suppress(BlockingIOError):  # it does not read, so we cannot send all
                client.send(HELD[held])
        assert is_answering(server)
    assert is_answering(server)


def test_more_connections_than_there_is_room_for_close_the_oldest(server: Server) -> None:
    with ExitStack() as opened:
        clients = [opened.enter_context(connect(server)) for _ in range(1100)]
        assert is_answering(server)
        clients[0].settimeout(60)
        assert clients[0].recv(1) == b""


@on_linux
def test_running_out_of_files_ends_no_worker(proven: Path) -> None:
    """Files that the limit leaves are taken by connections; more are accepted all the same."""
    with drained(proven / "model") as server, ExitStack() as opened:
        worker = server.worker
        limit = len(list((worker / "fd").iterdir())) + 20
        resource.prlimit(int(worker.name), resource.RLIMIT_NOFILE, (limit, limit))
        for _ in range(300):
            opened.enter_context(connect(server))
        assert is_answering(server)
        assert server.worker == worker


@on_linux
def test_the_limit_of_files_is_the_highest_that_is_allowed(server: Server) -> None:
    limits = (server.worker / "limits").read_text().splitlines()
    (soft, hard) = next(line.split()[3:5] for line in limits if line.startswith("Max open files"))
    assert int(soft) == min(int(hard), 65_536)


RESETS: dict[str, Callable[[], bytes]] = {
    "after a row": lambda: POST_ROW,
    "in a body": lambda: POST + b"Content-Length: 9000\r\n\r\n{",
    "in a large response": lambda: LARGE,
    "in a request line": lambda: b"GE",
    "before the first byte": lambda: b"",
}


@pytest.mark.parametrize("place", RESETS)
def test_clients_that_reset_the_connection_harm_no_other(server: Server, place: str) -> None:
    for _ in range(60):
        with connect(server) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.send(RESETS[place]())
    assert is_answering(server)


def test_clients_that_have_sent_all_are_answered(server: Server) -> None:
    with ExitStack() as opened:
        clients = [opened.enter_context(connect(server)) for _ in range(100)]
        for client in clients:
            client.send(POST_ROW)
            client.shutdown(socket.SHUT_WR)
        for client in clients:
            client.settimeout(60)
            assert client.recv(12) == b"HTTP/1.1 200"


def test_a_slow_reader_gets_all_of_a_streamed_answer(server: Server) -> None:
    header, *rows = (EXAMPLE / "sample.csv").read_bytes().splitlines(keepends=True)
    body = header + b"".join(rows * (60_000 // len(rows)))
    with connect(server) as client:
        client.settimeout(60)
        head = b"POST /predict HTTP/1.0\r\nContent-Type: text/csv\r\nContent-Length: %d\r\n\r\n"
        client.sendall(head % len(body) + body)
        received = bytearray()
        while piece := client.recv(4096):
            received += piece
    assert received.startswith(b"HTTP/1.0 200 OK\r\n")
    assert received.partition(b"\r\n\r\n")[2].count(b"\n") == body.count(b"\n")
