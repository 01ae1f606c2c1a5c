"""Errors, warnings, CSP violations and foreign requests of the pages that a test opens."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, ConsoleMessage, Request

# The browser does not log every violation, so this does.
REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) => console.error(
    `CSP: ${event.effectiveDirective} blocked ${event.blockedURI} ${event.sample}`
));
"""


class Watch:
    """Records the problems of pages, and which of them a test expects."""

    def __init__(self) -> None:
        self._seen: list[str] = []
        self._expected: list[str] = []

    def follow(self, context: BrowserContext, origin: str) -> None:
        """Record the problems of all pages of a browser context from now on."""

        def on_console(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                self._seen.append(f"{message.type}: {message.text} ({message.location['url']})")

        def on_request(request: Request) -> None:
            # data: and blob: URLs are read from the page itself.
            if not request.url.startswith((f"{origin}/", "data:", f"blob:{origin}/")):
                self._seen.append(f"request to another host: {request.url}")

        context.on("console", on_console)
        context.on("weberror", lambda error: self._seen.append(f"exception: {error.error}"))
        context.on("request", on_request)
        context.add_init_script(REPORT_VIOLATIONS)

    def expect(self, text: str) -> None:
        """Expect a problem with this text; if it does not occur, that is a problem."""
        self._expected.append(text)

    def problems(self) -> list[str]:
        """Return the problems that were not expected, and those that were but did not occur."""
        unexpected = [p for p in self._seen if not any(text in p for text in self._expected)]
        missing = [text for text in self._expected if not any(text in p for p in self._seen)]
        return [*unexpected, *(f"expected, but not seen: {text}" for text in missing)]
