"""The soak: what it says of what it saw; and, slow, itself for some seconds."""

from __future__ import annotations

import asyncio
import dataclasses
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

import pytest
from benchmarks import client
from benchmarks.client import Answer, Client, Outcome, Request, answer_in
from benchmarks.mix import PARTS, mixed, recorded, same
from benchmarks.soak import soaked
from benchmarks.verdict import BUSY, Interval, Killed, Soak, Stopped, checks, parts, report
from conftest import Bake
from flask.testing import FlaskClient
from tests.workbench.verify.test_verify import free_port

from model_service.model.loading import load_model
from model_service.web.app import create_app

KILLED = Killed(seconds=450, in_flight=3, lost=2, replaced=0.1)
STOPPED = Stopped(
    seconds=0.5, status=0, in_flight=3, lost=0, answered=5, closed=1, refused=99, wrong=0, busy=0
)
FINE = Interval(seconds=0, requests=600, wrong=0, busy=0, lost=0, p50=1, p99=5, memory=200e6)

# Others may take the cores that were free while the capacity was found.
SMALL_PART = 1 / 8


def hour(**each: Callable[[int], float]) -> Soak:
    """Return a soak of 60 minutes that differs in a figure of each minute, counted from 0."""
    figures = {"lost": lambda minute: KILLED.lost * (minute == 7), **each}
    intervals = [
        dataclasses.replace(
            FINE,
            seconds=60 * (minute + 1),
            **{name: figure(minute) for name, figure in figures.items()},
        )
        for minute in range(60)
    ]
    return Soak(10, intervals, KILLED, STOPPED, 0)


def missed(soak: Soak) -> list[str]:
    return [check.figure for check in checks(soak) if not check.reached]


def missed_in_seconds(soak: Soak) -> list[str]:
    """Leave out what only a long soak can tell, on a machine that does nothing else."""
    longer = ("memory, ", "p99, ", "requests that were not sent as planned", BUSY)
    return [figure for figure in missed(soak) if not figure.startswith(longer)]


def right(soak: Soak) -> int:
    """Return how many answers were right."""
    return sum(i.requests - i.wrong - i.busy - i.lost for i in soak.intervals)


LAST = "last quarter / second quarter"


@pytest.mark.parametrize(
    ("each", "expected"),
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
def test_what_goes_wrong_in_an_hour_is_found(
    each: Mapping[str, Callable[[int], float]], expected: list[str]
) -> None:
    found = missed(hour(**each))
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
def test_what_goes_wrong_at_a_fault_is_found(changed: dict[str, Any], expected: str) -> None:
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
def test_an_answer_is_cut_from_what_was_received(rest: bytes, again: bool, closes: bool) -> None:
    whole = HEAD + CLOSE * closes + RETRY_AFTER * again + rest
    assert answer_in(whole) == Answer(200, b"ab", closes, again, len(whole))
    assert answer_in(whole + HEAD) == answer_in(whole)
    assert {answer_in(whole[:size]) for size in range(len(whole))} == {None}


class Handler(socketserver.StreamRequestHandler):
    """Says the path of a request, and waits for the caller to go where there is one."""

    def handle(self) -> None:
        _, path, _ = self.rfile.readline().split()
        if said := unquote_to_bytes(path):
            self.wfile.write(said)
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


def outcomes(port: int, *said: bytes) -> list[Outcome]:
    """Ask for these answers, one after the other; a right one has the body "ab"."""
    told: list[Outcome] = []

    async def ask() -> None:
        asked = Client(port, lambda sent, outcome, text: told.append(outcome))
        for answer in said:
            content = b"GET %s HTTP/1.1\r\n" % quote_from_bytes(answer).encode()
            asked.send(Request("row", content, 200, lambda body: body == b"ab"))
            while asked.pending:
                await asyncio.sleep(0.01)
                asked.give_up(0.2)
        asked.close()
        await asyncio.sleep(0)  # the connections close in the next round of the loop

    apart(lambda: asyncio.run(ask()))
    return told


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (HEAD + LENGTH, Outcome.RIGHT),
        (HEAD + CHUNKS, Outcome.RIGHT),
        (HEAD + LENGTH.replace(b"ab", b"ax"), Outcome.WRONG),
        ((HEAD + LENGTH).replace(b"200", b"500"), Outcome.WRONG),
        ((HEAD + LENGTH).replace(b"200", b"503"), Outcome.WRONG),
        ((HEAD + RETRY_AFTER + LENGTH).replace(b"200", b"503"), Outcome.BUSY),
        ((HEAD + RETRY_AFTER + LENGTH).replace(b"200", b"500"), Outcome.WRONG),
        (HEAD + RETRY_AFTER + LENGTH, Outcome.RIGHT),
        (HEAD, Outcome.LOST),  # and nothing more
        (HEAD + b"\r\n", Outcome.LOST),  # of any length
    ],
)
def test_each_request_is_told_of_once(port: int, said: bytes, outcome: Outcome) -> None:
    assert outcomes(port, said) == [outcome]


