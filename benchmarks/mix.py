"""The requests of the soak test: rows, batches, files, the form, bad rows and monitoring."""

from __future__ import annotations

import csv
import html
import io
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode

from benchmarks.client import Request

SEED = 2026
# In percent. Requests of one row are spread over all rows.
PERCENTAGES = {
    "row": 55,
    "batch": 8,
    "csv": 5,
    "form": 5,
    "page": 5,
    "bad row": 10,
    "metrics": 2,
    "health": 10,
}
JSON, CSV, FORM = "application/json", "text/csv", "application/x-www-form-urlencoded"
# Right answers to one request can differ in the last bits of their numbers. So many are remembered.
MAX_KNOWN_ANSWERS = 100
ANSWER = re.compile(r'data-answer="([^"]*)"')


def read_golden(project: Path) -> tuple[list[dict[str, Any]], list[Any]]:
    """Return the rows and predictions of the project's golden.json."""
    golden = json.loads((project / "model" / "golden.json").read_text(encoding="utf-8"))
    return golden["rows"], golden["predictions"]


def build_requests(rows: Sequence[Mapping[str, Any]], predictions: Sequence[Any]) -> list[Request]:
    """Return requests for rows with known predictions, in random order."""
    requests = [
        request
        for kind, count in PERCENTAGES.items()
        for request in _requests_of_kind(kind, count * len(rows), rows, predictions)
    ]
    Random(SEED).shuffle(requests)
    return requests


def _requests_of_kind(
    kind: str, count: int, rows: Sequence[Mapping[str, Any]], predictions: Sequence[Any]
) -> list[Request]:
    """Return `count` requests of a kind; requests for the same row are the same object."""
    if kind in ("row", "form", "bad row"):
        make = {"row": row_request, "form": form_request, "bad row": bad_request}[kind]
        each = [make(row, answer) for row, answer in zip(rows, predictions, strict=True)]
        return [each[number % len(each)] for number in range(count)]
    if kind in ("batch", "csv"):
        make_all = {"batch": batch_request, "csv": csv_request}[kind]
        return [make_all(rows, predictions)] * count
    return [{"page": PAGE, "metrics": METRICS, "health": HEALTH}[kind]] * count


def row_request(row: Mapping[str, Any], expected: Any) -> Request:
    """Return a request that predicts one row."""
    body = json.dumps(row).encode()
    return request(
        "row", "POST /predict", 200, lambda text: contains(json.loads(text), expected), body, JSON
    )


def batch_request(rows: Sequence[Mapping[str, Any]], expected: Sequence[Any]) -> Request:
    """Return a request that predicts all rows."""
    body = json.dumps({"rows": rows}).encode()

    def is_right(text: bytes) -> bool:
        return contains(json.loads(text)["predictions"], list(expected))

    return request("batch", "POST /predict", 200, is_right, body, JSON)


def csv_request(rows: Sequence[Mapping[str, Any]], expected: Sequence[Any]) -> Request:
    """Return a request that predicts all rows as CSV."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerows(
        [list(rows[0]), *([cell_text(value) for value in row.values()] for row in rows)]
    )

    def is_right(text: bytes) -> bool:
        found = list(csv.DictReader(io.StringIO(text.decode(), newline="")))
        return len(found) == len(expected) and all(map(has_cells, found, expected))

    return request("csv", "POST /predict", 200, is_right, file.getvalue().encode(), CSV)


def form_request(row: Mapping[str, Any], expected: Any) -> Request:
    """Return a request that submits the form as a browser without JavaScript does."""
    body = urlencode({name: cell_text(value) for name, value in row.items()}).encode()

    def is_right(text: bytes) -> bool:
        found = ANSWER.search(text.decode())
        return found is not None and contains(json.loads(html.unescape(found[1])), expected)

    return request("form", "POST /", 200, is_right, body, FORM, accept="text/html")


def bad_request(row: Mapping[str, Any], _: Any) -> Request:
    """Return a request with a missing and an unknown feature."""
    (first, _), *others = row.items()
    body = json.dumps({**dict(others), "no such feature": 1}).encode()

    def is_right(text: bytes) -> bool:
        features = {error["feature"] for error in json.loads(text)["errors"]}
        return features == {first, "no such feature"}

    return request("bad row", "POST /predict", 422, is_right, body, JSON)


def request(
    kind: str,
    line: str,
    status: int,
    is_right: Callable[[bytes], bool],
    body: bytes = b"",
    content_type: str = "",
    accept: str = "*/*",
) -> Request:
    """Return a request. An answer with the same bytes as a right one is not parsed again."""
    known: set[bytes] = set()

    def is_known_or_right(text: bytes) -> bool:
        if text in known:
            return True
        try:
            right = is_right(text)
        except (ValueError, KeyError, TypeError):
            return False
        if right and len(known) < MAX_KNOWN_ANSWERS:
            known.add(text)
        return right

    head = [f"{line} HTTP/1.1", "Host: localhost", f"Accept: {accept}"]
    if body:
        head += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    content = "\r\n".join([*head, "", ""]).encode() + body
    return Request(kind, content, status, is_known_or_right)


PAGE = request("page", "GET /", 200, lambda text: b"</form>" in text, accept="text/html")
HEALTH = request("health", "GET /health", 200, lambda text: json.loads(text)["status"] == "ok")
METRICS = Request(
    "metrics",
    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
    200,
    lambda text: b"\nmodel_ready 1\n" in text and text.endswith(b"\n"),
)


def cell_text(value: Any) -> str:
    """Return a value of a row as the text of a CSV cell or a form field."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def contains(found: Any, expected: Any) -> bool:
    """Return whether an answer has all expected members; it can have more, such as labels."""
    if isinstance(expected, Mapping):
        return isinstance(found, Mapping) and all(
            name in found and contains(found[name], value) for name, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(found, list)
            and len(found) == len(expected)
            and all(map(contains, found, expected))
        )
    if isinstance(expected, float):
        is_number = isinstance(found, (int, float))
        return is_number and math.isclose(expected, found, rel_tol=1e-9, abs_tol=1e-12)
    return bool(expected == found)


def has_cells(cells: Mapping[str, str], expected: Mapping[str, Any]) -> bool:
    """Return whether a row of the CSV has the expected prediction and probabilities."""
    probabilities = expected.get("probabilities", {})
    columns = {f"probability_{name}": value for name, value in probabilities.items()}
    return all(
        contains(json.loads(cells[name]), value)
        if isinstance(value, float)
        else cells[name] == cell_text(value)
        for name, value in {"prediction": expected["prediction"], **columns}.items()
    )
