"""The soak test: its verdict and its client; and, marked slow, the test itself for 8 seconds."""

from __future__ import annotations

import asyncio
import dataclasses
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

import pytest
from benchmarks import client as client_module
from benchmarks.client import Answer, Client, Outcome, Request, parse_answer
from benchmarks.mix import PERCENTAGES, build_requests, contains, read_golden
from benchmarks.soak import run_soak
from benchmarks.verdict import BUSY, Interval, Killed, Soak, Stopped, parts, report
from conftest import Bake
from flask.testing import FlaskClient
from running import free_port
from soaking import SMALL_LOAD, in_thread, missed, missed_in_seconds, right_answers

from model_service.model.loading import load_model
from model_service.web.app import create_app

KILLED = Killed(seconds=450, in_flight=3, lost=2, replaced=0.1)
STOPPED = Stopped(
    seconds=0.5, status=0, in_flight=3, lost=0, answered=5, closed=1, refused=99, wrong=0, busy=0
)
FINE = Interval(seconds=0, requests=600, wrong=0, busy=0, lost=0, p50=1, p99=5, memory=200e6)


def hour(**changes: Callable[[int], float]) -> Soak:
    """Return 60 minutes without problems; `changes` are figures by minute, counted from 0."""
    figures = {"lost": lambda minute: KILLED.lost * (minute == 7), **changes}
    intervals = [
        dataclasses.replace(
            FINE,
            seconds=60 * (minute + 1),
            **{name: figure(minute) for name, figure in figures.items()},
        )
        for minute in range(60)
    ]
    return Soak(10, intervals, KILLED, STOPPED, 0)


LAST = "last quarter / second quarter"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, [], id="fine"),
        pytest.param({"wrong": lambda m: m == 30}, ["answers with a wrong"], id="one wrong"),
        pytest.param({"busy": lambda m: m == 30}, [BUSY], id="one refused"),
        pytest.param(
            {"lost": lambda m: (KILLED.lost + 1) * (m == 7)}, ["requests without"], id="one lost"
        ),
        pytest.param({"requests": lambda m: 590}, ["requests that were not sent"], id="too few"),
        pytest.param(
            {"memory": lambda m: 200e6 + 1e5 * m}, ["memory, growth"], id="a leak of 6 MB an hour"
        ),
        pytest.param(
            {"memory": lambda m: 200e6 + 1e6 * m},
            [f"memory, {LAST}", "memory, growth"],
            id="a leak of 60 MB an hour",
        ),
        pytest.param(
            {"memory": lambda m: 200e6 + 5e6 * (m > 44)},
            [f"memory, {LAST}", "memory, growth"],
            id="a step",
        ),
        pytest.param({"memory": lambda m: 150e6 + 50e6 * (m > 9)}, [], id="it warms up"),
        pytest.param({"memory": lambda m: 200e6 + 1e6 * (m % 2)}, [], id="it breathes"),
        pytest.param({"p99": lambda m: 5 + m / 5}, [f"p99, {LAST}"], id="slower and slower"),
        pytest.param({"p99": lambda m: 5 * (m < 40)}, [f"p99, {LAST}"], id="no answers at the end"),
        pytest.param({"p99": lambda m: 5 * (m > 40)}, [f"p99, {LAST}"], id="none before"),
        pytest.param({"p99": lambda m: 500 if m in (20, 50) else 5}, [], id="two slow minutes"),
    ],
)
def test_each_problem_misses_its_bound(
    changes: Mapping[str, Callable[[int], float]], expected: list[str]
) -> None:
    found = missed(hour(**changes))
    assert len(found) == len(expected)
    assert all(map(str.startswith, found, expected)), found


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"log_errors": 1}, "errors in the log"),
        ({"killed": dataclasses.replace(KILLED, replaced=None)}, "seconds until the killed"),
        ({"killed": dataclasses.replace(KILLED, replaced=11)}, "seconds until the killed"),
        ({"killed": dataclasses.replace(KILLED, lost=1)}, "requests without an answer"),
        ({"stopped": dataclasses.replace(STOPPED, lost=1)}, "requests in flight that SIGTERM"),
        ({"stopped": dataclasses.replace(STOPPED, wrong=1)}, "wrong answers after SIGTERM"),
        ({"stopped": dataclasses.replace(STOPPED, busy=1)}, BUSY),
        ({"stopped": dataclasses.replace(STOPPED, seconds=11)}, "seconds from SIGTERM"),
        ({"stopped": dataclasses.replace(STOPPED, seconds=None)}, "seconds from SIGTERM"),
        ({"stopped": dataclasses.replace(STOPPED, status=-9)}, "exit status"),
    ],
)
def test_each_problem_at_the_kill_and_the_stop_misses_its_bound(
    changed: dict[str, Any], expected: str
) -> None:
    (found,) = missed(dataclasses.replace(hour(), **changed))
    assert found.startswith(expected)


