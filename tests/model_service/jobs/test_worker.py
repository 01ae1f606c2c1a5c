"""Workers: leases, tries, an end in the middle of a job. Each row is scored once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from jobs_done import WorkerHere, work_off
from postgres import Postgres

from model_service.csv.stream import Progress
from model_service.jobs import worker as worker_module
from model_service.jobs.leases import GIVEN_UP, MAX_TRIES, LeaseLost
from model_service.jobs.worker import StopRequested
from model_service.model.model import Model

pytestmark = pytest.mark.slow

Loans = Callable[..., bytes]
Send = Callable[[bytes], str]
CSV = {"content_type": "text/csv"}
EXPIRE = "update model_jobs set leased_until = now() - interval '1 second'"


@pytest.fixture
def send(client: FlaskClient) -> Send:
    return lambda body: str(client.post("/jobs", data=body, **CSV).location)


@pytest.fixture
def reports_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker renews its lease after each chunk of rows."""
    monkeypatch.setattr(worker_module, "REPORT_SECONDS", 0)


def tries(database: Postgres) -> list[tuple[object, ...]]:
    return database.execute("select state, tries from model_jobs")


def test_a_worker_that_wakes_after_its_lease_has_run_out_writes_nothing(
    client: FlaskClient, model: Model, database: Postgres, loans: Loans, send: Send
) -> None:
    body = loans(300)
    address = send(body)
    asleep = WorkerHere(model, database.url).leases
    lease = asleep.take()
    assert lease is not None
    asleep.write(lease, 0, b"half of the work")
    assert client.get(address).json["state"] == "running"
    database.execute(EXPIRE)
    assert client.get(address).json["state"] == "waiting"
    work_off(model, database)
    for act in (
        lambda: asleep.write(lease, 1, b"the other half"),
        lambda: asleep.renew(lease, Progress()),
        lambda: asleep.finish(lease, Progress()),
        lambda: asleep.fail(lease, Progress(), GIVEN_UP),
        lambda: asleep.release(lease, counts=True),
    ):
        with pytest.raises(LeaseLost):
            act()
    expected = client.post("/predict", data=body, **CSV).data
    assert client.get(f"{address}/result").data == expected
    assert tries(database) == [("done", 2)]


def test_a_job_is_taken_by_one_worker(
    model: Model, database: Postgres, loans: Loans, send: Send
) -> None:
    for _ in range(3):
        send(loans(5))
    leases = [WorkerHere(model, database.url).leases for _ in range(4)]
    taken = [each.take() for each in leases]
    assert len({lease.job for lease in taken if lease}) == 3
    assert taken[3] is None


def test_parts_and_ends_can_be_written_twice(
    client: FlaskClient, model: Model, database: Postgres, loans: Loans, send: Send
) -> None:
    """As after a restart of the database that swallowed the answer to a commit."""
    address = send(loans(5))
    leases = WorkerHere(model, database.url).leases
    lease = leases.take()
    assert lease is not None
    for _ in range(2):
        leases.write(lease, 0, b"a result")
    for _ in range(2):
        leases.finish(lease, Progress(5, 5))
    assert client.get(f"{address}/result").data == b"a result"


