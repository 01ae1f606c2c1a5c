"""What a browser complains of while a test drives it."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, ConsoleMessage, Request

# Not every violation is written to the console, so the event is.
REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) => console.error(
    `CSP: ${event.effectiveDirective} blocked ${event.blockedURI} ${event.sample}`
));
"""


class Watch:
    """Records errors and warnings of pages, violations of their CSP, and requests to others."""

    def __init__(self) -> None:
        self._seen: list[str] = []
        self._expected: list[str] = []

    def follow(self, context: BrowserContext, origin: str) -> None:
        """Record what all pages of a context do from now on."""

        def on_console(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                self._seen.append(f"{message.type}: {message.text} ({message.location['url']})")

        def on_request(request: Request) -> None:
            # The page itself holds what data: and blob: name; nothing is fetched for them.
            if not request.url.startswith((f"{origin}/", "data:", f"blob:{origin}/")):
                self._seen.append(f"request to another host: {request.url}")

        context.on("console", on_console)
        context.on("weberror", lambda error: self._seen.append(f"exception: {error.error}"))
        context.on("request", on_request)
        context.add_init_script(REPORT_VIOLATIONS)

    def expect(self, text: str) -> None:
        """Let a complaint with this text be; that there is none is a complaint then."""
        self._expected.append(text)

    def complaints(self) -> list[str]:
        """Return what was not expected, and what was and did not come."""
        stray = [c for c in self._seen if not any(text in c for text in self._expected)]
        absent = [text for text in self._expected if not any(text in c for c in self._seen)]
        return [*stray, *(f"expected, and not seen: {text}" for text in absent)]
