"""A light HTTP client for an open load: requests are sent when they are due, whoever waits.

The load generators that can be installed from PyPI (locust, molotov) send the next request of a
user when the one before is answered, and take more of a core than the service does; wrk and hey
cannot check that an answer is the one of its row.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

# A connection is closed after so many requests, as a router does: those of a worker that dies
# would all be with the other one for ever.
REQUESTS_A_CONNECTION = 100
# select() takes no file descriptors from 1024 on; a service that answers needs far fewer.
MOST_CONNECTIONS = 200

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.I)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.I)
CLOSES = re.compile(rb"\r\nconnection: *close\r\n", re.I)
RETRY_AFTER = re.compile(rb"\r\nretry-after: *\d+\r\n", re.I)


class Outcome(StrEnum):
    """How a request ended."""

    RIGHT = "right"
    BUSY = "busy"  # 503 with Retry-After: the service refuses what it has no room for
    WRONG = "wrong"  # the status or the content is not what it should be
    LOST = "lost"  # the connection ended, or there was no answer for too long
    REFUSED = "refused"  # there was no connection


@dataclass(frozen=True)
class Request:
    """What is sent, and how its answer is known to be right."""

    kind: str
    content: bytes
    status: int
    is_right: Callable[[bytes], bool]


@dataclass(eq=False)
class Sent:
    """A request on its way; times are those of the event loop."""

    request: Request
    due: float
    at: float = 0.0  # when it was written to a connection


@dataclass(frozen=True)
class Answer:
    """A whole answer at the start of what was received, and how much of it that is."""

    status: int
    body: bytes
    closes: bool
    retry_after: bool
    size: int


def answer_in(received: bytes) -> Answer | None:
    """Return the answer that is there, None where more of it must come. Raises ValueError."""
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
        raise ValueError("an answer without a length")
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
    """Sends requests on connections that are kept, and tells `ended` of each exactly once."""

    def __init__(self, port: int, ended: Callable[[Sent, Outcome, str], None]) -> None:
        self._port, self._ended = port, ended
        self._loop = asyncio.get_running_loop()
        self._idle: deque[_Connection] = deque()
        self._waiting: deque[Sent] = deque()
        self._open: set[_Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()

    @property
    def in_flight(self) -> int:
        """How many requests were sent and have no answer yet."""
        return sum(connection.sent is not None for connection in self._open)

    @property
    def pending(self) -> int:
        """How many requests have not ended; some may wait for a connection."""
        return len(self._opening) + len(self._waiting) + self.in_flight

    def send(self, request: Request, due: float | None = None) -> None:
        """Send a request now, on the connection that has been idle for longest."""
        self._waiting.append(Sent(request, self._loop.time() if due is None else due))
        self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting:
            if self._idle:
                self._idle.popleft().send(self._waiting.popleft())
            elif len(self._open) + len(self._opening) < MOST_CONNECTIONS:
                task = self._loop.create_task(self._connect(self._waiting.popleft()))
                self._opening.add(task)
                task.add_done_callback(self._opened)
            else:
                return

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        self._send_waiting()

    async def _connect(self, sent: Sent) -> None:
        try:
            _, connection = await self._loop.create_connection(
                lambda: _Connection(self), "127.0.0.1", self._port
            )
        except OSError as error:
            sent.at = self._loop.time()
            self._ended(sent, Outcome.REFUSED, str(error))
            return
        self._open.add(connection)
        connection.send(sent)

    def answered(self, connection: _Connection, sent: Sent, answer: Answer) -> None:
        """Judge an answer, and use its connection again."""
        if answer.closes or connection.requests >= REQUESTS_A_CONNECTION:
            self._open.discard(connection)
            connection.close()
        else:
            self._idle.append(connection)
        self._send_waiting()
        request = sent.request
        if answer.status == request.status and request.is_right(answer.body):
            self._ended(sent, Outcome.RIGHT, "")
        else:
            said = f"{request.kind}: {answer.status} {answer.body[:300].decode(errors='replace')}"
            busy = answer.status == HTTPStatus.SERVICE_UNAVAILABLE and answer.retry_after
            self._ended(sent, Outcome.BUSY if busy else Outcome.WRONG, said)

    def broken(self, connection: _Connection, sent: Sent | None, why: str) -> None:
        """Forget a connection that has ended; what waited for an answer on it is lost."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if sent is not None:
            self._ended(sent, Outcome.LOST, f"{sent.request.kind}: {why}")
        self._send_waiting()

    def give_up(self, seconds: float) -> None:
        """Give up what has waited for so long; no answer that comes later counts."""
        now = self._loop.time()
        while self._waiting and self._waiting[0].due < now - seconds:
            sent = self._waiting.popleft()
            sent.at = now
            self._ended(sent, Outcome.LOST, f"{sent.request.kind}: no connection was free")
        for connection in list(self._open):
            if connection.sent is not None and connection.sent.due < now - seconds:
                connection.give_up(f"no answer for {seconds:g} s")

    def close(self) -> None:
        """Close all connections."""
        self.give_up(0)
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
            self.give_up("bytes that nobody asked for")
            return
        try:
            answer = answer_in(self._received)
        except ValueError as error:
            self.give_up(str(error))
            return
        if answer is not None:
            self._received = self._received[answer.size :]
            sent, self.sent = self.sent, None
            self._client.answered(self, sent, answer)

    def connection_lost(self, error: Exception | None) -> None:
        self.give_up(str(error or "the connection was closed"))

    def give_up(self, why: str) -> None:
        sent, self.sent = self.sent, None
        self._client.broken(self, sent, why)
        self._transport.abort()

    def close(self) -> None:
        self._transport.close()