def test_the_report_has_twelve_rows_of_five_minutes_and_all_checks() -> None:
    text = report(hour(wrong=lambda minute: minute == 59, busy=lambda minute: minute > 57))
    assert [part[-1].seconds for part in parts(hour().intervals)] == [*range(300, 3601, 300)]
    assert "| 300 | 3,000 | 0 | 0 | 0 | 1.00 | 5.00 | 5.00 | 200.0 |\n" in text
    assert text.endswith("| 3600 | 3,000 | 1 | 2 | 0 | 1.00 | 5.00 | 5.00 | 200.0 |")
    assert text.count("**missed**") == 2


HEAD = b"HTTP/1.1 200 OK\r\nX: y\r\n"
LENGTH, CHUNKED = b"Content-Length: 2\r\n\r\nab", b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = CHUNKED + b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"
CLOSE, RETRY_AFTER = b"Connection: close\r\n", b"Retry-After: 1\r\n"


@pytest.mark.parametrize("closes", [False, True])
@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("rest", [LENGTH, CHUNKS])
def test_the_first_response_is_parsed_once_it_is_complete(
    rest: bytes, again: bool, closes: bool
) -> None:
    whole = HEAD + CLOSE * closes + RETRY_AFTER * again + rest
    assert parse_answer(whole) == Answer(200, b"ab", closes, again, len(whole))
    assert parse_answer(whole + HEAD) == parse_answer(whole)
    assert {parse_answer(whole[:size]) for size in range(len(whole))} == {None}


class Handler(socketserver.StreamRequestHandler):
    """Answers with the bytes in the request's path, then waits until the client closes."""

    def handle(self) -> None:
        _, path, _ = self.rfile.readline().split()
        if answer := unquote_to_bytes(path):
            self.wfile.write(answer)
            while self.rfile.readline():
                pass


@pytest.fixture
def port() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def outcomes(port: int, *answers: bytes) -> list[Outcome]:
    """Request these answers, one after the other; a right one has the body "ab"."""
    ended: list[Outcome] = []

    async def send() -> None:
        client = Client(port, lambda sent, outcome, text: ended.append(outcome))
        for answer in answers:
            content = b"GET %s HTTP/1.1\r\n" % quote_from_bytes(answer).encode()
            client.send(Request("row", content, 200, lambda body: body == b"ab"))
            while client.pending:
                await asyncio.sleep(0.01)
                client.time_out(0.2)
        client.close()
        await asyncio.sleep(0)  # the connections close in the next iteration of the loop

    in_thread(lambda: asyncio.run(send()))
    return ended


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (HEAD + LENGTH, Outcome.RIGHT),
        (HEAD + CHUNKS, Outcome.RIGHT),
        (HEAD + LENGTH.replace(b"ab", b"ax"), Outcome.WRONG),
        ((HEAD + LENGTH).replace(b"200", b"500"), Outcome.WRONG),
        ((HEAD + LENGTH).replace(b"200", b"503"), Outcome.WRONG),
        ((HEAD + RETRY_AFTER + LENGTH).replace(b"200", b"503"), Outcome.BUSY),
        ((HEAD + RETRY_AFTER + LENGTH).replace(b"200", b"500"), Outcome.WRONG),
        (HEAD + RETRY_AFTER + LENGTH, Outcome.RIGHT),
        (HEAD, Outcome.LOST),  # incomplete
        (HEAD + b"\r\n", Outcome.LOST),  # neither a length nor chunks
    ],
)
def test_each_request_ends_once(port: int, answer: bytes, outcome: Outcome) -> None:
    assert outcomes(port, answer) == [outcome]


