"""The log: one line for each request, and nothing that callers sent."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import logging
import re
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from model_service.model.model import Model
from model_service.web import logs
from model_service.web.app import create_app
from model_service.web.request_log import request_id_of

LINE = re.compile(
    r"level=info method=(?P<method>\S+) path=(?P<path>[^\s\"]+|\"(?:[^\"\\]|\\.)*\") "
    r"status=(?P<status>\d{3}) ms=\d+\.\d rows=(?P<rows>\d+) "
    r"request_id=(?P<request_id>\S+) model_version=(?P<version>\d+)"
)
ID = "0123456789-abcdefABCDEF"

Printed = pytest.CaptureFixture[str]


def line(printed: Printed) -> dict[str, str]:
    """Return the values of the one line that a request printed."""
    (text,) = [line for line in printed.readouterr().out.splitlines() if " method=" in line]
    assert text.isascii()
    assert len(text) <= logs.MAX_LINE_CHARACTERS
    found = LINE.fullmatch(text)
    assert found, text
    return found.groupdict()


def test_a_prediction(
    client: FlaskClient, model: Model, rows: list[dict[str, Any]], capsys: Printed
) -> None:
    response = client.post("/predict", json={"rows": rows})
    assert response.status_code == 200
    assert line(capsys) == {
        "method": "POST",
        "path": "/predict",
        "status": "200",
        "rows": str(len(rows)),
        "request_id": response.headers["X-Request-ID"],
        "version": str(model.manifest.about.version),
    }


def test_a_csv_is_logged_when_its_response_has_ended(client: FlaskClient, capsys: Printed) -> None:
    table = client.get("/example.csv").text
    capsys.readouterr()
    response = client.post("/predict", data=table, content_type="text/csv")
    assert " method=" not in capsys.readouterr().out
    response.close()
    told = line(capsys)
    assert told["rows"] == str(len(list(csv.reader(io.StringIO(table, newline="")))) - 1)
    assert told["request_id"] == response.headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/health", 200),
        ("GET", "/static/style.css", 200),
        ("GET", "/nothing", 404),
        ("DELETE", "/predict", 405),
        ("POST", "/predict", 415),
        ("OPTIONS", "/predict", 200),
        ("BREW", "/predict", 405),
    ],
)
def test_every_request_has_one_line(
    client: FlaskClient, method: str, path: str, status: int, capsys: Printed
) -> None:
    client.open(path, method=method, buffered=True)
    told = line(capsys)
    assert (told["method"], told["path"], told["status"]) == (method, path, str(status))


@pytest.mark.parametrize(
    "path",
    [
        "/a\nlevel=info method=GET",
        "/a\r\nb",
        '/a"b\\"',
        "/a b=c",
        "/\x00\x1b[31m\x7f\x85\u2028",
        "/π/\U0001f600",
        "/" + "\U0001f600" * 30_000,
        "/" + "a" * 100_000,
    ],
)
def test_a_hostile_path_stays_in_its_line(client: FlaskClient, path: str, capsys: Printed) -> None:
    client.get(quote(path))
    told = line(capsys)["path"]
    said = json.loads(told) if told.startswith('"') else told
    assert said == path or (said.endswith("…") and path.startswith(said[:-1]))


@pytest.mark.parametrize("given", [ID, "a" * 200, "abc+/=-" * 3])
def test_the_id_of_the_router_is_kept(client: FlaskClient, given: str, capsys: Printed) -> None:
    response = client.get("/health", headers={"X-Request-ID": given})
    assert response.headers["X-Request-ID"] == given
    assert line(capsys)["request_id"].strip('"') == given


@pytest.mark.parametrize(
    "given", ["", "short", "a" * 201, "a" * 20 + "\n", f"{ID} x=1", f'{ID}"', "é" * 20, f"{ID}_"]
)
def test_another_request_id_is_replaced(given: str) -> None:
    assert request_id_of(given) != given
    assert re.fullmatch("[0-9a-f]{32}", request_id_of(given))


def test_body_query_key_and_address_are_not_logged(
    client: FlaskClient, model: Model, rows: list[dict[str, Any]], capsys: Printed
) -> None:
    secret = "Marker-9173"
    headers = {"Authorization": f"Bearer {secret}", "User-Agent": secret, "Referer": secret}
    headers["Cookie"] = f"key={secret}"
    feature = model.contract.features[0].name
    bad = [{**rows[0], secret: 1}, {**rows[0], feature: secret}, {**rows[0], feature: [secret]}]
    table = f"{secret}\n{secret}\n"
    for body in bad:
        client.post(f"/predict?key={secret}", json=body, headers=headers)
    client.post(f"/predict?on_error={secret}", data=table, content_type="text/csv")
    client.post("/predict", data=table, content_type="text/csv")
    client.post("/", data={secret: secret}, headers=headers)
    client.get("/health", environ_base={"REMOTE_ADDR": "198.51.100.7"})
    printed = capsys.readouterr().out
    assert printed.count(" method=") == len(bad) + 4
    assert secret not in printed
    assert "198.51.100.7" not in printed


def test_the_id_of_a_failure_leads_to_its_traceback(
    model: Model, rows: list[dict[str, Any]], capsys: Printed
) -> None:
    class Broken(Model):
        def predict(self, rows: Any) -> Any:
            raise ZeroDivisionError("one\nlevel=info method=GET path=/forged\x1b")

    unverified = dataclasses.replace(model.manifest, verified=False)
    client = create_app(Broken(None, model.contract, unverified)).test_client()
    response = client.post("/predict", json=rows[0], headers={"X-Request-ID": ID})
    assert response.status_code == 500
    assert ID in response.get_json()["detail"]
    assert response.headers["X-Request-ID"] == ID
    printed = capsys.readouterr().out.splitlines()
    about = [text for text in printed if text.startswith("level=") and f"request_id={ID}" in text]
    assert [text.split()[0] for text in about] == ["level=warning", "level=error", "level=info"]
    traceback = [text for text in printed if not text.startswith("level=")]
    assert all(text.startswith("  ") for text in traceback)
    assert "Traceback" in traceback[0]
    assert traceback[-2:] == [
        "  ZeroDivisionError: one",
        r"  level=info method=GET path=/forged\x1b",
    ]


@pytest.mark.parametrize(
    "message", ["a\nb", 'a"b', "a\\", "x" * 100_000, "\\" * 100_000, "\U0001f600" * 100_000]
)
def test_a_warning_is_one_short_line(client: FlaskClient, message: str, capsys: Printed) -> None:
    logging.getLogger("model_service.serving.readiness").warning("%s", message)
    (text,) = capsys.readouterr().out.splitlines()
    assert text.isascii()
    assert len(text) <= logs.MAX_LINE_CHARACTERS
    said = json.loads(text.partition("message=")[2])
    assert said == message or (said.endswith("…") and message.startswith(said[:-1]))


def test_a_traceback_is_cut(client: FlaskClient, capsys: Printed) -> None:
    try:
        raise ValueError("long " * 10_000 + "\nline" * 10_000)
    except ValueError:
        logging.getLogger("model_service").exception("it failed")
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 1 + logs.MAX_TRACEBACK_LINES
    assert all(len(text) <= logs.MAX_LINE_CHARACTERS for text in printed)
