"""The service as the dyno runs it, on this machine: how long it takes, and how much it holds."""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import IO, Any

from workbench import heroku
from workbench.doctor.checks import Latency, Memory, Unmeasured
from workbench.lock.environment import BIN, VENV

REQUESTS = 100
# So long predictions may take together, one of them (to show that it is over the limit), and the
# last workers to come.
SECONDS = 20
PREDICTION_SECONDS = heroku.REQUEST_SECONDS + 5
WORKERS_SECONDS = 10
STOP_SECONDS = 30
PAUSE = 0.05


@dataclass(frozen=True)
class Measures:
    """Seconds from exec to ready, memory, and the time of a prediction."""

    boot: float | Unmeasured
    memory: Memory | Unmeasured
    latency: Latency | Unmeasured

    @classmethod
    def none(cls, reason: Unmeasured) -> Measures:
        """Return that nothing could be measured."""
        return cls(reason, reason, reason)


def measure(
    project: Path, procfile: str, workers: int, rows: Sequence[Mapping[str, Any]]
) -> Measures:
    """Start the Procfile's web process, ask it for predictions of the rows, and end it."""
    if sys.platform == "win32":
        found = "not measured: gunicorn does not run on Windows"
        return Measures.none(Unmeasured(found, "The workflow on GitHub measures it."))
    web = re.search(r"^web:\s*(.+)$", procfile, re.M)
    if web is None:
        return _not_started("Procfile has no web process", "Restore it from git.")
    command = shlex.split(web.group(1))
    try:
        _compile(project, command)
        with tempfile.TemporaryFile() as log, _started(project, command, workers, log) as server:
            boot = server.until_ready()
            if isinstance(boot, Unmeasured):
                return _not_started(boot.found, boot.advice)
            latency = server.predict(rows)
            return Measures(boot, server.memory(workers), latency)
    except OSError as error:
        return _not_started(f"it does not start: {error}", "make setup")


def _not_started(found: str, advice: str) -> Measures:
    nothing = Unmeasured("not measured: the service is not ready", "First mend the boot.")
    return Measures(Unmeasured(found, advice, "error"), nothing, nothing)


def _compile(project: Path, command: Sequence[str]) -> None:
    """Let Python compile what is imported, as the build does; what goes wrong is told later."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(
            [*command, "--check-config"],
            cwd=project,
            env=_environment(project, 0, 1),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=heroku.BOOT_SECONDS,
        )


def _environment(project: Path, port: int, workers: int) -> dict[str, str]:
    """Return what a dyno without config vars has."""
    path = f"{(project / VENV / BIN).absolute()}:/usr/bin:/bin"
    return {"PATH": path, "PORT": str(port), "WEB_CONCURRENCY": str(workers)}


@contextmanager
def _started(
    project: Path, command: Sequence[str], workers: int, log: IO[bytes]
) -> Iterator[_Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    start = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=project,
        env=_environment(project, port, workers),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        yield _Server(process, port, start, log)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class _Server:
    process: subprocess.Popen[bytes]
    port: int
    start: float
    log: IO[bytes]

    def until_ready(self) -> float | Unmeasured:
        """Return the seconds from exec to the first 200 of /ready."""
        while (spent := time.monotonic() - self.start) < heroku.BOOT_SECONDS:
            if self.process.poll() is not None:
                return Unmeasured(f"it does not start: {self._last_line()}", "make verify", "error")
            try:
                status, body = self._ask("GET", "/ready", timeout=heroku.BOOT_SECONDS - spent)
            except (OSError, http.client.HTTPException):
                time.sleep(PAUSE)
                continue
            if status == http.HTTPStatus.OK:
                return time.monotonic() - self.start
            return Unmeasured(f"/ready answers {status}: {_detail(body)}", "make verify", "error")
        found = f"not ready after {heroku.BOOT_SECONDS} s"
        return Unmeasured(found, "Heroku ends it: make the model smaller.", "error")

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> Latency | Unmeasured:
        """Ask for one row after the other, each on a connection of its own."""
        times: list[float] = []
        for row in islice(cycle(rows), REQUESTS):
            start = time.monotonic()
            try:
                status, body = self._ask("POST", "/predict", row, timeout=PREDICTION_SECONDS)
            except (OSError, http.client.HTTPException) as error:
                return Unmeasured(f"/predict gives no answer: {error}", "make verify", "error")
            times.append(time.monotonic() - start)
            if status != http.HTTPStatus.OK:
                found = f"/predict answers {status}: {_detail(body)}"
                return Unmeasured(found, "make verify", "error")
            if sum(times) > SECONDS:
                break
        return Latency(sorted(times)[math.ceil(0.95 * len(times)) - 1], len(times))

    def memory(self, workers: int) -> Memory:
        """Add up what the processes hold, when all workers are there."""
        deadline = time.monotonic() + WORKERS_SECONDS
        while len(held := _held(self.process.pid)) < 1 + workers and time.monotonic() < deadline:
            time.sleep(PAUSE)
        shared, own = zip(*held.values(), strict=True)
        present = len(held) - 1
        return Memory(sum(shared), max(own[1:], default=own[0]), present, sys.platform == "linux")

    def _ask(
        self, method: str, path: str, body: Any = None, *, timeout: float
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _last_line(self) -> str:
        self.log.seek(0)
        lines = self.log.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {self.process.returncode}"


def _detail(body: bytes) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return body[:200].decode("utf-8", "replace")


def _held(master: int) -> dict[int, tuple[int, int]]:
    """Return the bytes of a process and of its children: its share of all, and its own alone."""
    if sys.platform != "linux":
        return held_by_ps(master)
    held = {}
    for pid in (master, *_linux_children(master)):
        with contextlib.suppress(OSError):  # it has ended
            held[pid] = _linux(pid)
    return held


def held_by_ps(master: int) -> dict[int, tuple[int, int]]:
    """Return the same where the system knows no shares: all that each has in memory."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,rss="], capture_output=True, text=True, check=True
    )
    table = [[int(field) for field in line.split()] for line in listed.stdout.splitlines()]
    return {
        pid: (1024 * kilobytes, 1024 * kilobytes)
        for pid, parent, kilobytes in sorted(table, key=lambda row: row[0] != master)
        if master in (pid, parent)
    }


def _linux(pid: int) -> tuple[int, int]:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    sizes = {name: int(size) for name, size in re.findall(r"^(\w+): +(\d+) kB$", text, re.M)}
    return 1024 * sizes["Pss"], 1024 * (sizes["Private_Clean"] + sizes["Private_Dirty"])


def _linux_children(parent: int) -> list[int]:
    children = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # After the name, which is in brackets and may hold anything: state, parent.
            fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue  # it has ended
        if int(fields[1]) == parent:
            children.append(int(folder.name))
    return sorted(children)
