"""The API documentation page: requests for this model, and nothing from another host."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from flask.testing import FlaskClient

from model_service.contract import snippets
from model_service.model.model import Model

TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


class Page(HTMLParser):
    """The code blocks, asset URLs and links of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.codes: list[str] = []
        self.assets: list[str] = []
        self.links: list[str] = []
        self._tag = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        urls = [attributes[name] or "" for name in ("href", "src") if name in attributes]
        (self.links if tag == "a" else self.assets).extend(urls)
        self._tag = tag

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag == "code":
            self.codes.append(data)


@pytest.mark.parametrize("base_url", ["http://localhost", "https://app.example:8443"])
def test_the_requests_have_the_base_url_of_the_page(
    client: FlaskClient, model: Model, base_url: str
) -> None:
    response = client.get("/docs", base_url=base_url)
    assert response.status_code == 200
    assert response.mimetype == "text/html"
    url, row = f"{base_url}/predict", model.manifest.example()
    shown = Page(response.text).codes
    for snippet in (snippets.curl, snippets.python, snippets.javascript):
        assert snippet(url, row) in shown
        assert snippet(url, {"rows": [row, model.manifest.example(1)]}) in shown


def test_behind_the_router_the_requests_use_https(client: FlaskClient) -> None:
    text = client.get("/docs", headers={"X-Forwarded-Proto": "https"}).text
    assert "https://localhost/predict" in text
    assert "http://localhost/predict" not in text


def test_the_page_loads_nothing_from_another_host(client: FlaskClient) -> None:
    page = Page(client.get("/docs").text)
    assert len(page.assets) >= 5
    for url in page.assets + page.links:
        assert url.startswith(("/", "#")), url
        assert not url.startswith("//"), url
    for url in page.assets:
        response = client.get(url, buffered=True)
        assert response.status_code == 200, url
        assert response.mimetype == TYPES[url.rpartition(".")[2]]


def test_other_files_of_the_swagger_ui_package_are_not_served(client: FlaskClient) -> None:
    for name in ("index.css", "oauth2-redirect.html", "../__init__.py", "nothing"):
        assert client.get(f"/docs/{name}").status_code == 404
