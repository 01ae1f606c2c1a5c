"""The API documentation page: Swagger UI sends requests, under the CSP and to no other host."""

from __future__ import annotations

import pytest
from browser.axe import axe
from browser.conftest import Visit
from browser.serving import Served


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("served", ["loan", "hostile"], indirect=True)
def test_the_page_is_accessible_and_fits_the_window(
    served: Served, visit: Visit, width: int, dark: bool
) -> None:
    page = visit(served, "/docs", width=width, dark=dark)
    page.get_by_role("button", name="Predict one row").click()
    page.get_by_role("button", name="Execute").wait_for()
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("kind", ["row", "rows", "text/csv"])
@pytest.mark.parametrize("served", ["loan", "booking", "wide-1000", "hostile"], indirect=True)
def test_each_example_gets_an_answer(served: Served, visit: Visit, kind: str) -> None:
    if served.model.name == "hostile" and kind != "text/csv":
        pytest.skip("Swagger UI loses a feature that is called __proto__")
    page = visit(served, "/docs")
    page.get_by_role("button", name="Predict one row").click()
    choice = "Request content type" if kind == "text/csv" else "Example"
    page.get_by_role("combobox", name=choice).select_option(kind)
    with page.expect_response("**/predict*") as response:
        page.get_by_role("button", name="Execute").click()
    assert response.value.status == 200, response.value.text()
    page.locator(".live-responses-table").wait_for()
    assert axe(page) == []


@pytest.mark.parametrize("served", ["hostile"], indirect=True)
def test_markup_in_the_schema_is_shown_as_text(served: Served, visit: Visit) -> None:
    page = visit(served, "/docs")
    title = page.title()
    page.get_by_role("button", name="Predict one row").click()
    page.get_by_role("tab", name="Schema").first.click()
    page.get_by_role("button", name="Expand all").first.click()
    page.get_by_text("日本").first.wait_for()
    assert page.title() == title


@pytest.mark.parametrize("served", ["loan"], indirect=True)
def test_the_copy_button_copies_a_request(served: Served, visit: Visit) -> None:
    page = visit(served, "/docs")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").first.click()
    page.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator(".request").first.text_content()
    assert copied.startswith(f"curl {served.url}/predict ")


@pytest.mark.parametrize("served", ["loan"], indirect=True)
def test_without_javascript_the_requests_are_shown(served: Served, visit: Visit) -> None:
    page = visit(served, "/docs", javascript=False)
    assert page.locator(".request").count() == 9
    page.get_by_text("JavaScript", exact=True).first.click()
    assert page.get_by_text("await fetch").first.is_visible()