def test_after_a_connection_that_ends_there_is_another(port: int) -> None:
    closing = HEAD + CLOSE + LENGTH
    assert outcomes(port, closing, closing, HEAD, HEAD + LENGTH) == [
        Outcome.RIGHT,
        Outcome.RIGHT,
        Outcome.LOST,
        Outcome.RIGHT,
    ]


@pytest.mark.parametrize(
    ("said", "outcome"), [(b"", Outcome.LOST), (HEAD + CLOSE + LENGTH, Outcome.RIGHT)]
)
def test_who_waits_for_a_connection_gets_one_when_others_end(
    port: int, monkeypatch: pytest.MonkeyPatch, said: bytes, outcome: Outcome
) -> None:
    monkeypatch.setattr(client, "MOST_CONNECTIONS", 2)
    told: list[Outcome] = []

    async def ask() -> None:
        asked = Client(port, lambda sent, outcome, text: told.append(outcome))
        content = b"GET %s HTTP/1.1\r\n" % quote_from_bytes(said).encode()
        for _ in range(5):
            asked.send(Request("row", content, 200, lambda body: body == b"ab"))
        async with asyncio.timeout(30):
            while asked.pending:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0)

    apart(lambda: asyncio.run(ask()))
    assert told == [outcome] * 5


def test_no_connection_is_a_refusal() -> None:
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
def test_an_answer_may_have_more_than_was_recorded(expected: Any, found: Any, right: bool) -> None:
    assert same(expected, found) is right


@pytest.mark.slow
def test_some_seconds_of_the_soak(verified: Bake, tmp_path: Path) -> None:
    """Nothing is wrong or lost. What memory and time do in seconds says nothing."""
    soak, said = apart(lambda: soaked(verified.project, tmp_path / "log", 8, SMALL_PART))
    assert missed_in_seconds(soak) == [], said
    assert right(soak) > 100


@pytest.mark.slow
def test_an_answer_that_is_not_the_models_is_found(verified: Bake) -> None:
    rows, predictions = recorded(verified.project)
    others = [
        {**each, "probabilities": {name: 1 - p for name, p in each["probabilities"].items()}}
        for each in predictions
    ]
    client = create_app(load_model(verified.project / "model")).test_client()
    for expected, wrong in ((predictions, set()), (others, {"row", "batch", "csv", "form"})):
        requests = {request.kind: request for request in mixed(rows, expected)}
        assert requests.keys() == PARTS.keys()
        assert {kind for kind, asked in requests.items() if not is_right(client, asked)} == wrong


def apart(call: Callable[[], Any]) -> Any:
    """Call in a thread of its own: the browser's tests leave a running event loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def is_right(client: FlaskClient, request: Request) -> bool:
    head, _, body = request.content.partition(b"\r\n\r\n")
    line, *headers = head.decode().split("\r\n")
    method, path, _ = line.split()
    given = [tuple(header.split(": ")) for header in headers]
    response = client.open(path, method=method, data=body, headers=given)
    return response.status_code == request.status and request.is_right(response.data)
