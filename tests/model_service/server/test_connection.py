"""The states of a connection, with a clock of the test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from model_service.server.connection import CONTINUE, Connection, State, Timeouts
from model_service.server.request import Limits, RequestParser

HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = HEALTH.replace(b"Host", b"Connection: close\r\nHost")
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\n\r\n"


class Clocked:
    """A connection, and the time."""

    def __init__(self) -> None:
        parser = RequestParser({"SCRIPT_NAME": ""}, lambda _environ: 1 << 20, Limits())
        self.now = 100.0
        self.connection = Connection(parser, Timeouts(), self.now)

    @property
    def state(self) -> State:
        return self.connection.state

    def receive(self, data: bytes) -> State:
        self.connection.receive(data, self.now)
        return self.state

    def wait(self, seconds: float) -> State:
        """Let time pass; the deadline is looked at each second."""
        end = self.now + seconds
        while self.now < end:
            self.now += 1
            if self.connection.deadline <= self.now:
                self.connection.expire(self.now)
        return self.state

    def answer(self, keep_alive: bool = True) -> State:
        """Answer the next request, and let the client receive the response."""
        request = self.connection.take(self.now)
        assert request is not None
        request.body.close()
        self.connection.send(RESPONSE, self.now)
        self.connection.finish(keep_alive, self.now)
        return self.flush()

    def flush(self) -> State:
        self.connection.sent(len(self.connection.output), self.now)
        return self.state


@pytest.fixture
def clocked() -> Iterator[Clocked]:
    clocked = Clocked()
    yield clocked
    clocked.connection.close()


def test_a_connection_that_never_sends_is_closed(clocked: Clocked) -> None:
    assert clocked.wait(9) is State.SILENT
    assert clocked.receive(b"\r\n") is State.SILENT
    assert clocked.wait(1) is State.CLOSED


def test_a_kept_connection_is_closed_when_it_is_idle(clocked: Clocked) -> None:
    assert clocked.receive(HEALTH) is State.READY
    assert clocked.answer() is State.IDLE
    assert clocked.wait(94) is State.IDLE
    assert clocked.wait(1) is State.CLOSED


def test_a_head_has_ten_seconds_however_it_trickles(clocked: Clocked) -> None:
    clocked.receive(HEALTH)
    clocked.answer()
    for byte in HEALTH[:10]:
        assert clocked.receive(bytes([byte])) is State.HEAD
        clocked.wait(1)
    assert b" 408 " in clocked.connection.output
    assert clocked.flush() is State.LINGERING


def test_a_body_must_arrive_at_a_rate(clocked: Clocked) -> None:
    assert clocked.receive(HEAD) is State.BODY
    for _ in range(3):
        clocked.receive(b"x" * 10_000)
        assert clocked.wait(10) is State.BODY
    clocked.receive(b"x" * 9_000)
    clocked.wait(10)
    assert b" 408 " in clocked.connection.output


def test_a_body_that_is_complete_waits_for_the_worker(clocked: Clocked) -> None:
    clocked.receive(HEAD)
    assert clocked.receive(b"x" * 40_000) is State.READY
    assert clocked.wait(1000) is State.READY
    assert clocked.answer() is State.IDLE


def test_a_client_has_thirty_seconds_to_receive_something(clocked: Clocked) -> None:
    clocked.receive(HEALTH)
    assert clocked.connection.take(clocked.now) is not None
    assert clocked.wait(1000) is State.ANSWERING  # the application has as long as it takes
    clocked.connection.send(RESPONSE, clocked.now)
    clocked.wait(29)
    clocked.connection.sent(1, clocked.now)
    assert clocked.wait(29) is State.ANSWERING
    assert clocked.wait(1) is State.CLOSED


def test_who_is_waited_for(clocked: Clocked) -> None:
    connection = clocked.connection
    waits = [connection.waits_for_client]
    clocked.receive(HEALTH)
    waits.append(connection.waits_for_client)
    assert connection.take(clocked.now) is not None
    waits.append(connection.waits_for_client)
    connection.send(RESPONSE, clocked.now)
    waits.append(connection.waits_for_client)
    assert waits == [True, False, False, True]


def test_requests_are_taken_one_after_the_other(clocked: Clocked) -> None:
    clocked.receive(HEALTH * 3)
    connection = clocked.connection
    assert connection.take(clocked.now) is not None
    assert connection.take(clocked.now) is None
    connection.send(RESPONSE, clocked.now)
    connection.finish(True, clocked.now)
    assert connection.take(clocked.now) is None  # the response has not been sent
    assert clocked.flush() is State.READY
    assert [clocked.answer(), clocked.answer()] == [State.READY, State.IDLE]


def test_a_client_that_has_sent_all_gets_its_answers(clocked: Clocked) -> None:
    clocked.receive(HEALTH * 2)
    assert clocked.receive(b"") is State.READY
    assert [clocked.answer(), clocked.answer()] == [State.READY, State.CLOSED]


@pytest.mark.parametrize("begun", [b"", HEALTH[:9], HEAD, HEAD + b"x"])
def test_a_client_that_leaves_in_a_request_gets_no_answer(clocked: Clocked, begun: bytes) -> None:
    if begun:
        clocked.receive(begun)
    assert clocked.receive(b"") is State.CLOSED
    assert not clocked.connection.output


def test_an_invalid_request_is_refused_after_those_before_it(clocked: Clocked) -> None:
    clocked.receive(HEALTH + b"nonsense\r\n\r\n")
    assert clocked.answer() is State.READY
    assert clocked.connection.take(clocked.now) is None
    assert clocked.connection.output.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert clocked.flush() is State.LINGERING


def test_continue_is_sent_before_the_body(clocked: Clocked) -> None:
    clocked.receive(HEAD.replace(b"Host", b"Expect: 100-continue\r\nHost"))
    assert clocked.connection.output == CONTINUE
    assert clocked.flush() is State.BODY
    clocked.receive(b"x" * 40_000)
    assert clocked.answer() is State.IDLE


@pytest.mark.parametrize(
    ("data", "continues"),
    [
        (HEAD.replace(b"40000", b"9000000"), False),  # longer than it may be: the answer is 413
        (HEAD.replace(b"1.1", b"1.0"), False),
        (HEAD + b"x", False),
        (HEAD.replace(b"Content-Length: 40000", b"Transfer-Encoding: chunked"), True),
    ],
)
def test_when_continue_is_sent(clocked: Clocked, data: bytes, continues: bool) -> None:
    clocked.receive(data.replace(b"Host", b"Expect: 100-continue\r\nHost"))
    assert (clocked.connection.output == CONTINUE) is continues


def test_continue_comes_after_the_responses_before_it(clocked: Clocked) -> None:
    clocked.receive(HEALTH + HEAD.replace(b"Host", b"Expect: 100-continue\r\nHost"))
    assert not clocked.connection.output
    assert clocked.answer() is State.BODY
    assert clocked.connection.output == CONTINUE


class TestLingering:
    """After the last response what the client still sends is discarded, for some time."""

    @pytest.fixture
    def clocked(self) -> Clocked:
        clocked = Clocked()
        clocked.receive(LAST)
        assert clocked.answer(keep_alive=False) is State.LINGERING
        return clocked

    def test_until_the_client_closes(self, clocked: Clocked) -> None:
        assert clocked.receive(b"x" * 100_000) is State.LINGERING
        assert clocked.receive(b"") is State.CLOSED

    def test_until_nothing_arrives(self, clocked: Clocked) -> None:
        assert clocked.wait(1) is State.LINGERING
        assert clocked.wait(1) is State.CLOSED

    def test_for_ten_seconds(self, clocked: Clocked) -> None:
        for _ in range(9):
            clocked.receive(b"x")
            assert clocked.wait(1) is State.LINGERING
        clocked.receive(b"x")
        assert clocked.wait(1) is State.CLOSED

    def test_for_64_mib(self, clocked: Clocked) -> None:
        for _ in range(64):
            assert clocked.receive(bytes(1 << 20)) is State.LINGERING
        assert clocked.receive(b"x") is State.CLOSED


@pytest.mark.parametrize(
    ("received", "state"), [(b"", State.CLOSED), (HEAD, State.BODY), (HEALTH, State.READY)]
)
def test_a_worker_that_stops_closes_what_is_idle(
    clocked: Clocked, received: bytes, state: State
) -> None:
    if received:
        clocked.receive(received)
    clocked.connection.limit_idle(clocked.now + 2)
    assert clocked.wait(2) is state
