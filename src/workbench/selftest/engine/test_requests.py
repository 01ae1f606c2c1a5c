"""Bad requests: all that is wrong is named, and the next good one is answered as before."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from model_service.web.headers import HEADERS, NO_STORE, STRICT_TRANSPORT_SECURITY
from workbench.selftest.responses import problem

NOT_JSON = [
    (b"", "Expecting value"),
    (b"{", "Expecting property name"),
    (b'\xef\xbb\xbf{"a": 1}', "a byte order mark"),
    (b'{"a": NaN}', "NaN"),
    (b'{"a": -Infinity}', "-Infinity"),
    (b'{"a": 1, "a": 2}', '"a" appears twice'),
    (b'{"a": "\xff"}', "UTF-8"),
    ('{"a": 1}'.encode("utf-16"), "UTF-8"),
    ('{"a": 1}'.encode("utf-16-le"), "Expecting"),
    (b'{"a": {"b": 1, "b": 1}}', '"b" appears twice'),
    (
        json.dumps({str(n): 1 for n in range(9_999)})[:-1].encode() + b', "7": 1}',
        '"7" appears twice',
    ),
    (b"[" * 9_000 + b"]" * 9_000, "nested too deeply"),
    (b"[" * 100_000, "nested too deeply"),
    (b"9" * 5000, "too many digits"),
]


@pytest.mark.parametrize(("body", "detail"), NOT_JSON)
def test_a_body_that_is_not_json(client: FlaskClient, body: bytes, detail: str) -> None:
    response = client.post("/predict", data=body, content_type="application/json")
    assert detail in problem(response, 400)["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/static/style.css", 200),
        ("GET", "/nothing", 404),
        ("OPTIONS", "/predict", 200),
        ("POST", "/predict", 415),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_each_response_has_each_security_header_once(
    client: FlaskClient, method: str, path: str, status: int, scheme: str
) -> None:
    response = client.open(path, method=method, headers={"X-Forwarded-Proto": scheme})
    assert response.status_code == status
    once = {name: [value] for name, value in HEADERS}
    once[STRICT_TRANSPORT_SECURITY[0]] = [STRICT_TRANSPORT_SECURITY[1]] * (scheme == "https")
    if method == "POST":
        once[NO_STORE[0]] = [NO_STORE[1]]
    else:
        assert NO_STORE[1] not in response.headers.getlist(NO_STORE[0])
    assert {name: response.headers.getlist(name) for name in once} == once
    response.close()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; "),
        ("Content-Security-Policy", "; frame-ancestors 'none'"),
        ("Referrer-Policy", "no-referrer"),
        ("Strict-Transport-Security", "max-age=31536000"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
    ],
)
def test_the_security_headers_forbid_all_but_this_site(
    client: FlaskClient, name: str, said: str
) -> None:
    """In words of its own, so that nobody takes a header away and no test says so."""
    response = client.get("/health", headers={"X-Forwarded-Proto": "https"})
    assert said in response.headers[name]


@pytest.mark.parametrize("kind", ["application/x-pickle", "text/plain", "multipart/form-data"])
def test_a_body_of_another_type(client: FlaskClient, kind: str) -> None:
    problem(client.post("/predict", data=b"\x80\x04.", content_type=kind), 415)


@pytest.mark.parametrize("body", ["null", "1", '"text"', "[]", "[{}]", '{"rows": [1]}'])
def test_rows_that_are_not_objects(client: FlaskClient, body: str) -> None:
    response = client.post("/predict", data=body, content_type="application/json")
    errors = problem(response, 422)["errors"]
    assert errors[0]["row"] == 1
    assert errors[0]["feature"] is None
    assert errors[0]["message"].startswith("must be an object")


@pytest.mark.parametrize("kind", ["application/json", "text/csv", "multipart/form-data"])
def test_an_encoded_body_is_not_read(
    client: FlaskClient, rows: list[dict[str, Any]], kind: str
) -> None:
    body = gzip.compress(json.dumps(rows[0]).encode())
    for encoding in ("gzip", "deflate", "br", "gzip, gzip"):
        sent = {"content_type": kind, "headers": {"Content-Encoding": encoding}}
        response = client.post("/predict", data=body, **sent)
        problem(response, 415)
        assert response.headers["Accept-Encoding"] == "identity"
    sent = {"content_type": "application/json", "headers": {"Content-Encoding": "identity"}}
    assert client.post("/predict", data=json.dumps(rows[0]), **sent).status_code == 200


def in_chunks(client: FlaskClient, path: str, body: bytes, kind: str) -> TestResponse:
    """Send a body as the server hands over one without Content-Length: it ends where it ends."""
    ended = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    stream = io.BytesIO(body)
    sent: dict[str, Any] = {
        "input_stream": stream,
        "content_type": kind,
        "environ_overrides": ended,
    }
    response = client.open(path, method="POST", **sent)
    assert stream.tell() <= 1 << 20 or kind == "text/csv"  # it stops reading at the limit
    return response


def test_a_chunked_body_is_never_truncated(client: FlaskClient, rows: list[dict[str, Any]]) -> None:
    body, padding = json.dumps(rows[0]).encode(), b" " * (1 << 20)
    kind = "application/json"
    assert (
        in_chunks(client, "/predict", body, kind).json == client.post("/predict", json=rows[0]).json
    )
    problem(in_chunks(client, "/predict", body + padding, kind), 413)
    problem(in_chunks(client, "/predict", padding + body, kind), 413)
    for route in ("/", "/row", "/file"):
        problem(in_chunks(client, route, b"a=1", "application/x-www-form-urlencoded"), 411)
    assert client.post("/predict", json=rows[0]).status_code == 200


def test_an_empty_batch(client: FlaskClient) -> None:
    problem(client.post("/predict", json={"rows": []}), 422)


def test_too_many_rows_and_too_many_bytes(client: FlaskClient, rows: list[dict[str, Any]]) -> None:
    problem(client.post("/predict", json={"rows": [{}] * 1001}), 413)
    large = b'{"a": "' + b"x" * 1024 * 1024 + b'"}'
    problem(client.post("/predict", data=large, content_type="application/json"), 413)
    assert client.post("/predict", json=rows[0]).status_code == 200
