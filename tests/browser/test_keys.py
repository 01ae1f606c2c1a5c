"""A service with API keys: one sign-in opens all pages, until the sign-out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser.axe import axe
from browser.conftest import Serve, Visit
from browser.serving import Served, start, stop
from browser.watch import Watch
from playwright.sync_api import Page, expect

KEY = "the-key-of-this-test"
UNAUTHORIZED = "status of 401"


@pytest.fixture(scope="module")
def served_with_keys(serve: Serve) -> Iterator[Served]:
    served = start(serve("loan").model, API_KEYS=hashlib.sha256(KEY.encode()).hexdigest())
    yield served
    stop(served)


def sign_in(page: Page, key: str = KEY) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()


def test_all_pages_work_from_sign_in_to_sign_out(
    served_with_keys: Served, visit: Visit, watch: Watch, tmp_path: Path
) -> None:
    watch.expect(UNAUTHORIZED)
    page = visit(served_with_keys)
    expect(page.get_by_role("heading", name="An API key is needed")).to_be_visible()
    assert served_with_keys.model.title not in page.content()
    assert axe(page) == []
    sign_in(page, "another-key")
    expect(page.get_by_role("heading", name="This API key is not valid")).to_be_visible()
    sign_in(page)

    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#plot svg")).to_be_visible()  # needs /features and /predict
    expect(page.locator(".waiting")).to_have_count(0)
    expect(page.locator("#verdict")).to_be_in_viewport()
    assert axe(page) == []
    path = tmp_path / "rows.csv"
    served_with_keys.model.frame.head(20).to_csv(path, index=False)
    page.get_by_label("CSV file").set_input_files(path)
    page.get_by_role("button", name="Predict the file").click()
    expect(page.get_by_role("heading", name="20 rows")).to_be_visible()

    page.goto("/docs")
    page.get_by_role("button", name="Predict one row").click()
    with page.expect_response("**/predict*") as response:
        page.get_by_role("button", name="Execute").click()
    assert response.value.status == 200, response.value.text()

    assert page.evaluate("document.cookie") == ""
    assert KEY not in page.url
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="An API key is needed")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="An API key is needed")).to_be_visible()
    assert KEY not in served_with_keys.log.read_text()


@pytest.mark.parametrize("width", [390, 1280])
def test_without_javascript_sign_in_leads_to_the_requested_page(
    served_with_keys: Served, visit: Visit, watch: Watch, width: int
) -> None:
    watch.expect(UNAUTHORIZED)
    page = visit(served_with_keys, "/model", javascript=False, width=width)
    sign_in(page)
    expect(page).to_have_url(f"{served_with_keys.url}/model")
    expect(page.get_by_role("heading", name=served_with_keys.model.title).first).to_be_visible()
    page.get_by_role("link", name="Predict").click()
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#detail[data-answer]")).to_have_count(1)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_visible()


def test_a_page_without_its_cookie_says_what_to_do(
    served_with_keys: Served, visit: Visit, watch: Watch
) -> None:
    watch.expect(UNAUTHORIZED)
    page = visit(served_with_keys)
    sign_in(page)
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#verdict p").first).to_be_visible()
    page.context.clear_cookies()
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("A page asks for it after a reload")
    page.reload()
    expect(page.get_by_label("API key")).to_be_visible()


def test_a_link_from_another_site_does_not_ask_for_the_key_again(
    served_with_keys: Served, visit: Visit, watch: Watch
) -> None:
    watch.expect(UNAUTHORIZED)
    page = visit(served_with_keys)
    sign_in(page)
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#verdict p").first).to_be_visible()
    page.goto("about:blank")
    page.set_content(f'<a href="{served_with_keys.url}/model">There</a>')
    page.get_by_role("link", name="There").click()
    expect(page.get_by_role("heading", name=served_with_keys.model.title).first).to_be_visible()
