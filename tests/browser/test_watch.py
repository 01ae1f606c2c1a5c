"""Watch records each kind of problem."""

from __future__ import annotations

import pytest
from browser.watch import Watch
from playwright.sync_api import Browser, Route

ORIGIN = "http://127.0.0.1:9"
CSP = "default-src 'self'; frame-ancestors 'none'"


FILES = {
    "/warns.js": "console.warn('careful')",
    "/fails.js": "throw new Error('broken')",
}


def answer(route: Route, body: str) -> None:
    path = route.request.url.removeprefix(ORIGIN)
    if path == "/":
        page = f"<!doctype html><title>A page</title>{body}"
        headers = {"Content-Type": "text/html", "Content-Security-Policy": CSP}
        route.fulfill(body=page, headers=headers)
    elif path in FILES:
        route.fulfill(body=FILES[path], content_type="text/javascript")
    else:
        route.fulfill(status=404)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("<script>document.title = 'x'</script>", "CSP: script-src-elem blocked inline"),
        ("<p onclick='alert(1)'>", "CSP: script-src-attr blocked inline"),
        ("<p style='color: red'>", "CSP: style-src-attr blocked inline"),
        ("<img src='http://example.org/a.png'>", "request to another host: http://example.org"),
        ("<img src='/missing.png'>", "error: Failed to load resource"),
        ("<script src='/warns.js'></script>", "warning: careful"),
        ("<script src='/fails.js'></script>", "exception: broken"),
    ],
)
def test_a_problem_of_a_page_is_recorded(browser: Browser, body: str, problem: str) -> None:
    watch = Watch()
    with browser.new_context() as context:
        watch.follow(context, ORIGIN)
        context.route(f"{ORIGIN}/*", lambda route: answer(route, body))
        context.new_page().goto(f"{ORIGIN}/")
    assert [p for p in watch.problems() if problem in p], watch.problems()
    watch.expect(problem)
    assert not [p for p in watch.problems() if problem in p]


def test_an_expected_problem_must_occur() -> None:
    watch = Watch()
    watch.expect("status of 422")
    assert watch.problems() == ["expected, but not seen: status of 422"]
