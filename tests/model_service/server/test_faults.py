"""Models that misbehave, workers that die, slow clients: other requests are answered."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import TEMPLATE, adopted, engine_environment
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from running import free_port
from sklearn.linear_model import LinearRegression

from model_service.model.loading import load_model
from model_service.web.app import create_app
from model_service.web.settings import Settings
from workbench.verify.prove import prove

FINE, RAISES, SLEEPS, IS_NAN, EATS, LEAVES, IS_SLOW, DEVOURS, IS_KILLED = 1, *range(13, 21)
CLOSED = 0
MOODY = f"""
import resource
import time
import numpy as np

def prepare(frame):
    values = set(frame["x"])
    if {RAISES} in values:
        raise ZeroDivisionError("thirteen")
    if {SLEEPS} in values:
        time.sleep(1_000_000)
    if {IS_SLOW} in values:
        time.sleep(0.1)
    if {EATS} in values:
        np.ones(10**15)
    if {DEVOURS} in values:
        held = []
        while len(held) < 4_000:  # not the memory of a machine that sets no limit
            held.append(bytearray(1_000_000))
    if {IS_KILLED} in values:
        resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
        while True:  # the kernel sends SIGKILL
            pass
    if {LEAVES} in values:
        raise SystemExit(1)
    large = 1e308 * (frame["x"] == {IS_NAN})
    return frame.assign(plus=large, minus=large)
"""

slow = pytest.mark.slow
on_linux = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks for the workers")


@pytest.fixture(scope="module")
def moody(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A verified model that answers `x`, or does worse with some values. Returns its folder."""
    folder = tmp_path_factory.mktemp("moody")
    frame = pd.DataFrame({"x": range(10), "plus": 0, "minus": 0}, dtype=float)
    model = LinearRegression().fit(frame, frame["x"])
    model.coef_, model.intercept_ = np.array([1.0, 10.0, -10.0]), 0.0
    joblib.dump(model, folder / "model.joblib")
    (folder / "app.py").write_text(MOODY)
    frame[["x"]].to_csv(folder / "sample.csv", index=False)
    answers = {"features": "x", "sample_data": "sample.csv", "model_code": "app.py"}
    project = adopted(folder, folder / "model.joblib", **answers)
    prove(project)
    return project / "model"


def client(moody: Path, **settings: Any) -> FlaskClient:
    return create_app(load_model(moody), Settings(**settings)).test_client()


@pytest.mark.parametrize("value", [RAISES, EATS, LEAVES])
def test_only_the_rows_on_which_the_model_raises_fail(moody: Path, value: int) -> None:
    asked = client(moody)
    response = asked.post("/predict", json={"rows": [{"x": FINE}, {"x": value}]})
    assert response.status_code == 422
    (error,) = json.loads(response.text)["errors"]
    assert (error["row"], error["message"]) == (2, "the model fails on these values")
    assert answer_of(asked, FINE) == FINE


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid:RuntimeWarning")
def test_nan_is_null(moody: Path) -> None:
    asked = client(moody)
    assert answer_of(asked, IS_NAN) is None
    assert answer_of(asked, FINE) == FINE


def test_a_model_that_never_returns_times_out(moody: Path) -> None:
    asked = client(moody, predict_seconds=1)
    assert answer_of(asked, FINE) == FINE
    for said in ("It was given up after 1 s", "It has not answered for 1 s"):
        response = asked.post("/predict", json={"x": SLEEPS})
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "1"
        assert response.mimetype == "application/problem+json"
        assert said in json.loads(response.text)["detail"]
    for route, status in (("/ready", 503), ("/health", 200), ("/features", 200)):
        assert asked.get(route).status_code == status
    csv = asked.post("/predict", data="x\n1\n", content_type="text/csv")
    assert csv.status_code == 503
    page = asked.post("/", data={"x": "1"}, headers={"Accept": "text/html"})
    assert page.status_code == 503
    assert "This service cannot answer now" in page.text


