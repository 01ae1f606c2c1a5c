"""Readers of the service's answers: problems, pages and metrics."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse


def problem(response: TestResponse, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.mimetype == "application/problem+json"
    document = response.json
    assert isinstance(document, dict)
    assert document["status"] == status
    assert document["title"]
    return document


class Elements(HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def named(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag in tags]


def page(response: TestResponse, status: int = 200) -> str:
    assert response.status_code == status, response.text
    assert response.mimetype == "text/html"
    return response.text


SAMPLE = re.compile(
    r'(?P<name>[a-z_]+)(\{(?P<labels>([a-z_0-9]+="([^"\\\n]|\\.)*",?)+)\})? (?P<value>\S+)'
)


LABEL = re.compile(r'([a-z_0-9]+)="((?:[^"\\\n]|\\.)*)"')


Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(client: FlaskClient) -> Samples:
    """Return the samples by name and labels."""
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response.content_type == "text/plain; version=0.0.4; charset=utf-8"
    found: Samples = {}
    for line in response.text.split("\n")[:-1]:
        if not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            assert match, line
            labels = LABEL.findall(match["labels"] or "")
            key = (match["name"], frozenset((n, unescaped(text)) for n, text in labels))
            assert key not in found
            found[key] = float(match["value"])
    return found


def unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], text)


def value(found: Samples, name: str, /, **labels: str) -> float:
    return found.get((name, frozenset(labels.items())), 0)
