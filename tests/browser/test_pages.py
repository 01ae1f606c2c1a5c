"""Every page of every model: quiet, accessible, light, and no wider than a phone."""

from __future__ import annotations

from urllib.parse import urljoin

import pytest
from browser.axe import axe
from browser.conftest import Visit
from browser.serving import Served

PAGES = {"form": "/", "answer": "/?example=1", "card": "/model"}
MOST_BYTES = 150_000  # of a page and all that it loads first, uncompressed

BYTES = """performance.getEntries().reduce((sum, entry) => sum + (entry.decodedBodySize ?? 0), 0)"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


every_page = pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)


@every_page
def test_a_page_is_titled_and_light(served: Served, path: str, visit: Visit) -> None:
    page = visit(served, path)
    assert served.model.title in page.title()
    icon = page.request.get(urljoin(page.url, page.get_attribute("link[rel=icon]", "href")))
    assert icon.ok
    assert icon.headers["content-type"].startswith("image/")
    assert page.evaluate(BYTES) + len(icon.body()) < MOST_BYTES


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
def test_a_page_needs_no_javascript(served: Served, path: str, visit: Visit) -> None:
    assert visit(served, path, javascript=False).title() == visit(served, path).title()