def answer_of(asked: FlaskClient, value: int) -> Any:
    response = asked.post("/predict", json={"x": value})
    assert response.status_code == 200, response.text
    return json.loads(response.text)["prediction"]


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[bytes]
    port: int

    def workers(self) -> set[int]:
        """Return the processes that gunicorn runs and that have not ended."""
        pid = self.process.pid
        children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return {child for child in children if " (zombie)" not in self._status(child)}

    def address_space(self, pid: int) -> int:
        """Return the bytes of all that a process has mapped."""
        return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()

    def _status(self, pid: int) -> str:
        try:
            return Path(f"/proc/{pid}/status").read_text()
        except FileNotFoundError:
            return " (zombie)"

    def ask(self, method: str, route: str, body: Any = None) -> tuple[int, Any]:
        with closing(self.connect()) as connection:
            return ask(connection, method, route, body)[:2]

    def connect(self, timeout: float = 60) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ready(self) -> bool:
        with suppress(ConnectionError):
            return self.ask("GET", "/ready")[0] == 200
        return False

    def predict(self, value: int) -> tuple[int, Any]:
        return self.ask("POST", "/predict", {"x": value})

    def outcome(self, value: int) -> int:
        """Return the status of the answer, or that there is none."""
        try:
            return self.predict(value)[0]
        except ConnectionError:
            return CLOSED


def ask(
    connection: HTTPConnection, method: str, route: str, body: Any = None
) -> tuple[int, Any, bool]:
    """Return status, answer, and whether the server is about to close the connection."""
    data = None if body is None else json.dumps(body)
    connection.request(method, route, data, {"Content-Type": "application/json"})
    response = connection.getresponse()
    return response.status, json.load(response), response.will_close


def counted(server: Server, family: str = "model_rows") -> float:
    """Return the sum of a metric."""
    with closing(server.connect()) as connection:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    (found,) = (one for one in text_string_to_metric_families(text) if one.name == family)
    return sum(sample.value for sample in found.samples)


@contextmanager
def gunicorn(model: Path, **env: str) -> Iterator[Server]:
    """Run the service of the template folder around a model."""
    port = free_port()
    with (model.parent / "gunicorn.log").open("a+b") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py"],
            cwd=TEMPLATE,
            env=engine_environment(MODEL_DIR=str(model), PORT=str(port), **env),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        server = Server(process, port)
        try:
            workers = int(env.get("WEB_CONCURRENCY", "1"))
            until(lambda: server.ready() and len(server.workers()) == workers)
            yield server
        finally:
            with suppress(ProcessLookupError):  # a test ended it
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=30)


def until(condition: Callable[[], Any]) -> Any:
    """Return what the condition finds, once that is true."""
    deadline = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


@slow
@on_linux
@pytest.mark.parametrize("workers", [1, 2])
def test_a_stuck_worker_refuses_waiting_requests_and_is_replaced(moody: Path, workers: int) -> None:
    with (
        gunicorn(moody, WEB_CONCURRENCY=str(workers), PREDICT_SECONDS="2") as server,
        ThreadPoolExecutor(20) as pool,
    ):
        before = server.workers()
        stuck = pool.submit(server.predict, SLEEPS)
        others = [pool.submit(server.predict, FINE) for _ in range(19)]
        status, answer = stuck.result()
        assert (status, answer["title"]) == (503, "The prediction takes too long")
        others = [other.result()[0] for other in others]
        # Before there is another worker, a connection waits; none is refused or lost.
        meanwhile = [server.predict(FINE)[0] for _ in range(10)]
        assert {*others, *meanwhile} <= {200, 503}
        until(lambda: len(server.workers()) == workers and server.workers() != before)
        assert len(before & server.workers()) == workers - 1
        assert [server.predict(FINE)[0] for _ in range(10)] == [200] * 10


@slow
@on_linux
def test_a_killed_worker_is_replaced_and_the_other_answers(moody: Path) -> None:
    with gunicorn(moody, WEB_CONCURRENCY="2") as server:
        before = server.workers()
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        assert [server.predict(FINE)[0] for _ in range(20)] == [200] * 20
        until(lambda: len(server.workers()) == 2)
        assert killed not in server.workers()


