"""What the soak asks: rows, batches, files, the form, bad rows, and what monitors ask."""

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
# Of a hundred requests. The single ones are spread over all rows.
PARTS = {
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
# Of the answers of one request that were found to be right; they differ in the last bits.
MOST_KNOWN = 100
ANSWER = re.compile(r'data-answer="([^"]*)"')


def recorded(project: Path) -> tuple[list[dict[str, Any]], list[Any]]:
    """Return the rows and predictions that were recorded when the project was verified."""
    golden = json.loads((project / "model" / "golden.json").read_text(encoding="utf-8"))
    return golden["rows"], golden["predictions"]


def mixed(rows: Sequence[Mapping[str, Any]], predictions: Sequence[Any]) -> list[Request]:
    """Return requests for rows and what must be predicted for them, in a mixed order."""
    requests = [
        request
        for kind, count in PARTS.items()
        for request in _of(kind, count * len(rows), rows, predictions)
    ]
    Random(SEED).shuffle(requests)
    return requests


def _of(
    kind: str, count: int, rows: Sequence[Mapping[str, Any]], predictions: Sequence[Any]
) -> list[Request]:
    """Return so many requests of a kind; those of the same row are the same object."""
    if kind in ("row", "form", "bad row"):
        make = {"row": row_request, "form": form_request, "bad row": bad_request}[kind]
        each = [make(row, answer) for row, answer in zip(rows, predictions, strict=True)]
        return [each[number % len(each)] for number in range(count)]
    if kind in ("batch", "csv"):
        make_all = {"batch": batch_request, "csv": csv_request}[kind]
        return [make_all(rows, predictions)] * count
    return [{"page": PAGE, "metrics": METRICS, "health": HEALTH}[kind]] * count


def row_request(row: Mapping[str, Any], expected: Any) -> Request:
    """Ask for one row."""
    body = json.dumps(row).encode()
    return request(
        "row", "POST /predict", 200, lambda text: same(expected, json.loads(text)), body, JSON
    )


def batch_request(rows: Sequence[Mapping[str, Any]], expected: Sequence[Any]) -> Request:
    """Ask for all rows at once."""
    body = json.dumps({"rows": rows}).encode()

    def is_right(text: bytes) -> bool:
        return same(list(expected), json.loads(text)["predictions"])

    return request("batch", "POST /predict", 200, is_right, body, JSON)


def csv_request(rows: Sequence[Mapping[str, Any]], expected: Sequence[Any]) -> Request:
    """Send all rows as a file."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerows([list(rows[0]), *([text_of(value) for value in row.values()] for row in rows)])

    def is_right(text: bytes) -> bool:
        found = list(csv.DictReader(io.StringIO(text.decode(), newline="")))
        return len(found) == len(expected) and all(map(same_cells, expected, found))

    return request("csv", "POST /predict", 200, is_right, file.getvalue().encode(), CSV)


def form_request(row: Mapping[str, Any], expected: Any) -> Request:
    """Send the form as a browser without scripts does."""
    body = urlencode({name: text_of(value) for name, value in row.items()}).encode()

    def is_right(text: bytes) -> bool:
        found = ANSWER.search(text.decode())
        return found is not None and same(expected, json.loads(html.unescape(found[1])))

    return request("form", "POST /", 200, is_right, body, FORM, accept="text/html")


def bad_request(row: Mapping[str, Any], _: Any) -> Request:
    """Ask for a row without its first feature, and with one that does not exist."""
    (first, _), *others = row.items()
    body = json.dumps({**dict(others), "no such feature": 1}).encode()

    def is_right(text: bytes) -> bool:
        named = {error["feature"] for error in json.loads(text)["errors"]}
        return named == {first, "no such feature"}

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
    """Make a request whose answers are read once: most are the same bytes again."""
    known: set[bytes] = set()

    def is_known_or_right(text: bytes) -> bool:
        if text in known:
            return True
        try:
            right = is_right(text)
        except (ValueError, KeyError, TypeError):
            return False
        if right and len(known) < MOST_KNOWN:
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


def text_of(value: Any) -> str:
    """Return a value of a row as a file or a form has it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def same(expected: Any, found: Any) -> bool:
    """Tell whether an answer has what was recorded; it may have more, such as the labels."""
    if isinstance(expected, Mapping):
        return isinstance(found, Mapping) and all(
            name in found and same(value, found[name]) for name, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(found, list)
            and len(found) == len(expected)
            and all(map(same, expected, found))
        )
    if isinstance(expected, float):
        number = isinstance(found, (int, float))
        return number and math.isclose(expected, found, rel_tol=1e-9, abs_tol=1e-12)
    return bool(expected == found)


def same_cells(expected: Mapping[str, Any], cells: Mapping[str, str]) -> bool:
    """Tell whether a line of the file has the prediction and the probabilities of its row."""
    probabilities = expected.get("probabilities", {})
    columns = {f"probability_{name}": value for name, value in probabilities.items()}
    return all(
        same(value, json.loads(cells[name]))
        if isinstance(value, float)
        else cells[name] == text_of(value)
        for name, value in {"prediction": expected["prediction"], **columns}.items()
    )
