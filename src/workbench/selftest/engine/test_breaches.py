"""Known attacks on model services, and that this one is not open to them.

That only one module can unpickle is in test_boot.py; that an error of the model tells an id and
nothing else is in test_routes.py; that each route is public by list or guarded in test_keys.py.
"""

from __future__ import annotations

import ast
import json
import pickle
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import model_service
from model_service.model.model import Model
from model_service.web.app import create_app

TYPES = """
    application/x-pickle application/python-pickle application/octet-stream application/joblib
    application/vnd.bentoml+pickle application/x-www-form-urlencoded multipart/form-data text/plain
    application/json+pickle application/x-ndjson application/xml image/png application/zip
""".split()
# What others let choose how a body is read.
HEADERS = ("Args-Number", "Payload-Meta", "Payload-Container", "X-Content-Type", "Accept")
# What breaches were made with, and no module of the service needs.
NEVER = {
    *("ctypes", "subprocess", "pty", "runpy"),  # run something
    *("ftplib", "http.client", "requests", "urllib.request", "xmlrpc"),  # fetch something
    *("shutil", "tarfile", "zipfile"),  # unpack something
    *("os.popen", "os.system", "yaml"),
}
ROUTES = {
    *("GET /", "POST /", "POST /file", "POST /row", "GET /example.csv", "GET /model"),
    *("GET /docs", "GET /docs/<any('swagger-ui.css', 'swagger-ui-bundle.js'):name>"),
    *("POST /predict", "POST /explain", "GET /features", "GET /metadata", "GET /openapi.json"),
    *("GET /accent.css", "GET /model.md"),
    *("POST /jobs", "GET /jobs/<job_id>", "GET /jobs/<job_id>/result", "DELETE /jobs/<job_id>"),
    *("GET /health", "GET /ready", "GET /metrics", "GET /static/<path:filename>"),
}


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.folder,)


def test_no_type_and_no_header_makes_a_pickle_of_a_body(
    client: FlaskClient, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    before = client.post("/predict", json=rows[0]).json
    canary = tmp_path / "canary"
    body = pickle.dumps(Payload(canary))
    for kind in TYPES:
        assert client.post("/predict", data=body, content_type=kind).status_code == 415, kind
    for kind, status in (("application/json", 400), ("text/csv", 422)):
        for name in HEADERS:
            chosen = {"data": body, "content_type": kind, "headers": {name: "application/pickle"}}
            assert client.post("/predict", **chosen).status_code == status
    assert not canary.exists()
    assert client.post("/predict", json=rows[0]).json == before
    pickle.loads(body)
    assert canary.exists()  # it would have


def test_nothing_runs_fetches_or_unpacks() -> None:
    for path in Path(model_service.__file__).parent.rglob("*.py"):
        assert NEVER & set(names(ast.parse(path.read_text(encoding="utf-8")))) == set(), path.name


def names(tree: ast.AST) -> Iterator[str]:
    """Yield what is imported, with the packages that it is in, and what is used of os."""
    for node in ast.walk(tree):
        found = []
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os":
            found = [f"os.{node.attr}"]
        for name in found:
            parts = name.split(".")
            yield from (".".join(parts[: n + 1]) for n in range(len(parts)))


def test_an_address_in_a_row_is_text(
    client: FlaskClient, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, lambda *given: asked.append(given))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given: asked.append(given))
    for url in ("http://127.0.0.1:1/model", "file:///etc/passwd", "s3://bucket/model"):
        answers = [client.post("/predict", json=dict.fromkeys(rows[0], url)), client.get(f"/{url}")]
        answers.append(client.post("/predict", json={"url": url, "model_url": url}))
        answers.append(client.post("/", data=dict.fromkeys(rows[0], url)))
        assert all(answer.status_code in (200, 404, 308, 422) for answer in answers)
        assert not any("root:" in answer.text for answer in answers)
    assert client.post("/predict", json=rows[0]).status_code == 200
    assert asked == []


def test_there_are_no_other_routes(model: Model) -> None:
    found = {
        f"{method} {rule.rule}"
        for rule in create_app(model).url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert found == ROUTES


BAD: list[dict[str, Any]] = [
    {"data": b"{", "content_type": "application/json"},
    {"data": b"[" * 9000, "content_type": "application/json"},
    {"data": b"{}", "content_type": "application/json"},
    {"data": b"{}", "content_type": "application/pickle"},
    {"data": b'{"rows": [1]}', "content_type": "application/json"},
    {"data": b"\xff", "content_type": "text/csv"},
    {"data": b"\x00", "content_type": "text/csv"},
    {"data": b"x", "content_type": "text/csv", "query_string": "on_error=../../etc/passwd"},
    {"data": b"x", "content_type": "application/json", "headers": {"Content-Encoding": "gzip"}},
    {"method": "GET"},
    {"path": "/../../etc/passwd", "method": "GET"},
    {"path": "/static/../settings.py", "method": "GET"},
    {"path": "/static/%2e%2e/settings.py", "method": "GET"},
    {"path": "/%ff%00", "method": "GET"},
]


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
@pytest.mark.parametrize("request_", BAD, ids=lambda given: json.dumps(given, default=repr)[:60])
def test_an_error_shows_no_traceback_path_or_version(
    client: FlaskClient,
    directory: Path,
    rows: list[dict[str, Any]],
    request_: dict[str, Any],
    accept: str,
) -> None:
    given = {"path": "/predict", "method": "POST", **request_}
    given["headers"] = {"Accept": accept, **given.get("headers", {})}
    response = client.open(**given)
    assert 400 <= response.status_code < 500
    assert response.mimetype == ("text/html" if "html" in accept else "application/problem+json")
    told = f"{response.headers}{response.text}"
    inside = ["Traceback", "site-packages", "Werkzeug", str(directory), str(Path.home())]
    assert [word for word in inside if word in told] == []
    assert not re.search(r"\d+\.\d+\.\d+|\.py\b", told)
    assert client.post("/predict", json=rows[0]).status_code == 200
