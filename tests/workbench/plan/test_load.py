"""The client of the measurement, against a small server that answers at once."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator

import pytest

from workbench.plan.load import LoadError, closed_loop, http_request, moments, open_loop

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


def test_planned_requests_are_all_answered(port: int) -> None:
    requests = [http_request("/predict", body) for body in (b"200", b"503")]
    responses = open_loop(port, requests, moments(1000, 50))
    assert sorted(response.status for response in responses) == [200] * 25 + [503] * 25
    assert all(response.seconds > 0 for response in responses)


def test_more_requests_than_connections_wait_for_one(port: int) -> None:
    assert len(open_loop(port, [http_request("/", b"200")], [0.0] * 100)) == 100


@pytest.mark.parametrize(("body", "problem"), [(b"200", None), (b"429", 429)])
def test_callers_ask_until_the_end(port: int, body: bytes, problem: int | None) -> None:
    found = closed_loop(port, [http_request("/predict", body)], callers=4, seconds=0.05)
    assert found.responses > 0
    assert found.seconds >= 0.05
    assert found.problem == problem


def test_a_closed_connection_is_an_error(port: int) -> None:
    with pytest.raises(LoadError, match="closed a connection"):
        open_loop(port, [http_request("/", b"0")], [0.0])


def test_moments_have_the_mean_rate_and_the_same_seed_the_same_ones() -> None:
    planned = moments(50, 10_000)
    assert planned[-1] == pytest.approx(200, rel=0.03)
    assert list(planned) == sorted(planned)
    assert planned == moments(50, 10_000)
