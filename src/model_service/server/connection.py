"""The states of an HTTP/1.1 connection: bytes in, requests out, responses in, bytes out.

No sockets and no clock: the worker passes in what was received and when.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus

from model_service.server.request import BadRequest, Request, RequestParser

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True)
class Timeouts:
    """How long a connection waits for its client, in seconds, and what it has to get."""

    silent: float = 10  # for the first byte
    idle: float = 95  # for the next request
    head: float = 10  # for a whole head
    body: float = 10  # for so many bytes of a body as follow
    body_bytes: int = 10_000
    write: float = 30  # for the client to receive something
    linger: float = 10  # for the client to close
    linger_silent: float = 2  # the same, if nothing arrives
    linger_bytes: int = 64 << 20  # discarded after the last response


class State(Enum):
    """What a connection waits for. In this order they are closed when there are too many."""

    SILENT = auto()  # the first byte
    LINGERING = auto()  # the client to close; what it sends is discarded
    IDLE = auto()  # the next request
    HEAD = auto()  # the rest of a head
    BODY = auto()  # the rest of a body
    READY = auto()  # the worker to take the next request
    ANSWERING = auto()  # the response, or the client to receive it
    CLOSED = auto()


WAITS_FOR_INPUT = {State.SILENT, State.IDLE, State.HEAD, State.BODY, State.LINGERING}


class Connection:
    """One connection. After each call, look at `state`, `output` and `deadline`."""

    def __init__(self, parser: RequestParser, timeouts: Timeouts, now: float) -> None:
        self.output = bytearray()  # what the client has to receive
        self.state = State.SILENT
        self.since = now  # the time of the last change of state
        self.deadline = now + timeouts.silent
        self.refusal: BadRequest | None = None  # the reason for an error response
        self._parser, self._timeouts = parser, timeouts
        self._input_ended = False
        self._is_last = False  # no request is taken after the current one
        self._is_answered = True  # the whole response to the current request is in `output`
        self._received = 0  # bytes of a body since `since`, or bytes that were discarded
        self._linger_deadline = math.inf

    @property
    def waits_for_input(self) -> bool:
        """Whether the worker reads from the client."""
        return self.state in WAITS_FOR_INPUT

    @property
    def waits_for_client(self) -> bool:
        """Whether the client has to send or receive something before anything else happens."""
        return self.waits_for_input or bool(self.output)

    def receive(self, data: bytes, now: float) -> None:
        """Take what was received; nothing is the end of the client's input."""
        if self.state is State.LINGERING:
            self._received += len(data)
            if not data or self._received > self._timeouts.linger_bytes:
                self.close()
            else:
                self.deadline = min(now + self._timeouts.linger_silent, self._linger_deadline)
            return
        if not data:
            self._input_ended = True
            if self.waits_for_input:
                self.close()
            return
        self._parser.feed(data)
        if self.state is State.BODY:
            self._received += len(data)
        if self.waits_for_input:
            self._settle(now)

    def take(self, now: float) -> Request | None:
        """Return the next complete request if it can be answered now."""
        if self.state is not State.READY:
            return None
        if not self._parser.complete:
            assert self._parser.error is not None
            self._refuse(self._parser.error, now)
            return None
        request = self._parser.complete.popleft()
        self._is_answered = False
        self._enter(State.ANSWERING, math.inf, now)
        return request

    def send(self, data: bytes, now: float) -> None:
        """Add a part of the current response to the output."""
        if not self.output:
            self.deadline = now + self._timeouts.write
        self.output += data

    def finish(self, keep_alive: bool, now: float) -> None:
        """End the current response."""
        self._is_answered = True
        self._is_last |= not keep_alive
        if not self.output:
            self._after_response(now)

    def sent(self, byte_count: int, now: float) -> None:
        """Remove from the output what the client has received."""
        del self.output[:byte_count]
        if self.state is not State.ANSWERING:  # 100 Continue
            return
        if self.output:
            self.deadline = now + self._timeouts.write
        elif self._is_answered:
            self._after_response(now)
        else:
            self.deadline = math.inf

    def expire(self, now: float) -> None:
        """Do what the deadline demands, which has passed."""
        if self.state is State.HEAD:
            self._refuse(BadRequest(408, "the head has not arrived in time"), now)
        elif self.state is State.BODY:
            if self._received >= self._timeouts.body_bytes:
                self._enter(State.BODY, now + self._timeouts.body, now)
            else:
                self._refuse(BadRequest(408, "the body does not arrive in time"), now)
        else:
            self.close()

    def limit_idle(self, deadline: float) -> None:
        """Close the connection at a time if it is idle until then: the worker stops."""
        if self.state in (State.SILENT, State.IDLE, State.LINGERING):
            self.deadline = min(self.deadline, deadline)

    def close(self) -> None:
        """End the connection."""
        if self.state is not State.CLOSED:
            self.state = State.CLOSED
            self.output.clear()
            self._parser.close()

    def _refuse(self, error: BadRequest, now: float) -> None:
        self._enter(State.ANSWERING, math.inf, now)
        self._is_last, self.refusal = True, error
        self.send(error_response(error.status, error.reason), now)
        self.finish(False, now)

    def _after_response(self, now: float) -> None:
        if not self._is_last:
            self._settle(now)
        elif self._input_ended:
            self.close()
        else:
            self._received, self._linger_deadline = 0, now + self._timeouts.linger
            self._enter(State.LINGERING, now + self._timeouts.linger_silent, now)

    def _settle(self, now: float) -> None:
        """Find the state between two responses."""
        parser, timeouts = self._parser, self._timeouts
        parser.parse()
        if parser.complete or parser.error is not None:
            self._enter(State.READY, math.inf, now)
        elif self._input_ended:
            self.close()
        elif parser.current is not None:
            if self.state is not State.BODY:
                self._enter(State.BODY, now + timeouts.body, now)
            if parser.current.expects_continue:
                parser.current.expects_continue = False
                if not parser.current.byte_count:
                    self.output += CONTINUE
        elif not parser.has_begun:
            if self.state not in (State.SILENT, State.IDLE):
                self._enter(State.IDLE, now + timeouts.idle, now)
        elif self.state is not State.HEAD:
            self._enter(State.HEAD, now + timeouts.head, now)

    def _enter(self, state: State, deadline: float, now: float) -> None:
        self.state, self.deadline, self.since, self._received = state, deadline, now, 0


def error_response(status: int, detail: str) -> bytes:
    """Return a response of the server itself, after which the connection is closed."""
    phrase = HTTPStatus(status).phrase
    problem = {"type": "about:blank", "title": phrase, "status": status, "detail": detail}
    body = json.dumps(problem).encode("ascii")
    head = (
        f"HTTP/1.1 {status} {phrase}\r\nConnection: close\r\n"
        f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body
