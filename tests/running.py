"""Run what tests need: the commands of a project, its service as the platform runs it, a client."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

from conftest import TEMPLATE, completed, engine_environment, environment


def make(project: Path, *arguments: str, env: dict[str, str] | None = None) -> str:
    """Run make in the project as its owner would; return what it printed."""
    result = completed(["make", *arguments], project, env)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def workbench(project: Path, *arguments: str) -> tuple[int, str]:
    result = completed([sys.executable, "manage.py", *arguments], project)
    return result.returncode, result.stdout + result.stderr


def adopt(project: Path, *options: str) -> tuple[int, str]:
    return workbench(project, "adopt", *options)


def trained(folder: Path, script: str) -> Any:
    """Run a training script in the user's folder; return its output."""
    (folder / "train.py").write_text(script)
    output = subprocess.check_output([sys.executable, "train.py"], cwd=folder, env=environment())
    return json.loads(output)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(project: Path, **env: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run the Procfile's web process as the platform does: no config vars but PORT."""
    port = free_port()
    procfile = dict(line.split(": ", 1) for line in (project / "Procfile").read_text().splitlines())
    command = procfile["web"]
    path = f"{project}/.venv/bin:/usr/bin:/bin"
    server = subprocess.Popen(
        command.split(),
        cwd=project,
        env={"PATH": path, "PORT": str(port), **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        until_listening(server, port)
        yield server, port
    finally:
        server.terminate()
        server.wait(timeout=30)
        assert server.stdout is not None
        server.stdout.close()


def until_listening(server: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + 180  # other tests can take the processor
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(5)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    server.kill()
    assert server.stdout is not None
    raise AssertionError(server.stdout.read())


def ask(port: int, route: str, body: Any = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{route}", data, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def peak_memory(process: Path) -> int:
    """Return the most memory that a process has had, in bytes, from its folder in /proc."""
    lines = (process / "status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[str]
    port: int

    @property
    def worker(self) -> Path:
        pid = self.process.pid
        (worker,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return Path(f"/proc/{worker}")

    def peak(self) -> int:
        """Return the most memory that the worker has had, in bytes."""
        return peak_memory(self.worker)

    def temporary_files(self) -> list[str]:
        """Return what the worker holds open that has no name any more."""
        links = []
        for path in (self.worker / "fd").iterdir():
            with suppress(FileNotFoundError):  # it was closed meanwhile
                links.append(str(path.readlink()))
        return [link for link in links if link.endswith("(deleted)")]

    @contextmanager
    def answer(
        self, body: bytes | Iterable[bytes], method: str = "POST", path: str = "/predict"
    ) -> Iterator[HTTPResponse]:
        """Send a CSV, in chunks if it is not one piece."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {"Content-Type": "text/csv"})
            with connection.getresponse() as response:
                yield response
        finally:
            connection.close()


@contextmanager
def gunicorn(model: Path, **env: str) -> Iterator[Server]:
    """Run the service of the template folder around a model."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py"],
        cwd=TEMPLATE,
        env=engine_environment(MODEL_DIR=str(model), PORT=str(port), **env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        until_listening(process, port)
        server = Server(process, port)
        with server.answer(b"") as response:  # by then the worker is there
            assert response.status == 422
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def drained(model: Path, **env: str) -> Iterator[Server]:
    """Run the service as `gunicorn` does and read its log, which has no traceback at the end."""
    with gunicorn(model, **env) as server, ThreadPoolExecutor(1) as reader:
        assert server.process.stdout is not None
        log = reader.submit(server.process.stdout.read)
        try:
            yield server
        finally:
            server.process.terminate()
        assert "Traceback" not in log.result()
