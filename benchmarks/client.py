"""A light HTTP client for an open workload: requests are sent at their due times.

The load generators on PyPI (locust, molotov) are closed: each user waits for an answer before the
next request. They also need more CPU time than the service does. wrk and hey cannot check that an
answer belongs to its row.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

# After so many requests a connection is closed, as a router does. Otherwise, after a worker was
# killed, all connections would stay with the other worker.
REQUESTS_PER_CONNECTION = 100
# select() is limited to file descriptors below 1024; a working service needs far fewer.
MAX_CONNECTIONS = 200

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.I)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.I)
CLOSES = re.compile(rb"\r\nconnection: *close\r\n", re.I)
RETRY_AFTER = re.compile(rb"\r\nretry-after: *\d+\r\n", re.I)


class Outcome(StrEnum):
    """How a request ended."""

    RIGHT = "right"
    BUSY = "busy"  # 503 with Retry-After: the service is overloaded
    WRONG = "wrong"  # the status or the content is wrong
    LOST = "lost"  # the connection ended, or the answer timed out
    REFUSED = "refused"  # the connection was refused


@dataclass(frozen=True)
class Request:
    """The bytes of a request, and the check of its answer."""

    kind: str
    content: bytes
    status: int
    is_right: Callable[[bytes], bool]


@dataclass(eq=False)
class Sent:
    """A request in flight; times are those of the event loop."""

    request: Request
    due: float
    at: float = 0.0  # the time at which it was written to a connection


@dataclass(frozen=True)
class Answer:
    """A complete response; `size` is its length in bytes, with the head."""

    status: int
    body: bytes
    closes: bool
    retry_after: bool
    size: int


def parse_answer(received: bytes) -> Answer | None:
    """Return the first response, or None if it is incomplete. Raises ValueError."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    head, start = received[: end + 2], end + 4
    status, closes = int(head[9:12]), CLOSES.search(head) is not None
    again = RETRY_AFTER.search(head) is not None
    if length := LENGTH.search(head):
        size = start + int(length[1])
        if len(received) < size:
            return None
        return Answer(status, received[start:size], closes, again, size)
    if not CHUNKED.search(head):
        raise ValueError("the answer has neither a length nor chunks")
    pieces: list[bytes] = []
    while (line := received.find(b"\r\n", start)) >= 0:
        length_of_chunk = int(received[start:line].partition(b";")[0], 16)
        start = line + 2 + length_of_chunk + 2
        if len(received) < start:
            return None
        if not length_of_chunk:
            return Answer(status, b"".join(pieces), closes, again, start)
        pieces.append(received[line + 2 : start - 2])
    return None


class Client:
    """Sends requests on kept connections; calls `on_end` exactly once for each request."""

    def __init__(self, port: int, on_end: Callable[[Sent, Outcome, str], None]) -> None:
        self._port, self._on_end = port, on_end
        self._loop = asyncio.get_running_loop()
        self._idle: deque[_Connection] = deque()
        self._waiting: deque[Sent] = deque()
        self._open: set[_Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()

    @property
    def in_flight(self) -> int:
        """The number of requests that were sent and have no answer yet."""
        return sum(connection.sent is not None for connection in self._open)

    @property
    def pending(self) -> int:
        """The number of requests that have not ended, with those that wait for a connection."""
        return len(self._opening) + len(self._waiting) + self.in_flight

    def send(self, request: Request, due: float | None = None) -> None:
        """Send a request on the connection that has been idle longest; `due` defaults to now."""
        self._waiting.append(Sent(request, self._loop.time() if due is None else due))
        self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting:
            if self._idle:
                self._idle.popleft().send(self._waiting.popleft())
            elif len(self._open) + len(self._opening) < MAX_CONNECTIONS:
                task = self._loop.create_task(self._connect(self._waiting.popleft()))
                self._opening.add(task)
                task.add_done_callback(self._on_connected)
            else:
                return

    def _on_connected(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        self._send_waiting()

    async def _connect(self, sent: Sent) -> None:
        try:
            _, connection = await self._loop.create_connection(
                lambda: _Connection(self), "127.0.0.1", self._port
            )
        except OSError as error:
            sent.at = self._loop.time()
            self._on_end(sent, Outcome.REFUSED, str(error))
            return
        self._open.add(connection)
        connection.send(sent)

    def on_answer(self, connection: _Connection, sent: Sent, answer: Answer) -> None:
        """Check an answer, and use its connection again."""
        if answer.closes or connection.requests >= REQUESTS_PER_CONNECTION:
            self._open.discard(connection)
            connection.close()
        else:
            self._idle.append(connection)
        self._send_waiting()
        request = sent.request
        if answer.status == request.status and request.is_right(answer.body):
            self._on_end(sent, Outcome.RIGHT, "")
        else:
            text = f"{request.kind}: {answer.status} {answer.body[:300].decode(errors='replace')}"
            is_busy = answer.status == HTTPStatus.SERVICE_UNAVAILABLE and answer.retry_after
            self._on_end(sent, Outcome.BUSY if is_busy else Outcome.WRONG, text)

    def on_disconnect(self, connection: _Connection, sent: Sent | None, reason: str) -> None:
        """Remove a connection that has ended; a request that waited on it is lost."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if sent is not None:
            self._on_end(sent, Outcome.LOST, f"{sent.request.kind}: {reason}")
        self._send_waiting()

    def time_out(self, seconds: float) -> None:
        """End requests that were due before so many seconds; later answers do not count."""
        now = self._loop.time()
        while self._waiting and self._waiting[0].due < now - seconds:
            sent = self._waiting.popleft()
            sent.at = now
            self._on_end(sent, Outcome.LOST, f"{sent.request.kind}: no connection was free")
        for connection in list(self._open):
            if connection.sent is not None and connection.sent.due < now - seconds:
                connection.abort(f"no answer for {seconds:g} s")

    def close(self) -> None:
        """Close all connections."""
        self.time_out(0)
        for connection in list(self._open):
            connection.close()


class _Connection(asyncio.Protocol):
    """One connection with at most one request on it."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._received = b""
        self.sent: Sent | None = None
        self.requests = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self, sent: Sent) -> None:
        self.sent, sent.at = sent, asyncio.get_running_loop().time()
        self.requests += 1
        self._transport.write(sent.request.content)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self.sent is None:
            self.abort("unexpected bytes")
            return
        try:
            answer = parse_answer(self._received)
        except ValueError as error:
            self.abort(str(error))
            return
        if answer is not None:
            self._received = self._received[answer.size :]
            sent, self.sent = self.sent, None
            self._client.on_answer(self, sent, answer)

    def connection_lost(self, error: Exception | None) -> None:
        self.abort(str(error or "the connection was closed"))

    def abort(self, reason: str) -> None:
        sent, self.sent = self.sent, None
        self._client.on_disconnect(self, sent, reason)
        self._transport.abort()

    def close(self) -> None:
        self._transport.close()
