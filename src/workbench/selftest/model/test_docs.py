"""The page of the API: requests of this model, and nothing from another host."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from flask.testing import FlaskClient

from model_service.contract import snippets
from model_service.model.model import Model

TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


class Page(HTMLParser):
    """What a page shows as code, and the addresses in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.codes: list[str] = []
        self.assets: list[str] = []
        self.links: list[str] = []
        self._tag = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        addresses = [given[name] or "" for name in ("href", "src") if name in given]
        (self.links if tag == "a" else self.assets).extend(addresses)
        self._tag = tag

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag == "code":
            self.codes.append(data)


@pytest.mark.parametrize("address", ["http://localhost", "https://app.example:8443"])
def test_the_page_has_requests_for_the_address_it_was_asked_under(
    client: FlaskClient, model: Model, address: str
) -> None:
    response = client.get("/docs", base_url=address)
    assert response.status_code == 200
    assert response.mimetype == "text/html"
    url, row = f"{address}/predict", model.manifest.example()
    shown = Page(response.text).codes
    for write in (snippets.curl, snippets.python, snippets.javascript):
        assert write(url, row) in shown
        assert write(url, {"rows": [row, model.manifest.example(1)]}) in shown


def test_behind_the_router_the_address_is_the_callers(client: FlaskClient) -> None:
    text = client.get("/docs", headers={"X-Forwarded-Proto": "https"}).text
    assert "https://localhost/predict" in text
    assert "http://localhost/predict" not in text


def test_all_that_the_page_needs_is_served_here(client: FlaskClient) -> None:
    page = Page(client.get("/docs").text)
    assert len(page.assets) >= 5
    for address in page.assets + page.links:
        assert address.startswith(("/", "#")), address
        assert not address.startswith("//"), address
    for address in page.assets:
        response = client.get(address, buffered=True)
        assert response.status_code == 200, address
        assert response.mimetype == TYPES[address.rpartition(".")[2]]


def test_of_the_viewers_package_nothing_else_is_served(client: FlaskClient) -> None:
    for name in ("index.css", "oauth2-redirect.html", "../__init__.py", "nothing"):
        assert client.get(f"/docs/{name}").status_code == 404
