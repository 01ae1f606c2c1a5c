"""A client that sends requests at planned moments, or as quickly as its callers get answers.

Latency is counted from the planned moment, so a queue in front of the server is not hidden.
"""

from __future__ import annotations

import random
import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

# A response that has not come after this time will not.
TIMEOUT_SECONDS = 35
CONNECTIONS = 32
_LENGTH = re.compile(rb"^content-length: *(\d+)", re.I | re.M)
_CHUNK = 65536


class LoadError(Exception):
    """The server closed a connection, or a response did not come."""


@dataclass(frozen=True)
class Response:
    """The seconds from the planned moment to the response, and its status."""

    seconds: float
    status: int


@dataclass(frozen=True)
class Throughput:
    """How many responses came in how many seconds, and the first status that is not 200."""

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


def moments(rate: float, count: int, seed: int = 1) -> tuple[float, ...]:
    """Return when that many requests are sent, in seconds, at random with this mean rate."""
    rng, now, planned = random.Random(seed), 0.0, []
    for _ in range(count):
        now += rng.expovariate(rate)
        planned.append(now)
    return tuple(planned)


def open_loop(
    port: int, requests: Sequence[bytes], planned: Sequence[float]
) -> tuple[Response, ...]:
    """Send a request at each planned moment, answered or not. Raises LoadError, OSError."""
    responses: list[Response] = []
    late: deque[float] = deque()  # planned moments for which there was no free connection
    source, start = cycle(requests), time.perf_counter()
    with _Connections(port, CONNECTIONS) as connections:
        ahead = deque(planned)
        while ahead or late or connections.busy:
            now = time.perf_counter() - start
            while ahead and ahead[0] <= now:
                late.append(ahead.popleft())
            while late and connections.idle:
                connections.send(next(source), late.popleft())
            pause = ahead[0] - now if ahead else TIMEOUT_SECONDS
            for moment, status in connections.receive(max(pause, 0), is_due=not ahead):
                responses.append(Response(time.perf_counter() - start - moment, status))
    return tuple(responses)


def closed_loop(port: int, requests: Sequence[bytes], callers: int, seconds: float) -> Throughput:
    """Let each caller send its next request after a response. Raises LoadError, OSError."""
    source, count, problem = cycle(requests), 0, None
    with _Connections(port, callers) as connections:
        start = time.perf_counter()
        while (spent := time.perf_counter() - start) < seconds:
            while connections.idle:
                connections.send(next(source), spent)
            for _, status in connections.receive(TIMEOUT_SECONDS, is_due=True):
                count += 1
                problem = status if problem is None and status != 200 else problem
        return Throughput(count, time.perf_counter() - start, problem)


class _Connections:
    """Connections to a port of this machine that are kept open, each with one request at most."""

    def __init__(self, port: int, count: int) -> None:
        self._selector = selectors.DefaultSelector()
        self.idle = [self._connect(port) for _ in range(count)]
        self.busy: dict[socket.socket, float] = {}
        self._received: dict[socket.socket, bytes] = {}

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

    def send(self, request: bytes, moment: float) -> None:
        """Send a request on an idle connection, and keep the moment for its response."""
        connection = self.idle.pop(0)
        connection.sendall(request)
        self.busy[connection] = moment
        self._received[connection] = b""

    def receive(self, timeout: float, *, is_due: bool) -> Iterator[tuple[float, int]]:
        """Yield the moment and the status of each response that is complete by now.

        Raises LoadError if nothing comes although a response `is_due`.
        """
        events = self._selector.select(timeout)
        if is_due and not events:
            raise LoadError(f"no response after {timeout} s")
        for key, _ in events:
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            if not (data := connection.recv(_CHUNK)):
                raise LoadError("the server closed a connection")
            self._received[connection] += data
            if (status := _status(self._received[connection])) is not None:
                self.idle.append(connection)
                yield self.busy.pop(connection), status


def _status(data: bytes) -> int | None:
    """Return the status of a complete response."""
    head, end, body = data.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    if not end or length is None or len(body) < int(length[1]):
        return None
    return int(head.split(b" ", 2)[1])
