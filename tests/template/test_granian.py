"""The other WSGI server, put in as the project's README says: all works as before."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import joblib
import pytest
from benchmarks.wsgi import GRANIAN
from conftest import EXAMPLE, PYTHON, bake
from tests.model_service.server.test_faults import (
    FINE,
    IS_SLOW,
    SLEEPS,
    Server,
    ask,
    counted,
    moody,
    until,
)
from tests.workbench.verify.test_verify import make, sample_rows, served

__all__ = ["moody"]  # a fixture
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks for the workers"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The loan example after what README.md says under "Another WSGI server"."""
    project = bake(tmp_path_factory.mktemp("granian"), python_version=PYTHON).project
    (project / "Procfile").write_text("web: python serve_granian.py\n")
    with (project / "requirements.in").open("a") as source:
        source.write(f"{GRANIAN}\n")
    make(project, "verify")
    return project


@contextmanager
def granian(project: Path, **env: str) -> Iterator[Server]:
    """Run what the Procfile says."""
    workers = int(env.get("WEB_CONCURRENCY", "1"))
    with served(project, **env) as (process, port):
        # Nobody reads its log: a full pipe would stop it.
        assert process.stdout is not None
        threading.Thread(target=process.stdout.read, daemon=True).start()
        server = Server(process, port)  # type: ignore[arg-type]  # its output is text
        until(lambda: server.ready() and len(server.workers()) == workers)
        yield server


def test_it_answers_as_the_model_does_and_shares_it(project: Path) -> None:
    native = joblib.load(EXAMPLE / "model.joblib")
    frame, rows = sample_rows()
    with granian(project, WEB_CONCURRENCY="2") as server:
        status, answer = server.ask("POST", "/predict", {"rows": rows})
        assert status == 200, answer
        assert [p["prediction"] for p in answer["predictions"]] == native.predict(frame).tolist()
        # Loaded once, and before the workers: a worker alone holds far less than the libraries.
        assert all(own_bytes(worker) < 60e6 for worker in server.workers())


def own_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def test_two_workers_count_together_and_a_killed_one_is_replaced(project: Path) -> None:
    _, rows = sample_rows()
    with granian(project, WEB_CONCURRENCY="2") as server:
        known = server.workers()
        # The system shares connections out: forty of them do not all come to one worker.
        assert {server.ask("POST", "/predict", row)[0] for row in rows[:40]} == {200}
        assert {counted(server) for _ in range(20)} == {40}
        killed = min(known)
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(server.workers() - {killed}) == 2)
        until(server.ready)
        assert {server.ask("POST", "/predict", row)[0] for row in rows[:10]} == {200}
        assert {counted(server) for _ in range(20)} == {50}


def test_no_request_in_flight_is_lost_on_sigterm_under_load(moody: Path, project: Path) -> None:
    statuses: list[int] = []

    def ask_once(server: Server) -> None:
        with closing(server.connect()) as connection:
            statuses.append(ask(connection, "POST", "/predict", {"x": IS_SLOW})[0])

    with granian(project, MODEL_DIR=str(moody)) as server, ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask_once, server) for _ in range(8)]
        until(lambda: counted(server, "model_requests_waiting") >= 4)
        server.process.send_signal(signal.SIGTERM)
        for one in asked:
            one.result(timeout=60)
        assert server.process.wait(timeout=30) == 0
    assert statuses == [200] * 8


def test_a_stuck_worker_is_replaced(moody: Path, project: Path) -> None:
    with granian(project, MODEL_DIR=str(moody), PREDICT_SECONDS="2") as server:
        before = server.workers()
        status, answer = server.predict(SLEEPS)
        assert (status, answer["title"]) == (503, "The prediction takes too long")
        until(lambda: bool(server.workers()) and not server.workers() & before)
        until(server.ready)
        assert server.predict(FINE)[0] == 200


def test_sigterm_during_the_start_ends_it(project: Path) -> None:
    environment = {"PATH": f"{project}/.venv/bin:/usr/bin:/bin", "PORT": "0"}
    with subprocess.Popen(
        ["python", "serve_granian.py"], cwd=project, env=environment, start_new_session=True
    ) as process:
        until(lambda: "sklearn" in Path(f"/proc/{process.pid}/maps").read_text())
        process.terminate()
        assert process.wait(timeout=10) == -signal.SIGTERM


def test_the_doctor_measures_it(project: Path) -> None:
    found = subprocess.run(
        ["python3", "-m", "workbench", "doctor", "--json"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    verdicts = {row["check"]: row["verdict"] for row in json.loads(found.stdout)}
    assert [verdicts[name] for name in ("boot", "memory", "prediction")] == ["ok"] * 3