@slow
@on_linux
def test_waiting_requests_are_counted_until_their_worker_is_killed(moody: Path) -> None:
    with (
        gunicorn(moody, WEB_CONCURRENCY="2", PREDICT_SECONDS="60") as server,
        ThreadPoolExecutor(40) as pool,
    ):

        def waiting() -> set[float]:
            # The system shares connections out: twenty of them do not all come to one worker.
            return {counted(server, "model_requests_waiting") for _ in range(20)}

        def so_many_wait() -> bool:
            pool.submit(server.outcome, SLEEPS)
            return max(waiting()) >= 20

        def agreed() -> set[float]:
            """Return what all say. A new worker asks the model itself at first, and counts that."""
            found = waiting()
            return found if len(found) == 1 else set()

        until(so_many_wait)
        # As many of both workers, and more than each of them has by itself.
        (both,) = until(agreed)
        first, second = server.workers()
        os.kill(first, signal.SIGKILL)
        until(lambda: len(server.workers() - {first}) == 2)
        (one,) = until(agreed)
        assert 0 < one < both
        os.kill(second, signal.SIGKILL)
        until(lambda: len(server.workers() - {first, second}) == 2)
        until(lambda: waiting() == {0})


@slow
@on_linux
def test_only_the_request_of_a_model_that_takes_all_memory_fails(moody: Path) -> None:
    """Each process may have 1 GB more: too little for all threads beside a row without an end."""
    with gunicorn(moody, WEB_CONCURRENCY="2") as server, ThreadPoolExecutor(20) as pool:
        most = max(map(server.address_space, server.workers())) + 1_000_000_000
        for pid in (server.process.pid, *server.workers()):  # a worker that is forked has it too
            resource.prlimit(pid, resource.RLIMIT_AS, (most, most))
        eaters = [pool.submit(server.outcome, DEVOURS) for _ in range(10)]
        others = [pool.submit(server.outcome, FINE) for _ in range(30)]
        found = {eater.result() for eater in eaters}
        assert 422 in found
        assert found <= {422, 503, CLOSED}
        assert {other.result() for other in others} <= {200, 503, CLOSED}
        # A worker that finds no memory for a thread ends, and there is another one.
        until(lambda: len(server.workers()) == 2)
        assert [server.predict(FINE)[0] for _ in range(10)] == [200] * 10


@slow
@on_linux
def test_a_worker_that_the_oom_killer_ends_is_replaced(moody: Path) -> None:
    with gunicorn(moody, WEB_CONCURRENCY="2") as server, ThreadPoolExecutor(20) as pool:
        before = server.workers()
        eater = pool.submit(server.outcome, IS_KILLED)
        others = [pool.submit(server.outcome, FINE) for _ in range(30)]
        assert eater.result() == CLOSED
        found = [other.result() for other in others]
        assert 200 in found
        assert set(found) <= {200, CLOSED}  # those that were with it have no answer either
        until(lambda: len(server.workers()) == 2 and server.workers() != before)
        assert len(before & server.workers()) == 1
        assert [server.predict(FINE)[0] for _ in range(10)] == [200] * 10


@slow
def test_no_request_in_flight_is_lost_on_sigterm_under_load(moody: Path) -> None:
    statuses: list[int] = []
    enough = threading.Event()

    def ask_until_told_to_leave(server: Server) -> None:
        will_close = False
        with closing(server.connect()) as connection:
            while not will_close:
                body = {"x": IS_SLOW}
                status, _, will_close = ask(connection, "POST", "/predict", body)
                statuses.append(status)
                if len(statuses) > 30:
                    enough.set()

    with gunicorn(moody) as server, ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(ask_until_told_to_leave, server) for _ in range(8)]
        assert enough.wait(60)
        server.process.terminate()
        assert server.process.wait(timeout=10) == 0
        for client in clients:
            client.result(timeout=60)
        with pytest.raises(ConnectionRefusedError):
            server.predict(FINE)
    assert set(statuses) == {200}
