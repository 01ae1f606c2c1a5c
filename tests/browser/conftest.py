"""Fixtures that open pages of the running service in Chromium, for the models of models.py.

    def test_something(served: Served, visit: Visit) -> None:
        page = visit(served, "/", width=390, dark=True)         # for each model

    @pytest.mark.parametrize("served", ["loan", "iris"], indirect=True)
    def test_something_else(served: Served, visit: Visit) -> None:
        page = visit(served, "/", javascript=False)             # for these models

`served.url` is the service's URL, `served.model` has the estimator and rows to compare with.
`visit` opens a page in a new browser context and returns Playwright's `Page`, whose `goto` accepts
a path. `axe(page)` of axe.py returns accessibility problems.

A test also fails if a page logs an error or a warning, raises an exception, violates the CSP or
sends a request to another host. A test that provokes such a message calls, for example,
`watch.expect("status of 422")`, and then fails if it does not occur. All tests here are slow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol

import pytest
from browser import chromium
from browser.models import MODELS
from browser.serving import Served, start, stop
from browser.watch import Watch
from playwright.sync_api import Browser, Page, expect, sync_playwright
from threadpoolctl import threadpool_limits

HERE = Path(__file__).parent
MAX_PHONE_WIDTH = 600
TIMEOUT_MS = 15_000
# Requests to other hosts fail immediately instead of timing out.
NO_OTHER_HOST = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", type=Path, metavar="FOLDER", help="see screenshots.py")


@pytest.hookimpl(tryfirst=True)  # before -m "not slow" is applied
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.slow)


Serve = Callable[[str], Served]


class Visit(Protocol):
    """Open a page of a service in a new browser context."""

    def __call__(
        self,
        served: Served,
        path: str = "/",
        *,
        width: int = 1280,
        dark: bool = False,
        javascript: bool = True,
    ) -> Page: ...


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Start the service of a model by name; it runs until the end of the session."""
    running: dict[str, Served] = {}

    def serve(name: str) -> Served:
        if name not in running:
            with threadpool_limits(1):  # more threads are slower with small models
                model = MODELS[name](tmp_path_factory.mktemp(name))
            running[name] = start(model)
        return running[name]

    yield serve
    for service in running.values():
        stop(service)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = chromium.find(playwright)
        with closing(
            playwright.chromium.launch(executable_path=path, args=[NO_OTHER_HOST])
        ) as chromium_browser:
            yield chromium_browser


@pytest.fixture(params=MODELS)
def served(request: pytest.FixtureRequest, serve: Serve) -> Served:
    """A running service: of each model, or of those in an indirect parametrization."""
    return serve(request.param)


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    assert watch.problems() == []


@pytest.fixture
def visit(browser: Browser, watch: Watch) -> Iterator[Visit]:
    with ExitStack() as contexts:

        def visit(
            served: Served,
            path: str = "/",
            *,
            width: int = 1280,
            dark: bool = False,
            javascript: bool = True,
        ) -> Page:
            context = browser.new_context(
                base_url=served.url,
                viewport={"width": width, "height": 844},
                is_mobile=width <= MAX_PHONE_WIDTH,  # uses the page's viewport declaration
                color_scheme="dark" if dark else "light",
                reduced_motion="reduce",
                java_script_enabled=javascript,
                locale="en-GB",
            )
            contexts.enter_context(closing(context))
            context.set_default_timeout(TIMEOUT_MS)
            watch.follow(context, served.url)
            page = context.new_page()
            page.goto(path)
            expect(page.locator(".waiting")).to_have_count(0)  # until the first prediction is shown
            return page

        yield visit