def test_a_new_connection_replaces_one_that_has_ended(port: int) -> None:
    closing = HEAD + CLOSE + LENGTH
    assert outcomes(port, closing, closing, HEAD, HEAD + LENGTH) == [
        Outcome.RIGHT,
        Outcome.RIGHT,
        Outcome.LOST,
        Outcome.RIGHT,
    ]


@pytest.mark.parametrize(
    ("answer", "outcome"), [(b"", Outcome.LOST), (HEAD + CLOSE + LENGTH, Outcome.RIGHT)]
)
def test_a_waiting_request_is_sent_when_a_connection_ends(
    port: int, monkeypatch: pytest.MonkeyPatch, answer: bytes, outcome: Outcome
) -> None:
    monkeypatch.setattr(client_module, "MAX_CONNECTIONS", 2)
    ended: list[Outcome] = []

    async def send() -> None:
        client = Client(port, lambda sent, outcome, text: ended.append(outcome))
        content = b"GET %s HTTP/1.1\r\n" % quote_from_bytes(answer).encode()
        for _ in range(5):
            client.send(Request("row", content, 200, lambda body: body == b"ab"))
        async with asyncio.timeout(30):
            while client.pending:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0)

    in_thread(lambda: asyncio.run(send()))
    assert ended == [outcome] * 5


def test_a_refused_connection() -> None:
    assert outcomes(free_port(), HEAD) == [Outcome.REFUSED]


@pytest.mark.parametrize(
    ("expected", "found", "right"),
    [
        ({"prediction": "Y"}, {"prediction": "Y", "label": "approved"}, True),
        ({"prediction": "Y"}, {"prediction": "N"}, False),
        ({"prediction": "Y"}, {}, False),
        ({"probabilities": {"Y": 0.1}}, {"probabilities": {"Y": 0.1 + 1e-15}}, True),
        ({"probabilities": {"Y": 0.1}}, {"probabilities": {"Y": 0.1001}}, False),
        ([1.0, None], [1, None], True),
        ([1.0, None], [1], False),
        (1.0, "1.0", False),
    ],
)
def test_an_answer_can_have_more_members_than_expected(
    expected: Any, found: Any, right: bool
) -> None:
    assert contains(found, expected) is right


@pytest.mark.slow
def test_eight_seconds_of_the_soak_test(verified: Bake, tmp_path: Path) -> None:
    """No answer is wrong or lost; for memory and p99 the time is too short."""
    soak, messages = in_thread(lambda: run_soak(verified.project, tmp_path / "log", 8, SMALL_LOAD))
    assert missed_in_seconds(soak) == [], messages
    assert right_answers(soak) > 100


@pytest.mark.slow
def test_an_answer_with_another_prediction_is_wrong(verified: Bake) -> None:
    rows, predictions = read_golden(verified.project)
    others = [
        {**each, "probabilities": {name: 1 - p for name, p in each["probabilities"].items()}}
        for each in predictions
    ]
    client = create_app(load_model(verified.project / "model")).test_client()
    for expected, wrong in ((predictions, set()), (others, {"row", "batch", "csv", "form"})):
        requests = {request.kind: request for request in build_requests(rows, expected)}
        assert requests.keys() == PERCENTAGES.keys()
        assert {
            kind for kind, request in requests.items() if not is_right(client, request)
        } == wrong


def is_right(client: FlaskClient, request: Request) -> bool:
    head, _, body = request.content.partition(b"\r\n\r\n")
    line, *headers = head.decode().split("\r\n")
    method, path, _ = line.split()
    pairs = [tuple(header.split(": ")) for header in headers]
    response = client.open(path, method=method, data=body, headers=pairs)
    return response.status_code == request.status and request.is_right(response.data)
