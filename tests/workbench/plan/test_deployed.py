"""The measurement of a deployed service, against a stand-in."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from workbench.errors import UserError
from workbench.plan.deployed import measure_deployed


class Handler(http.server.BaseHTTPRequestHandler):
    """Answer `/health`, and predictions with the status that the key or the body names."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(200 if self.path == "/health" else 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        known = self.headers["Authorization"] == "Bearer good"
        self._answer(int(body) if known and self.path == "/predict" else 401)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("path", ["", "/", "/predict"])
def test_a_service_is_measured(url: str, path: str) -> None:
    found = measure_deployed(url + path, "good", [b"200"], pause=0, seconds=0.05)
    assert len(found.alone) == 20
    assert found.network > 0
    assert found.throughput > 0


@pytest.mark.parametrize(
    ("key", "body", "message"),
    [
        (None, b"200", "answers 401; give a key"),
        ("bad", b"200", "answers 401; give a key"),
        ("good", b"429", "answers 429; unset REQUESTS_PER_MINUTE"),
        ("good", b"500", "answers 500; make smoke"),
        ("good", b"520", "answers 520; make smoke"),  # Cloudflare's: Python has no name for it
    ],
)
def test_a_service_that_does_not_predict_is_said(
    key: str | None, body: bytes, message: str, url: str
) -> None:
    with pytest.raises(UserError, match=message):
        measure_deployed(url, key, [body], pause=0, seconds=0.05)


@pytest.mark.parametrize(
    ("url", "message"),
    [("my-app", "is no address"), ("http://127.0.0.1:9", "cannot be asked")],
)
def test_an_address_without_a_service_is_said(url: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        measure_deployed(url, None, [b"200"], pause=0, seconds=0.05)
