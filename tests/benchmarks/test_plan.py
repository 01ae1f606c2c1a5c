"""The benchmark of make plan: its loads, its verdicts, and its client."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from benchmarks.paced import paced
from benchmarks.plan import CASES
from benchmarks.plan_report import (
    SLEEP_SECONDS,
    CapacityResult,
    Case,
    CaseResult,
    DynoResult,
    HalfResult,
    Measured,
    report_capacities,
    report_cases,
    report_dynos,
    report_halves,
)

from workbench.plan.load import http_request
from workbench.plan.sizes import Figures

# A worker on a socket that it shares with others; it answers with a status of its own.
WORKER = """
import socket, socketserver, sys
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline():
            while self.rfile.readline().strip():
                pass
            status = sys.argv[2].encode()
            self.wfile.write(b"HTTP/1.1 %s X\\r\\nContent-Length: 2\\r\\n\\r\\n{}" % status)
server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=int(sys.argv[1]))
server.daemon_threads = True
server.serve_forever()
"""


@pytest.fixture
def workers() -> Iterator[tuple[int, list[int]]]:
    """Yield a port, and the ids of two processes that accept connections there."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=128))
        fd = listener.fileno()
        pids = []
        for status in ("200", "201"):
            process = subprocess.Popen(
                [sys.executable, "-c", WORKER, str(fd), status], pass_fds=[fd]
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            pids.append(process.pid)
        yield int(listener.getsockname()[1]), pids


@pytest.mark.skipif(sys.platform != "linux", reason="it asks /proc")
def test_each_worker_has_its_share_of_the_requests(workers: tuple[int, list[int]]) -> None:
    port, pids = workers
    request = http_request("/predict", b"").replace(b"Content-Length: 0\r\n", b"")
    with paced(port, pids) as client:
        responses = client.run([request], [0.0] * 400, random.Random(1))
    counts = [sum(r.status == status for r in responses) for status in (200, 201)]
    assert sum(counts) == 400
    assert min(counts) > 150


@pytest.mark.parametrize("case", CASES)
def test_a_case_sends_its_load_on_average(case: Case) -> None:
    phases = case.phases(60)
    assert sum(phase.seconds for phase in phases) == 60
    sent = sum(phase.rate * phase.seconds for phase in phases)
    assert sent == pytest.approx(60 * case.load * case.workers / SLEEP_SECONDS)


@pytest.mark.parametrize(
    ("errors", "verdict"),
    [
        ([0.1] * 12, "12 of 12 cases are within 25%, the median error is 10%"),
        ([0.1] * 11 + [0.9], "11 of 12 cases are within 25%, the median error is 10%"),
        ([0.2] * 12, "missed"),
        ([0.1] * 10 + [-0.5] * 2, "missed"),
    ],
)
def test_one_case_can_be_wrong_and_half_of_them_a_little(errors: list[float], verdict: str) -> None:
    measured = Measured(0.1, 600, 0)
    text = report_cases(
        [CaseResult(c, 0.1 * (1 + e), measured) for c, e in zip(CASES, errors, strict=True)]
    )
    assert verdict in text
    assert ("missed" in text) == (verdict == "missed")


@pytest.mark.parametrize(("predicted", "reached"), [(1140, True), (860, True), (1200, False)])
def test_the_capacity_is_within_its_goal(predicted: float, reached: bool) -> None:
    text = report_capacities([CapacityResult("loan", predicted, 1000, 0.99)])
    assert ("missed" in text) != reached


@pytest.mark.parametrize(
    ("is_sure", "p95", "wrong"), [(True, 0.1, False), (True, 0.2, True), (False, 0.2, False)]
)
def test_enough_for_a_load_that_fails_is_wrong(is_sure: bool, p95: float, wrong: bool) -> None:
    figures = Figures(0.5, 0.1, 0.05, 0.15, 0.2, 0)
    measured = Measured(p95, 600, 0)
    text = report_dynos([DynoResult("loan", 1 / 12, 75, figures, is_sure, measured)], "signals")
    assert "is imitated by signals." in text
    assert ("**wrong**" in text) == ("**missed**" in text) == wrong


@pytest.mark.parametrize(
    ("p95", "refused", "enough"), [(0.1, 0, True), (0.3, 0, False), (0.1, 30, False)]
)
def test_half_as_many_dynos_must_fail(p95: float, refused: int, enough: bool) -> None:
    text = report_halves([HalfResult("loan", 1 / 12, 75, Measured(p95, 600, refused))])
    assert ("half would do" in text) == ("**missed**" in text) == enough
