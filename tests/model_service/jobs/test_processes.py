"""The worker as the Procfile starts it: a kill, a restart of the database, a large file."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from conftest import TEMPLATE, completed, engine_environment
from flask.testing import FlaskClient
from postgres import Postgres
from running import gunicorn, peak_memory

pytestmark = pytest.mark.slow

Loans = Callable[..., bytes]
CSV = {"content_type": "text/csv"}
PROCFILE = dict(line.split(": ", 1) for line in (TEMPLATE / "Procfile").read_text().splitlines())
# Stops whoever writes the second part of a result until the test gives up the lock.
HALF_WAY = """
create or replace function half_way() returns trigger language plpgsql as $$
begin
  if new.side = 'output' and new.number = 1 then perform pg_advisory_xact_lock_shared(7); end if;
  return new;
end $$;
create trigger half_way before insert on model_job_parts for each row execute function half_way();
"""
HELD = "select count(*) from pg_locks where locktype = 'advisory' and objid = 7 and not granted"


@contextmanager
def worker(project: Path, database: Postgres, **env: str) -> Iterator[subprocess.Popen[str]]:
    python, *arguments = PROCFILE["worker"].split()
    assert python == "python"
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=TEMPLATE,
        env=engine_environment(
            JOBS="on", DATABASE_URL=database.url, MODEL_DIR=str(project / "model"), **env
        ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


def until(holds: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds  # other tests can take the processor
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def line_with(text: str, process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return next(line for line in process.stdout if text in line)


def test_two_workers_one_killed_and_the_database_restarted(
    client: FlaskClient, proven: Path, database: Postgres, loans: Loans
) -> None:
    bodies = [loans(40_000), loans(20), loans(30, {3: ("loan_amount", "2000000000")})]
    addresses = [client.post("/jobs", data=body, **CSV).location for body in bodies]
    database.execute(HALF_WAY)
    with psycopg.connect(database.url, autocommit=True) as test:
        test.execute("select pg_advisory_lock(7)")
        with worker(proven, database) as killed:
            until(lambda: database.execute(HELD) == [(1,)])
            assert client.get(addresses[0]).json["state"] == "running"
            assert database.execute("select number from model_job_parts where side = 'output'") == [
                (0,)
            ]
            killed.kill()
            with worker(proven, database) as other:
                line_with("waiting for jobs", other)
                database.stop()
                database.start()
                database.execute("update model_jobs set leased_until = now() where lease notnull")
                until(lambda: all(client.get(a).json["state"] == "done" for a in addresses))
    for address, body in zip(addresses, bodies, strict=True):
        expected = client.post("/predict", data=body, **CSV).data
        assert client.get(f"{address}/result").data == expected
    states = "select state, tries from model_jobs order by created_at"
    assert database.execute(states) == [("done", 2), ("done", 1), ("done", 1)]


def test_sigterm_gives_a_job_back(
    client: FlaskClient, proven: Path, database: Postgres, loans: Loans
) -> None:
    client.post("/jobs", data=loans(40_000), **CSV)
    database.execute(HALF_WAY)
    with psycopg.connect(database.url, autocommit=True) as test:
        test.execute("select pg_advisory_lock(7)")
        with worker(proven, database) as process:
            until(lambda: database.execute(HELD) == [(1,)])
            process.terminate()
            test.execute("select pg_advisory_unlock(7)")
            assert process.wait(30) == 0
    assert database.execute("select state, tries from model_jobs") == [("waiting", 0)]


def test_a_worker_waits_for_its_database(
    client: FlaskClient, proven: Path, database: Postgres, loans: Loans
) -> None:
    address = client.post("/jobs", data=loans(20), **CSV).location
    database.stop()
    try:
        with worker(proven, database) as process:
            assert "level=warning" in line_with("the database refuses", process)
            database.start()
            until(lambda: client.get(address).json["state"] == "done")
            process.terminate()
            assert process.wait(30) == 0
    finally:
        database.start_if_stopped()


@pytest.mark.parametrize(
    ("env", "line"),
    [
        ({}, "JOBS is off, so that there is nothing to do"),
        ({"JOBS": "yes"}, "JOBS is 'yes'"),
        ({"JOBS": "on"}, "DATABASE_URL is not set: heroku addons:create"),
        ({"JOBS": "on", "DATABASE_URL": "mysql://u:secret@h/d"}, "no address of a PostgreSQL"),
        ({"JOBS": "on", "DATABASE_URL": "postgres://u:100%pw-secret@h/d"}, "cannot be parsed"),
        ({"JOBS": "on", "DATABASE_URL": "postgres://h/d", "MODEL_DIR": "away"}, "away"),
    ],
)
def test_a_worker_that_cannot_work_says_why_in_one_line(env: dict[str, str], line: str) -> None:
    command = [sys.executable, "-m", "model_service", "jobs"]
    result = completed(command, TEMPLATE, engine_environment(**env))
    assert result.returncode == 3
    assert line in result.stderr
    assert "secret" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_driver_is_imported_only_where_jobs_are_on(proven: Path) -> None:
    script = "import sys, app; print(app.app.service.jobs is None, 'psycopg' in sys.modules)"
    for env, shown in (
        ({}, "True False"),
        ({"JOBS": "on", "DATABASE_URL": "postgres://h/d"}, "False True"),
    ):
        given = engine_environment(MODEL_DIR=str(proven / "model"), **env)
        result = completed([sys.executable, "-c", script], TEMPLATE, given)
        assert result.stdout.splitlines()[-1] == shown, result.stderr


def test_a_file_of_50_megabytes_takes_little_memory(
    proven: Path, database: Postgres, loans: Loans
) -> None:
    header, _, rows = loans(500).partition(b"\n")
    body = header + b"\n" + rows * 2_120
    assert 49 << 20 < len(body) < 50 << 20
    env = {"JOBS": "on", "DATABASE_URL": database.url}
    with gunicorn(proven / "model", **env) as server, worker(proven, database) as process:
        line_with("waiting for jobs", process)
        before = server.peak(), peak_memory(Path(f"/proc/{process.pid}"))
        with server.answer(body, path="/jobs") as response:
            address = f"/jobs/{json.load(response)['id']}"
        # Not by requests: no one reads the log, and its pipe would be full.
        until(lambda: database.execute("select state from model_jobs") == [("done",)], 300)
        with server.answer(b"", "GET", f"{address}/result") as response:
            lines = sum(piece.count(b"\n") for piece in iter(lambda: response.read(1 << 20), b""))
        after = server.peak(), peak_memory(Path(f"/proc/{process.pid}"))
    assert lines == 1_060_001
    assert after[0] - before[0] < 60 << 20
    assert after[1] - before[1] < 60 << 20
