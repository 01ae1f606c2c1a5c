"""/metrics: requests are counted under labels that no caller can choose."""

from __future__ import annotations

import csv
import io
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient

from model_service.contract.problems import REASONS
from model_service.model.model import Model
from model_service.web.app import ModelService, create_app
from model_service.web.metrics import MAX_NAMES, OTHER, Metrics
from workbench.selftest.responses import samples, value


def metrics_of(client: FlaskClient) -> Metrics:
    assert isinstance(client.application, ModelService)
    return client.application.service.metrics


def records(table: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(table, newline="")))


def test_requests_are_counted_by_route_method_and_status(client: FlaskClient) -> None:
    for method, path in [
        ("GET", "/health"),
        ("GET", "/health?a=1"),
        ("HEAD", "/health"),
        ("POST", "/predict"),
        ("GET", "/static/style.css"),
        ("GET", "/nothing"),
        ("GET", "/health/nothing"),
        ("BREW", "/predict"),
    ]:
        client.open(path, method=method, buffered=True)
    found = samples(client)
    counted = {
        ("/health", "GET", "200"): 2,
        ("/health", "HEAD", "200"): 1,
        ("/predict", "POST", "415"): 1,
        ("/static/<path:filename>", "GET", "200"): 1,
        ("", "GET", "404"): 2,
        ("", OTHER, "405"): 1,
    }
    for (route, method, status), count in counted.items():
        labels = {"method": method, "status": status, **({"route": route} if route else {})}
        assert value(found, "http_requests_total", **labels) == count
    total = sum(count for (name, _), count in found.items() if name == "http_requests_total")
    assert total == 8
    assert value(found, "http_request_duration_seconds_count", route="/health") == 3
    assert value(found, "http_request_duration_seconds_bucket", route="/health", le="+Inf") == 3
    assert value(found, "http_request_duration_seconds_bucket", route="/health", le="30.0") == 3
    assert 0 < value(found, "http_request_duration_seconds_sum", route="/health") < 30


def test_a_csv_counts_its_rows_and_not_the_example_row(
    client: FlaskClient,
) -> None:
    table = client.get("/example.csv").text
    assert (
        client.post("/predict", data=table, content_type="text/csv", buffered=True).status_code
        == 200
    )
    assert value(samples(client), "model_rows_total") == len(records(table)) - 1


def test_bad_rows_of_a_csv_that_are_kept_are_counted(client: FlaskClient) -> None:
    header, row, *_ = records(client.get("/example.csv").text)
    table = io.StringIO()
    csv.writer(table).writerows([header, row, [*row, "more"]])
    url = "/predict?on_error=keep"
    assert (
        client.post(url, data=table.getvalue(), content_type="text/csv", buffered=True).status_code
        == 200
    )
    found = samples(client)
    assert value(found, "model_rejected_rows_total", reason="form") == 1
    assert value(found, "model_rows_total") == 1


def test_no_caller_adds_a_series(client: FlaskClient, rows: list[dict[str, Any]]) -> None:
    def some_of_each(text: str) -> None:
        client.get(f"/{text}")
        client.get(f"/static/{text}")
        client.open(f"/{text}", method=text.upper())
        client.post("/predict", json={**rows[0], text: 1})
        client.post("/predict", data=f"{text}\n1\n", content_type="text/csv")

    client.get("/metrics")
    some_of_each("first")
    before = set(samples(client))
    for number in range(20):
        some_of_each(f"n{number}")
    after = samples(client)
    assert set(after) == before
    assert not any("first" in str(key) or "n1" in str(key) for key in after)


def test_the_series_are_bounded(client: FlaskClient, model: Model) -> None:
    features = {
        text
        for name, labels in samples(client)
        if name == "model_rejected_rows_total"
        for label, text in labels
        if label == "feature"
    }
    assert len(features) <= MAX_NAMES
    assert len(REASONS) < 10


def test_the_model_is_named_and_ready(client: FlaskClient, model: Model) -> None:
    found = samples(client)
    manifest = model.manifest
    about = {
        "name": manifest.about.name,
        "version": str(manifest.about.version),
        "task": manifest.task.kind,
    }
    assert value(found, "model_info", **about, sha256=manifest.model.sha256) == 1
    assert value(found, "model_ready") == 1
    assert value(found, "model_requests_waiting") == 0


def test_a_model_that_is_not_ready_is_counted_as_such(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(model)
    monkeypatch.setattr(app.service.predictor.readiness, "reason", lambda: "It is not.")
    assert value(samples(app.test_client()), "model_ready") == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # the child only counts
def test_each_worker_has_a_slot_and_the_slots_are_summed(client: FlaskClient) -> None:
    counts = metrics_of(client)
    counts.lay_out()  # as before gunicorn's fork
    with forked(client) as first, forked(client) as second:
        assert (first, second) == (0, 1)
        with forked(client) as third:
            assert third == 2
        # It died: the one that replaces it goes on from its counts.
        with forked(client) as fourth:
            assert fourth == 2
    assert counts.slot() == 0
    labels = {"route": "/health", "method": "GET", "status": "200"}
    assert value(samples(client), "http_requests_total", **labels) == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # the child only counts
@pytest.mark.parametrize("replaced", [False, True])
def test_the_waiting_gauge_of_a_dead_worker_is_reset(client: FlaskClient, replaced: bool) -> None:
    def waiting() -> float:
        return value(samples(client), "model_requests_waiting")

    assert waiting() == 0  # when the goldens, which wait too where a thread predicts, are checked
    metrics_of(client).set_waiting(1)
    with forked(client, waiting=10):
        assert waiting() == 11
        with forked(client, waiting=100):
            assert waiting() == 111
        if replaced:  # before anybody looked
            with forked(client):
                assert waiting() == 11
        assert waiting() == 11
    assert waiting() == 1


@contextmanager
def forked(client: FlaskClient, waiting: int | None = None) -> Iterator[int]:
    """Ask in a process that is forked, as a worker is; return its slot, and kill it in the end."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            client.get("/health")
            if waiting is not None:
                metrics_of(client).set_waiting(waiting)
            os.write(write, bytes([metrics_of(client).slot()]))
            signal.pause()
        finally:
            os._exit(1)
    try:
        os.close(write)
        (slot,) = os.read(read, 1)
        yield slot
    finally:
        os.close(read)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
