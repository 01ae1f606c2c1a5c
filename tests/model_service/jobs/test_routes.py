"""The routes of jobs: what is taken, what is refused, who sees what."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from typing import Any

import openapi_spec_validator
import pytest
from flask.testing import FlaskClient
from jobs_done import work_off
from postgres import Postgres

from model_service.model.model import Model
from model_service.web.app import create_app
from model_service.web.settings import Settings

pytestmark = pytest.mark.slow

Loans = Callable[..., bytes]
CSV = {"content_type": "text/csv"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
BAD_VALUE = {2: ("loan_amount", "a lot")}


def send(client: FlaskClient, body: bytes, query: str = "", **more: Any) -> str:
    """Send a CSV and return the address of its job."""
    response = client.post(f"/jobs{query}", data=body, **CSV, **more)
    assert response.status_code == 202, response.text
    assert response.json["state"] == "waiting"
    assert response.location == f"/jobs/{response.json['id']}"
    return response.location


@pytest.mark.parametrize("query", ["", "?on_error=refuse", "?on_error=keep"])
@pytest.mark.parametrize(
    "changed",
    [{}, {3: ("loan_amount", "2000000000"), 8: ("property_area", "Urban")}],
    ids=["plain", "warnings"],
)
def test_a_result_is_what_predict_answers(
    client: FlaskClient,
    model: Model,
    database: Postgres,
    loans: Loans,
    query: str,
    changed: dict[int, tuple[str, str]],
) -> None:
    body = loans(700, changed)
    address = send(client, body, query)
    work_off(model, database)
    expected = client.post(f"/predict{query}", data=body, **CSV)
    assert expected.status_code == 200
    assert (b"warnings" in expected.data) == bool(changed)
    found = client.get(f"{address}/result")
    assert found.data == expected.data
    assert found.mimetype == "text/csv"
    assert found.content_length == len(expected.data)
    assert found.headers["Content-Disposition"] == expected.headers["Content-Disposition"]
    job = client.get(address).json
    assert (job["state"], job["rows"], job["done"], job["rejected"]) == ("done", 700, 700, 0)
    assert job["result"] == f"{address}/result"


def test_rejected_rows_are_kept_and_counted(
    client: FlaskClient, model: Model, database: Postgres, loans: Loans
) -> None:
    body = loans(9, BAD_VALUE)
    address = send(client, body, "?on_error=keep")
    work_off(model, database)
    job = client.get(address).json
    assert (job["state"], job["done"], job["rejected"]) == ("done", 9, 1)
    expected = client.post("/predict?on_error=keep", data=body, **CSV).data
    assert client.get(f"{address}/result").data == expected


def test_wrong_rows_end_a_job_with_the_problems_of_predict(
    client: FlaskClient, model: Model, database: Postgres, loans: Loans
) -> None:
    body = loans(9, BAD_VALUE)
    address = send(client, body)
    work_off(model, database)
    job = client.get(address).json
    problem = client.post("/predict", data=body, **CSV).json
    assert job["state"] == "failed"
    assert job["error"] == {name: problem[name] for name in ("title", "detail", "errors")}
    assert client.get(f"{address}/result").status_code == 409
    page = client.get(address, headers=BROWSER).text
    assert "Line 4" in page
    assert "loan_amount must be a number" in page


REFUSED = [
    # body, content type, query, status, what the answer holds
    (b"a,b\n1,2\n", "text/csv", "", 422, "is missing"),
    (b"", "text/csv", "", 422, "the file is empty"),
    (b"\xff\xfe", "text/csv", "", 422, "UTF-8"),
    (b"a\n", "text/csv; charset=utf-16", "", 400, "must be UTF-8"),
    (b"{}", "application/json", "", 415, "Content-Type: text/csv"),
    (b"a\n", "", "", 415, "Content-Type: text/csv"),
    (b"a\n", "text/csv", "?on_error=maybe", 400, "refuse"),
    (b"a\n", "text/csv", "?reasons=4", 400, "no reasons"),
    (b"x" * 6000, "text/csv", "", 413, "At most 5000 bytes"),
]


@pytest.mark.parametrize(("body", "kind", "query", "status", "shown"), REFUSED)
def test_what_predict_refuses_is_refused_before_it_is_stored(
    model: Model,
    database: Postgres,
    body: bytes,
    kind: str,
    query: str,
    status: int,
    shown: str,
) -> None:
    settings = Settings(jobs=True, database_url=database.url, max_job_bytes=5000)
    client = create_app(model, settings).test_client()
    response = client.post(f"/jobs{query}", data=body, content_type=kind)
    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    assert shown in response.text
    send(client, client.get("/example.csv").data)  # which makes the tables
    assert database.execute("select count(*) from model_jobs") == [(1,)]


def test_a_job_is_there_until_it_is_deleted(
    client: FlaskClient, model: Model, database: Postgres, loans: Loans
) -> None:
    address = send(client, loans(5))
    waiting = client.get(f"{address}/result")
    assert waiting.status_code == 409
    assert "waiting" in waiting.json["detail"]
    assert client.delete(address).status_code == 204
    for method, route in (("GET", ""), ("GET", "/result"), ("DELETE", "")):
        assert client.open(f"{address}{route}", method=method).status_code == 404
    assert database.execute("select * from model_job_parts") == []


@pytest.mark.parametrize(
    "job_id", ["123e4567-e89b-42d3-a456-426614174000", "1", "%00", "{}", "a b"]
)
def test_an_unknown_id_is_404(client: FlaskClient, job_id: str) -> None:
    response = client.get(f"/jobs/{job_id}")
    assert response.status_code == 404
    assert response.json["title"] == "There is no such job"


def test_another_key_sees_404(model: Model, database: Postgres, loans: Loans) -> None:
    hashes = tuple(hashlib.sha256(key).digest() for key in (b"one", b"other"))
    settings = Settings(jobs=True, database_url=database.url, api_keys=hashes)
    client = create_app(model, settings).test_client()
    own, other = ({"Authorization": f"Bearer {key}"} for key in ("one", "other"))
    address = send(client, loans(5), headers=own)
    work_off(model, database)
    for headers, statuses in ((other, (404, 404, 404)), ({}, (401,) * 3), (own, (200, 200, 204))):
        requests = (("GET", ""), ("GET", "/result"), ("DELETE", ""))
        found = [client.open(address + r, method=m, headers=headers) for m, r in requests]
        assert tuple(response.status_code for response in found) == statuses


def test_metrics_count_the_jobs_that_wait_and_run(
    client: FlaskClient, model: Model, database: Postgres, loans: Loans
) -> None:
    def counts() -> list[str]:
        lines = client.get("/metrics").text.splitlines()
        return [line.removeprefix("model_jobs") for line in lines if line.startswith("model_jobs")]

    for _ in range(3):
        send(client, loans(5))
    lease = "update model_jobs set state = 'running', leased_until = now() + interval '{}' where id"
    one = " = (select id from model_jobs where state = 'waiting' limit 1)"
    database.execute(lease.format("1 minute") + one)
    database.execute(lease.format("-1 minute") + one)  # its worker has died
    assert counts() == ['{state="waiting"} 2', '{state="running"} 1']
    work_off(model, database)
    assert counts() == ['{state="waiting"} 0', '{state="running"} 1']
    database.stop()
    try:
        assert counts() == []
        assert "model_ready 1" in client.get("/metrics").text
    finally:
        database.start()


def test_scripts_of_listed_origins_use_jobs(model: Model, database: Postgres, loans: Loans) -> None:
    origin = "https://app.example.org"
    settings = Settings(jobs=True, database_url=database.url, cors_origins=(origin,))
    client = create_app(model, settings).test_client()
    address = send(client, loans(5), headers={"Origin": origin})
    asks = {"Origin": origin, "Access-Control-Request-Method": "DELETE"}
    preflight = client.options(address, headers=asks)
    assert "DELETE" in preflight.headers["Access-Control-Allow-Methods"]
    deleted = client.delete(address, headers={"Origin": origin})
    for response in (preflight, deleted):
        assert response.status_code == 204
        assert response.headers["Access-Control-Allow-Origin"] == origin
        assert "Location" in deleted.headers["Access-Control-Expose-Headers"]


def test_jobs_end_24_hours_after_their_end(
    client: FlaskClient, model: Model, database: Postgres, loans: Loans
) -> None:
    old, new = send(client, loans(5)), send(client, loans(5))
    work_off(model, database)
    (kept,) = database.execute(
        "select distinct round(extract(epoch from expires_at - now()) / 60) from model_jobs"
    )
    assert kept == (24 * 60,)
    aged = "update model_jobs set expires_at = expires_at - interval '24 hours' where id = '{}'"
    database.execute(aged.format(old.rpartition("/")[2]))
    work_off(model, database)
    assert client.get(old).status_code == 404
    assert client.get(new).status_code == 200


def test_a_form_leads_to_a_page_that_follows_the_job(
    client: FlaskClient, model: Model, database: Postgres, loans: Loans
) -> None:
    def form(**fields: str) -> dict[str, Any]:
        file = (io.BytesIO(loans(6, BAD_VALUE)), "loans.csv")
        return {"data": {"file": file, **fields}, "content_type": "multipart/form-data"}

    sent = client.post("/jobs", **form(on_error="keep"), headers=BROWSER)
    assert sent.status_code == 303
    page = client.get(sent.location, headers=BROWSER)
    assert page.mimetype == "text/html"
    assert '<noscript><meta http-equiv="refresh"' in page.text
    assert "waits for a worker" in page.text
    work_off(model, database)
    page = client.get(sent.location, headers=BROWSER)
    assert "refresh" not in page.text
    assert "1 of them do not fit" in page.text
    assert f'href="{sent.location}/result"' in page.text
    another_site = {**BROWSER, "Sec-Fetch-Site": "cross-site"}
    assert client.post("/jobs", **form(), headers=another_site).status_code == 403
    missing = {"data": {"on_error": "keep"}, "content_type": "multipart/form-data"}
    assert client.post("/jobs", **missing).status_code == 422


@pytest.mark.parametrize(
    ("page", "shown"), [("/", 'formaction="/jobs"'), ("/docs", "http://localhost/jobs")]
)
def test_a_page_offers_jobs_only_where_they_are_on(
    client: FlaskClient, model: Model, page: str, shown: str
) -> None:
    assert shown in client.get(page).text
    assert shown not in create_app(model).test_client().get(page).text


def test_openapi_has_the_routes_only_where_they_are_on(client: FlaskClient, model: Model) -> None:
    document = client.get("/openapi.json").json
    openapi_spec_validator.validate(document)
    assert {path for path in document["paths"] if "jobs" in path} == {
        "/jobs",
        "/jobs/{job_id}",
        "/jobs/{job_id}/result",
    }
    without = create_app(model).test_client().get("/openapi.json").json
    openapi_spec_validator.validate(without)
    assert "jobs" not in json.dumps(without).lower()


def test_without_a_database_predictions_go_on(
    client: FlaskClient, database: Postgres, loans: Loans
) -> None:
    address = send(client, loans(5))
    database.stop()
    try:
        for response in (client.get(address), client.post("/jobs", data=loans(5), **CSV)):
            assert response.status_code == 503
            assert response.headers["Retry-After"]
            assert "127.0.0.1" not in response.text
        assert client.post("/predict", data=loans(5), **CSV).status_code == 200
    finally:
        database.start()
    assert client.get(address).json["state"] == "waiting"