def test_the_third_failure_ends_a_job(
    client: FlaskClient,
    model: Model,
    database: Postgres,
    loans: Loans,
    send: Send,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(Model):
        def predict(self, rows: Any) -> Any:
            raise ZeroDivisionError("a secret")

    address = send(loans(5))
    broken = Broken(None, model.contract, model.manifest)
    here = WorkerHere(broken, database.url)
    here.worker._scorer.predictor.readiness._is_checked = True
    for number in range(1, MAX_TRIES + 1):
        assert here.worker.work()
        assert f"try {number} of {MAX_TRIES}" in caplog.text
    assert not here.worker.work()
    job = client.get(address)
    assert (job.json["state"], job.json["error"]) == ("failed", GIVEN_UP)
    assert "secret" not in job.text


def test_a_worker_that_dies_three_times_ends_a_job(
    client: FlaskClient, model: Model, database: Postgres, loans: Loans, send: Send
) -> None:
    address = send(loans(5))
    leases = WorkerHere(model, database.url).leases
    for _ in range(MAX_TRIES):
        assert leases.take() is not None
        database.execute(EXPIRE)
    assert leases.take() is None
    assert client.get(address).json["error"] == GIVEN_UP
    assert database.execute("select * from model_job_parts") == []


def test_a_job_whose_worker_died_is_deleted_when_it_expires(
    client: FlaskClient, model: Model, database: Postgres, loans: Loans, send: Send
) -> None:
    address = send(loans(5))
    assert WorkerHere(model, database.url).leases.take() is not None
    database.execute("update model_jobs set expires_at = now() - interval '1 second'")
    send(loans(5))  # no worker runs: a new job deletes expired ones
    assert client.get(address).json["state"] == "running"  # the lease has not run out
    database.execute(EXPIRE)
    send(loans(5))
    assert client.get(address).status_code == 404


@pytest.mark.usefixtures("reports_always")
def test_a_job_that_is_deleted_while_it_runs_ends(
    client: FlaskClient,
    model: Model,
    database: Postgres,
    loans: Loans,
    send: Send,
    caplog: pytest.LogCaptureFixture,
) -> None:
    address = send(loans(5))
    here = WorkerHere(model, database.url, interrupt=lambda: client.delete(address))
    assert here.worker.work()
    assert "it was deleted" in caplog.text
    assert database.execute("select * from model_job_parts") == []
    assert not here.worker.work()


@pytest.mark.usefixtures("reports_always")
def test_a_job_is_given_back_when_the_worker_is_told_to_stop(
    client: FlaskClient,
    model: Model,
    database: Postgres,
    loans: Loans,
    send: Send,
) -> None:
    body = loans(50)
    address = send(body)
    here = WorkerHere(model, database.url)
    here.interrupt = here.stop.set
    with pytest.raises(StopRequested):
        here.worker.work()
    assert tries(database) == [("waiting", 0)]
    here.worker.run()  # it is stopped, and takes nothing
    work_off(model, database)
    expected = client.post("/predict", data=body, **CSV).data
    assert client.get(f"{address}/result").data == expected


@pytest.mark.usefixtures("reports_always")
def test_progress_is_shown(
    client: FlaskClient,
    model: Model,
    database: Postgres,
    loans: Loans,
    send: Send,
) -> None:
    address = send(loans(20_000))
    seen: list[tuple[int | None, int]] = []

    def look() -> None:
        job = client.get(address).json
        seen.append((job["rows"], job["done"]))

    WorkerHere(model, database.url, interrupt=look).worker.work()
    assert seen[0] == (None, 0)
    assert seen[-1] == (20_000, 20_000)
    assert [done for _, done in seen] == sorted(done for _, done in seen)
    assert len({done for _, done in seen}) > 2


@pytest.mark.usefixtures("reports_always")
def test_the_lease_is_renewed_while_failing_rows_are_looked_for(
    client: FlaskClient, model: Model, database: Postgres, loans: Loans
) -> None:
    class FailsOnOneAmount(Model):
        def predict(self, rows: Any) -> Any:
            if 77777 in list(rows.columns["loan_amount"]):
                raise ZeroDivisionError
            return model.predict(rows)

    body = loans(64, dict.fromkeys(range(20, 50), ("loan_amount", "77777")))
    address = client.post("/jobs?on_error=keep", data=body, **CSV).location
    renewals: list[int] = []
    failing = FailsOnOneAmount(None, model.contract, model.manifest)
    here = WorkerHere(failing, database.url, interrupt=lambda: renewals.append(1))
    here.worker._scorer.predictor.readiness._is_checked = True
    assert here.worker.work()
    job = client.get(address).json
    assert (job["state"], job["rejected"]) == ("done", 30)
    assert len(renewals) > 30
