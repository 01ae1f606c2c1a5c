"""A full disk, a read-only file system, no home: the service answers all the same.

Each service has a mount namespace of its own, so that nothing else on the machine notices. Without
root that needs user namespaces, which some systems do not give.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import pytest
from conftest import EXAMPLE, SRC, TEMPLATE, environment
from running import free_port

NAMESPACE = ["unshare", "--mount", "--propagation", "private"]
if os.geteuid():
    NAMESPACE.insert(1, "--map-root-user")


def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    attempt = [*NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(attempt, capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_mount(), reason="needs Linux, and root or user namespaces"),
]

FORM = "application/x-www-form-urlencoded"
HEADER, *ROWS = (EXAMPLE / "sample.csv").read_bytes().splitlines(keepends=True)
# Rows: in memory; on the disk, as its answer is; for a disk of 4 MB too many.
SMALL, MIDDLE, LARGE = 500, 20_000, 100_000
# Where Python looks for a place for temporary files beside TMPDIR: all is one mount, or several.
DISK = ("/", "/tmp", "/var/tmp", str(TEMPLATE))


def read_only(*places: str) -> list[str]:
    return [f"mount --bind '{p}' '{p}' && mount -o remount,bind,ro '{p}'" for p in places]


def empty(place: str, size: str) -> str:
    return f"mount -t tmpfs -o size={size} none {place}"


def full(place: str) -> str:
    return f"{empty(place, '1m')} && ! dd if=/dev/zero of={place}/filler bs=4k 2>/dev/null"


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[bytes]
    port: int

    def workers(self) -> list[str]:
        pid = self.process.pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {"Content-Type": kind} if kind else {})
            with connection.getresponse() as response:
                return Answer(response.status, response.read(), response.headers["Retry-After"])
        finally:
            connection.close()

    def csv(self, rows: int) -> Answer:
        return self.ask("POST", "/predict", table(rows), "text/csv")

    def file(self, rows: int) -> Answer:
        """Send a file as a browser without scripts does."""
        part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        body = part + table(rows) + b"\r\n--x--\r\n"
        return self.ask("POST", "/file", body, "multipart/form-data; boundary=x")


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    retry_after: str | None


def table(rows: int) -> bytes:
    return HEADER + b"".join(ROWS * (rows // len(ROWS)))


@contextmanager
def gunicorn(model: Path, places: list[str], log: Path, **env: str | None) -> Iterator[Server]:
    """Run the service of the template folder; what is None in its environment is not set."""
    port = free_port()
    variables = {
        **environment(
            PYTHONPATH=str(SRC), MODEL_DIR=str(model), PORT=str(port), WEB_CONCURRENCY="2"
        ),
        **env,
    }
    script = " && ".join([*places, 'exec "$@"'])
    command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py"]
    with log.open("w+b") as output:
        process = subprocess.Popen(
            [*NAMESPACE, "sh", "-c", script, "sh", *command],
            cwd=TEMPLATE,
            env={name: value for name, value in variables.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        server = Server(process, port)
        try:
            until(lambda: server.listens() and len(server.workers()) == 2, log)
            yield server
        finally:
            process.terminate()
            process.wait(timeout=30)


def until(condition: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


PLACES: dict[str, tuple[list[str], dict[str, str | None]]] = {
    "no home": ([], {"HOME": None, "TMPDIR": None}),
    "home and TMPDIR are nowhere": ([], {"HOME": "/nowhere", "TMPDIR": "/nowhere"}),
    "the disk and the shared memory are full": (
        [*read_only(*DISK), full("$TMPDIR"), full("/dev/shm")],
        {"HOME": "/tmp"},
    ),
    "all is read-only but the shared memory": (read_only(*DISK), {}),
    "all is read-only but a full TMPDIR": (
        [*read_only(*DISK, "/dev/shm"), full("$TMPDIR")],
        {"HOME": None},
    ),
}


@pytest.mark.parametrize("places", PLACES)
def test_it_serves(loan: Path, tmp_path: Path, places: str) -> None:
    mounts, env = PLACES[places]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    env = {"TMPDIR": str(temporary), **env}
    with gunicorn(loan / "model", mounts, tmp_path / "log", **env) as server:
        for path in ("/health", "/ready", "/", "/model", "/docs", "/metrics"):
            assert server.ask("GET", path).status == 200, path
        features = json.loads(server.ask("GET", "/features").body)["features"]
        row = {feature["name"]: feature["default"] for feature in features}
        answer = server.ask("POST", "/predict", json.dumps(row).encode(), "application/json")
        assert json.loads(answer.body)["prediction"] == "Y"
        assert server.ask("POST", "/", urlencode(row).encode(), FORM).status == 200
        for rows in (SMALL, LARGE):
            for answer in (server.csv(rows), server.file(rows)):
                assert (answer.status, answer.body.count(b"\n")) == (200, rows + 1)


def test_on_a_full_disk_only_large_files_are_refused(loan: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    mounts, log = [empty("$TMPDIR", "4m")], tmp_path / "log"
    with gunicorn(loan / "model", mounts, log, TMPDIR=str(temporary)) as server:
        before = server.workers()
        for send in (server.csv, server.file):
            for _ in range(4):
                answer = send(LARGE)
                assert (answer.status, answer.retry_after) == (503, "60")
                assert json.loads(answer.body)["title"] == "There is no room for the file"
                assert server.ask("GET", "/health").status == 200
            for rows in (SMALL, MIDDLE):  # the room is free again
                assert send(rows).status == 200
        assert server.workers() == before
    assert "no room for a file: No space left on device" in log.read_text()
    assert "Traceback" not in log.read_text()
