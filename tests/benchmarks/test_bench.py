"""The benchmark's report, goals and plot, and the checks of answers. Nothing is measured here."""

from __future__ import annotations

import os
import subprocess
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from benchmarks.load import Burst, WrongAnswerError, burst, read
from benchmarks.plot import plot
from benchmarks.report import CONNECTIONS, Goal, Measured, Start, goals, report, table
from benchmarks.servers import OURS, SERVERS, Running, is_right

# Latencies in ms and requests/s of three rounds; our medians are 1 and 1,000.
ROUNDS = {
    "ours": ([9, 1, 1], [1000, 1, 2000]),
    "echo": ([0.5, 0.5, 0.5], [2000, 2000, 2000]),
    "fastapi": ([15, 12, 11], [100, 100, 100]),
    "mlserver": ([20, 20, 20], [250, 250, 250]),
}
MEASURED = Measured(
    {
        ("logistic", server, connections): [
            Burst(milliseconds / 1e3, rate) for milliseconds, rate in zip(*rounds, strict=True)
        ]
        for server, rounds in ROUNDS.items()
        for connections in CONNECTIONS
    },
    {"ours": [Start(2, 150e6)], "fastapi": [Start(2, 100e6)]},
)
GOALS = {goal.figure: goal for goal in goals(MEASURED)}


@pytest.mark.parametrize(
    ("figure", "found", "verdict"),
    [
        ("p50 at 1 connection, best peer / ours, logistic regression", 12, "reached"),
        ("p50 at 1 connection, best peer / ours, random forest", None, "not measured"),
        ("requests/s at 32 connections, ours / best peer, logistic regression", 4, "**missed**"),
        ("requests/s at 32 connections, ours / best peer, text", None, "not measured"),
        ("requests/s, ours / Flask echo, logistic regression", 0.5, "**missed**"),
        ("exec to the first answer, ours / FastAPI, logistic regression", 1, "reached"),
        ("memory with one worker, ours / FastAPI, logistic regression", 1.5, "**missed**"),
    ],
)
def test_a_goal_is_the_ratio_of_the_medians(figure: str, found: float | None, verdict: str) -> None:
    assert GOALS[figure].found == found
    assert GOALS[figure].verdict == verdict


@pytest.mark.parametrize(
    ("found", "is_upper_bound", "verdict"),
    [
        (5, False, "reached"),
        (4.99, False, "**missed**"),
        (5, True, "reached"),
        (5.01, True, "**missed**"),
        (None, True, "not measured"),
    ],
)
def test_a_goal_is_reached_at_its_bound(
    found: float | None, is_upper_bound: bool, verdict: str
) -> None:
    assert Goal("", 5, found, is_upper_bound).verdict == verdict


def test_without_measurements_no_goal_has_a_verdict() -> None:
    assert {goal.verdict for goal in goals(Measured({}, {}))} == {"not measured"}


def test_the_report_has_the_measured_servers_only() -> None:
    text = report(MEASURED)
    assert "| this template | 1.00 |\n" in text
    assert "| this template | 1,000 |\n" in text
    assert "| this template | 2.00 | 150 |\n" in text
    assert SERVERS["bentoml"].title not in text


def test_a_markdown_table() -> None:
    assert table(["a", "b"], [["x", "1"]]) == "| a | b |\n| --- | ---: |\n| x | 1 |"


def test_the_plot_has_a_dot_for_each_latency_inside_its_frame() -> None:
    root = ElementTree.fromstring(plot(MEASURED))
    circles = [float(item.attrib["cx"]) for item in root.iter() if item.tag.endswith("circle")]
    assert len(circles) == 2 * len(ROUNDS)  # in the legend too
    assert 0 < min(circles) < max(circles) < float(root.attrib["viewBox"].split()[2])


ANSWERS: dict[str, tuple[Any, Any]] = {
    "ours": ({"probabilities": {"0": 0.25, "1": 0.75}}, {"probabilities": {"0": 0.75, "1": 0.25}}),
    "fastapi": ({"probabilities": [0.25, 0.75]}, {"probabilities": [0.25, 0.7500001]}),
    "bentoml": ([[0.25, 0.75]], [[0.75, 0.25]]),
    "mlserver": ({"outputs": [{"data": [0.25, 0.75]}]}, {"outputs": [{"data": [0.75, 0.25]}]}),
    "mlflow": ({"predictions": [[0.25, 0.75]]}, {"predictions": [[0.75, 0.25]]}),
    "vetiver": ({"predict": [1]}, {"predict": [0]}),
    "echo": ({"text": "sent"}, {"text": "other"}),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_compared_with_the_model(name: str) -> None:
    right, wrong = ANSWERS[name]
    assert is_right(SERVERS[name], {"text": "sent"}, right, [0.25, 0.75])
    assert not is_right(SERVERS[name], {"text": "sent"}, wrong, [0.25, 0.75])


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        ("found 500 900 1000000 90 1 0 200 {}", r"1 wrong and 0 without an answer, of 90\. 200 {}"),
        ("found 500 900 1000000 90 0 2 ", "0 wrong and 2 without"),
        ("found 0 0 1000000 0 0 0 ", "of 0"),
        ("unable to connect", "unable to connect"),
    ],
)
def test_a_wrong_answer_ends_the_run(printed: str, message: str) -> None:
    with pytest.raises(WrongAnswerError, match=message):
        read(printed, "http://localhost")


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="asks Linux")
def test_a_process_that_has_ended_has_no_memory(tmp_path: Path) -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        running = Running(SERVERS[OURS], process, 0, 0, tmp_path)
        assert running.memory() > 0
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert running.memory() == 0  # a zombie: its exit status was not read
    assert running.memory() == 0


def test_a_burst_has_seconds_and_requests_per_second() -> None:
    assert read("Running\n\nfound 500 900 2000000 90 0 0 \n", "") == Burst(0.0005, 45, 0.0009)


class Handler(BaseHTTPRequestHandler):
    """Returns each row as its answer, except for the rows in `answers`."""

    protocol_version = "HTTP/1.1"
    answers: dict[str, str] = {"b": "0.50000000000000001"}  # noqa: RUF012

    def do_POST(self) -> None:
        row = self.rfile.read(int(self.headers["Content-Length"])).decode()
        answer = self.answers.get(row, row).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


class Server(ThreadingHTTPServer):
    """Ignores clients that close their connection, as wrk does at its end."""

    def handle_error(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/predict"
        server.shutdown()
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("expected", "right"),
    [
        ("a\na\nb\n0.5\n", True),  # the numbers differ in the last bits
        ("a\na\nb\n0.51\n", False),
        ("a\na\nc\na\n", False),  # the answer of another row
    ],
)
def test_wrk_compares_each_answer_with_its_row(
    url: str, tmp_path: Path, expected: str, right: bool
) -> None:
    file = tmp_path / "expected"
    file.write_text(expected)
    if right:
        assert burst(url, file, 4, 1).rate > 0
    else:
        with pytest.raises(WrongAnswerError, match=r"[1-9]\d* wrong and 0 without"):
            burst(url, file, 4, 1)
