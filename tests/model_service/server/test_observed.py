"""Log and metrics of two workers, under gunicorn as Heroku runs it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

import pytest
from conftest import EXAMPLE, SRC, TEMPLATE, environment
from prometheus_client.parser import text_string_to_metric_families
from running import free_port, until_listening

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux about the workers"),
]

TABLE = (EXAMPLE / "sample.csv").read_bytes()
MARKER = "Marker-9173"
REQUEST = re.compile(
    r'level=info method=[A-Z]+ path=([^\s"]+|"([^"\\]|\\.)*") status=\d{3} ms=\d+\.\d rows=\d+ '
    r"request_id=[0-9a-f]{32} model_version=1"
)


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[str]
    port: int
    log: Future[list[str]]

    def workers(self) -> list[int]:
        pid = self.process.pid
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def both(self, but: int = 0) -> list[int]:
        """Return two workers, when they are there and a killed one is not."""
        deadline = time.monotonic() + 60
        while len(found := self.workers()) < 2 or but in found:
            assert time.monotonic() < deadline
            self.ask("/features")
        return found

    def ask(self, path: str, body: bytes | None = None) -> bytes:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        method, headers = ("POST", {"Content-Type": "text/csv"}) if body else ("GET", {})
        connection.request(method, path, body, headers)
        with connection.getresponse() as response:
            assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-ID"])
            text = response.read()
        connection.close()
        return text

    def counted(self, name: str, **labels: str) -> float:
        text = self.ask("/metrics").decode()
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    @contextmanager
    def only(self, worker: int) -> Iterator[None]:
        """Let no other worker answer."""
        others = [pid for pid in self.workers() if pid != worker]
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
            until_stopped(pid)
        try:
            yield
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)

    def stopped(self) -> tuple[list[str], str]:
        """Stop it, and return the lines of its log and what gunicorn says of itself."""
        self.process.terminate()
        assert self.process.wait(timeout=30) == 0
        assert self.process.stderr is not None
        return self.log.result(), self.process.stderr.read()


def until_stopped(pid: int) -> None:
    """Wait until the last thread stands still: each stops when it is next on a core."""
    deadline = time.monotonic() + 60
    states = {""}
    while not states <= {"T"}:
        assert time.monotonic() < deadline
        states = set()
        for task in Path(f"/proc/{pid}/task").glob("*/stat"):
            with suppress(FileNotFoundError):  # it has just ended
                states.add(task.read_text().rpartition(")")[2].split()[0])


@pytest.fixture
def server(loan: Path) -> Iterator[Server]:
    port = free_port()
    heroku = {"WEB_CONCURRENCY": "2", "GUNICORN_CMD_ARGS": "--access-logfile -"}
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py"],
        cwd=TEMPLATE,
        env=environment(
            PYTHONPATH=str(SRC), MODEL_DIR=str(loan / "model"), PORT=str(port), **heroku
        ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process, ThreadPoolExecutor(1) as reader:
        try:
            until_listening(process, port)
            assert process.stdout is not None
            yield Server(process, port, reader.submit(process.stdout.readlines))
        finally:
            process.kill()


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO"])
def test_no_header_changes_the_path(server: Server, name: str) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", "/health", headers={name: "/features"})
    with connection.getresponse() as response:
        assert (response.status, response.read()) == (200, b'{"status":"ok"}\n')
    connection.close()


def test_the_counters_of_a_killed_worker_are_kept(server: Server) -> None:
    health = {"route": "/health", "method": "GET", "status": "200"}
    server.ask("/health")
    first, second = server.both()
    for worker, times in ((first, 5), (second, 7)):
        with server.only(worker):
            for _ in range(times):
                server.ask("/health")
            server.ask("/predict", TABLE)
    assert server.counted("http_requests_total", **health) == 13
    os.kill(first, signal.SIGKILL)
    (new,) = {*server.both(but=first)} - {second}
    with server.only(new):
        for _ in range(3):
            server.ask("/health")
        assert server.counted("http_requests_total", **health) == 16
        assert server.counted("model_rows_total") == 2 * (len(TABLE.splitlines()) - 1)
        assert server.counted("model_predictions_total") == server.counted("model_rows_total")
        assert server.counted("model_info", version="1") == server.counted("model_ready") == 1


def test_each_of_many_concurrent_requests_has_one_complete_line(server: Server) -> None:
    # As long as gunicorn takes them and the log writes them: a pipe takes no more in one piece.
    paths = [f"/{quote(chr(0x1F600))}" * 24 + f"/{quote(chr(10))}{n}" for n in range(16)]
    paths += ["/health?key=" + MARKER, "/features", "/static/style.css"]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(server.ask, paths * 20))
        list(pool.map(lambda _: server.ask("/predict?on_error=keep", TABLE), range(8)))
    log, _ = server.stopped()
    requests = [line for line in log if " method=" in line]
    assert len(requests) == len(paths) * 20 + 8
    assert [line for line in requests if not REQUEST.fullmatch(line[:-1])] == []
    assert all(line.startswith("level=warning logger=") for line in {*log} - {*requests})
    assert sum("path=/predict status=200" in line and "rows=500" in line for line in requests) == 8
    assert MARKER not in "".join(log)


@pytest.mark.parametrize(
    "request_",
    [
        f"GET /?key={MARKER} HTTP/9\r\n\r\n",
        f"GET /{MARKER * 1000} HTTP/1.1\r\n\r\n",
        f"GET / HTTP/1.1\r\n{MARKER} : 1\r\n\r\n",
        f"GET /?{MARKER} HTTP/1.1\r\nTransfer-Encoding: {MARKER}\r\n\r\n",
    ],
)
def test_only_the_reason_of_an_invalid_request_is_logged(server: Server, request_: str) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(request_.encode())
        assert connection.recv(20).startswith(b"HTTP/1.")
    log, err = server.stopped()
    (told,) = [line for line in err.splitlines() if "WARNING" in line]
    assert re.search(r"\[WARNING\] Invalid request: [A-Za-z/-][A-Za-z/ .0-9-]+$", told)
    assert MARKER not in "".join(log) + err
    assert "127.0.0.1" not in "".join(log) + told
