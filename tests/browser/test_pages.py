"""Every page of every model: quiet, accessible, light, and no wider than a phone."""

from __future__ import annotations

from urllib.parse import urljoin

import pytest
from browser.axe import axe
from browser.conftest import Visit
from browser.serving import Served

PAGES = {"form": "/", "answer": "/?example=1", "card": "/model"}
FIRST = [path for path in PAGES.values() if "?" not in path]
MOST_BYTES = 150_000  # of a page with all that it and its scripts load at once, uncompressed

BYTES = "performance.getEntries().reduce((sum, entry) => sum + (entry.decodedBodySize ?? 0), 0)"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

every_page = pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)


@pytest.mark.parametrize("path", FIRST)
def test_a_page_is_titled_and_light(served: Served, path: str, visit: Visit) -> None:
    page = visit(served, path)
    assert served.model.title in page.title()
    icon = page.request.get(urljoin(page.url, page.get_attribute("link[rel=icon]", "href")))
    assert icon.ok
    assert icon.headers["content-type"].startswith("image/")
    bytes_loaded = page.evaluate(BYTES)
    assert bytes_loaded < MOST_BYTES


@pytest.mark.parametrize("width", [390, 1280])
@every_page
def test_axe_finds_nothing_and_nothing_sticks_out(
    served: Served, path: str, width: int, visit: Visit
) -> None:
    page = visit(served, path, width=width)
    assert page.evaluate(OVERFLOW) == 0
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert axe(page) == [], scheme


@every_page
def test_a_page_is_there_without_javascript(served: Served, path: str, visit: Visit) -> None:
    page = visit(served, path, javascript=False)
    assert served.model.title in page.get_by_role("heading", level=1).inner_text()
