"""The client of the measurement, against a small server that answers at once."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator

import pytest

from workbench.plan.load import LoadError, closed_loop, http_request, one_by_one

ANSWER = b"HTTP/1.1 %d X\r\ncontent-length: 2\r\n\r\n{}"


class Handler(socketserver.StreamRequestHandler):
    """Answer with the status in the body of each request; 0 closes the connection."""

    def handle(self) -> None:
        while line := self.rfile.readline():
            length = 0
            while line := self.rfile.readline().strip().lower():
                name, _, value = line.partition(b":")
                length = int(value) if name == b"content-length" else length
            if not (status := int(self.rfile.read(length))):
                return
            self.wfile.write(ANSWER % status)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Print nothing about a caller that has closed its connection."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


def test_one_request_follows_the_other(port: int) -> None:
    requests = [http_request("/predict", body) for body in (b"200", b"503")]
    responses = list(one_by_one(port, requests, [0.0] * 50))
    assert [response.status for response in responses] == [200, 503] * 25
    assert all(response.seconds > 0 for response in responses)


@pytest.mark.parametrize(("body", "problem"), [(b"200", None), (b"429", 429)])
def test_callers_ask_until_the_end(port: int, body: bytes, problem: int | None) -> None:
    periods = [0.05, 0.02]
    found = list(closed_loop(port, [http_request("/predict", body)], callers=4, periods=periods))
    assert [one.problem for one in found] == [problem, problem]
    assert all(one.responses > 0 for one in found)
    assert sum(one.seconds for one in found) >= sum(periods)


def test_a_closed_connection_is_an_error(port: int) -> None:
    with pytest.raises(LoadError, match="closed a connection"):
        list(one_by_one(port, [http_request("/", b"0")], [0.0]))
