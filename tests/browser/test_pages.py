"""Every page of every model: no problems, accessible, small, and no wider than a phone."""

from __future__ import annotations

from urllib.parse import urljoin

import pytest
from browser.axe import axe
from browser.conftest import Visit
from browser.models import MODELS
from browser.serving import Served

PAGES = {"form": "/", "answer": "/?example=1", "card": "/model", "docs": "/docs"}
# The bytes that a page loads, uncompressed. Not for /docs: Swagger UI is larger.
SMALL_PAGES, MAX_BYTES = ("/", "/model"), 150_000

BYTES = "performance.getEntries().reduce((sum, entry) => sum + (entry.decodedBodySize ?? 0), 0)"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

every_page = pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)


@pytest.mark.parametrize("path", SMALL_PAGES)
def test_a_page_is_small(served: Served, path: str, visit: Visit) -> None:
    bytes_loaded = visit(served, path).evaluate(BYTES)
    assert bytes_loaded < MAX_BYTES


@every_page
def test_a_page_has_a_title_and_an_icon(served: Served, path: str, visit: Visit) -> None:
    page = visit(served, path)
    assert served.model.title in page.title()
    icon = page.request.get(urljoin(page.url, page.get_attribute("link[rel=icon]", "href")))
    assert icon.ok
    assert icon.headers["content-type"].startswith("image/")


@pytest.mark.parametrize("width", [390, 1280])
@every_page
@pytest.mark.parametrize("served", [name for name in MODELS if name != "wide-1000"], indirect=True)
def test_a_page_is_accessible_and_fits_the_window(
    served: Served, path: str, width: int, visit: Visit
) -> None:
    """Not for wide-1000, whose pages are like those of wide-200 and take axe half a minute."""
    page = visit(served, path, width=width)
    assert page.evaluate(OVERFLOW) == 0
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert axe(page) == [], scheme


@every_page
def test_a_page_is_shown_without_javascript(served: Served, path: str, visit: Visit) -> None:
    page = visit(served, path, javascript=False)
    assert page.get_by_role("heading", level=1).is_visible()
