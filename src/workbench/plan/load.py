"""A client that sends one request after the other, or as quickly as its callers get answers."""

from __future__ import annotations

import re
import selectors
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

# A response that has not come after this time will not.
TIMEOUT_SECONDS = 35
_LENGTH = re.compile(rb"^content-length: *(\d+)", re.I | re.M)
_CHUNK = 65536


class LoadError(Exception):
    """The server closed a connection, or a response did not come."""


@dataclass(frozen=True)
class Response:
    """The seconds from request to response, and its status."""

    seconds: float
    status: int


@dataclass(frozen=True)
class Throughput:
    """How many responses came in how many seconds, and a status that is not 200."""

    responses: int
    seconds: float
    problem: int | None = None


def http_request(path: str, body: bytes) -> bytes:
    """Return the bytes of a POST of JSON."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def one_by_one(port: int, requests: Sequence[bytes], pauses: Iterable[float]) -> Iterator[Response]:
    """Yield the response to a request after each pause. Raises LoadError, OSError."""
    with _Connections(port, 1) as connections:
        for request, pause in zip(cycle(requests), pauses, strict=False):
            time.sleep(pause)
            start = time.perf_counter()
            connections.send(request)
            statuses: list[int] = []
            while not statuses:
                statuses += connections.receive()
            yield Response(time.perf_counter() - start, statuses[0])


def closed_loop(
    port: int, requests: Sequence[bytes], callers: int, periods: Iterable[float]
) -> Iterator[Throughput]:
    """Let each caller send its next request after a response; yield what came in each period.

    The periods are in seconds and follow each other without a pause. Raises LoadError, OSError.
    """
    source = cycle(requests)
    with _Connections(port, callers) as connections:
        start = time.perf_counter()
        for seconds in periods:
            statuses: list[int] = []
            while (now := time.perf_counter()) - start < seconds:
                while connections.idle:
                    connections.send(next(source))
                statuses += connections.receive()
            problem = next((status for status in statuses if status != 200), None)
            yield Throughput(len(statuses), now - start, problem)
            start = now
        while connections.busy:  # what is measured next must not wait for these
            for _ in connections.receive():
                pass


class _Connections:
    """Connections to a port of this machine that are kept open, each with one request at most."""

    def __init__(self, port: int, count: int) -> None:
        self._selector = selectors.DefaultSelector()
        self.idle = [self._connect(port) for _ in range(count)]
        self.busy: dict[socket.socket, bytes] = {}  # what was received of the response

    def __enter__(self) -> _Connections:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in (*self.idle, *self.busy):
            connection.close()
        self._selector.close()

    def _connect(self, port: int) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(connection, selectors.EVENT_READ)
        return connection

    def send(self, request: bytes) -> None:
        """Send a request on an idle connection."""
        connection = self.idle.pop(0)
        connection.sendall(request)
        self.busy[connection] = b""

    def receive(self) -> Iterator[int]:
        """Wait, and yield the status of each response that is complete by now.

        Raises LoadError if nothing comes.
        """
        events = self._selector.select(TIMEOUT_SECONDS)
        if not events:
            raise LoadError(f"no response after {TIMEOUT_SECONDS} s")
        for key, _ in events:
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            if not (data := connection.recv(_CHUNK)):
                raise LoadError("the server closed a connection")
            self.busy[connection] += data
            if (status := response_status(self.busy[connection])) is not None:
                del self.busy[connection]
                self.idle.append(connection)
                yield status


def response_status(data: bytes) -> int | None:
    """Return the status of a complete response."""
    head, end, body = data.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    if not end or length is None or len(body) < int(length[1]):
        return None
    return int(head.split(b" ", 2)[1])
