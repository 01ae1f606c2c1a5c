"""Run the service as the dyno does, on this machine, and measure its times and its memory."""

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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import IO, Any

from workbench import heroku
from workbench.doctor.findings import Result, error, warning
from workbench.doctor.snapshot import Latency, Memory
from workbench.lock.environment import BIN, VENV

MAX_REQUESTS = 100
# The time after which no further request is sent.
MAX_SECONDS = 20
# Timeouts: of one prediction (longer than the limit that it is compared with), of the workers'
# start, and of the server's end.
PREDICTION_TIMEOUT = heroku.REQUEST_SECONDS + 5
WORKERS_TIMEOUT = 10
STOP_TIMEOUT = 30
POLL_INTERVAL = 0.05
# Before the memory is measured, so that each worker has probably explained a row.
EXPLANATIONS_PER_WORKER = 4


@dataclass(frozen=True)
class Measurements:
    """Seconds from exec to ready, memory, and the latency of a prediction.

    A Result stands where there is no measurement, and says why.
    """

    boot_seconds: float | Result
    memory: Memory | Result
    latency: Latency | Result

    @classmethod
    def none(cls, reason: Result) -> Measurements:
        """Return that nothing was measured, for one reason."""
        return cls(reason, reason, reason)


def measure(
    project: Path,
    command: str | None,
    workers: int,
    rows: Sequence[Mapping[str, Any]],
    boot_limit: float = heroku.BOOT_SECONDS,
) -> Measurements:
    """Start the Procfile's web process, request predictions of the rows, and end it.

    `command` is what the Procfile starts, None if it has no web process.
    """
    if sys.platform == "win32":
        found = "not measured: gunicorn does not run on Windows"
        return Measurements.none(warning(found, "The workflow on GitHub measures it."))
    if command is None:
        return _not_started(error("Procfile has no web process", "git checkout -- Procfile"))
    try:
        with serving(project, shlex.split(command), workers) as server:
            boot_seconds = server.wait_until_ready(boot_limit)
            if isinstance(boot_seconds, Result):
                return _not_started(boot_seconds)
            latency = server.measure_latency(rows)
            server.explain(rows, EXPLANATIONS_PER_WORKER * workers)
            return Measurements(boot_seconds, server.measure_memory(workers), latency)
    except OSError as problem:
        return _not_started(error(f"it does not start: {problem}", "make setup"))


def _not_started(reason: Result) -> Measurements:
    nothing = warning("not measured: the service is not ready", "First correct the boot.")
    return Measurements(reason, nothing, nothing)


def _compile(project: Path, command: Sequence[str]) -> None:
    """Let Python compile the imported modules, as the build does; a failure shows later."""
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
    """Return the environment of a dyno without config vars."""
    path = f"{(project / VENV / BIN).absolute()}:/usr/bin:/bin"
    return {"PATH": path, "PORT": str(port), "WEB_CONCURRENCY": str(workers)}


@contextmanager
def serving(project: Path, command: Sequence[str], workers: int) -> Iterator[Server]:
    """Start a web process in the environment of a dyno, and end it. Raises OSError."""
    _compile(project, command)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with tempfile.TemporaryFile() as log:
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
            yield Server(process, port, start, log)
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@dataclass(frozen=True)
class CpuTime:
    """Seconds on a processor, and seconds of waiting for one that others had."""

    used: float = 0.0
    waited: float = 0.0

    def since(self, before: CpuTime) -> CpuTime:
        """Return the difference to an earlier time."""
        return CpuTime(self.used - before.used, self.waited - before.waited)


@dataclass(frozen=True)
class Server:
    """The running web process of a project, at a port of this machine."""

    process: subprocess.Popen[bytes]
    port: int
    start: float
    log: IO[bytes]

    def wait_until_ready(self, limit: float) -> float | Result:
        """Return the seconds from exec to the first 200 of /ready."""
        while (spent := time.monotonic() - self.start) < limit:
            if self.process.poll() is not None:
                return error(f"it does not start: {self._last_line()}", "make verify")
            try:
                status, body = self._request("GET", "/ready", timeout=limit - spent)
            except (OSError, http.client.HTTPException):
                time.sleep(POLL_INTERVAL)
                continue
            if status == http.HTTPStatus.OK:
                return time.monotonic() - self.start
            return error(f"/ready answers {status}: {_detail(body)}", "make verify")
        found = f"not ready after {limit:.0f} s"
        return error(found, "The platform ends it: make the model smaller.")

    def measure_latency(self, rows: Sequence[Mapping[str, Any]]) -> Latency | Result:
        """Request a prediction of one row after the other, each on a connection of its own."""
        times: list[float] = []
        for row in islice(cycle(rows), MAX_REQUESTS):
            start = time.monotonic()
            try:
                status, body = self._request("POST", "/predict", row, timeout=PREDICTION_TIMEOUT)
            except (OSError, http.client.HTTPException) as problem:
                return error(f"/predict gives no answer: {problem}", "make verify")
            times.append(time.monotonic() - start)
            if status != http.HTTPStatus.OK:
                return error(f"/predict answers {status}: {_detail(body)}", "make verify")
            if sum(times) > MAX_SECONDS:
                break
        return Latency(sorted(times)[math.ceil(0.95 * len(times)) - 1], len(times))

    def explain(self, rows: Sequence[Mapping[str, Any]], count: int) -> None:
        """Request explanations, for the memory that they take; there can be none of this model."""
        for row in islice(cycle(rows), count):
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, _ = self._request("POST", "/explain", row, timeout=PREDICTION_TIMEOUT)
                if status == http.HTTPStatus.OK:
                    continue
            return

    def measure_memory(self, workers: int) -> Memory:
        """Add up the memory of all processes, when all workers have started."""
        deadline = time.monotonic() + WORKERS_TIMEOUT
        while (
            len(sizes := _memory_by_process(self.process.pid)) < 1 + workers
            and time.monotonic() < deadline
        ):
            time.sleep(POLL_INTERVAL)
        shares, own = zip(*sizes.values(), strict=True)
        present = len(sizes) - 1
        return Memory(sum(shares), max(own[1:], default=own[0]), present, sys.platform == "linux")

    def cpu_time(self) -> CpuTime:
        """Return the CPU time of all processes."""
        if sys.platform != "linux":
            return CpuTime()
        return cpu_time((self.process.pid, *child_pids(self.process.pid)))

    def _request(
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


def _memory_by_process(master: int) -> dict[int, tuple[int, int]]:
    """Return the bytes of a process and of its children: proportional share, and private."""
    if sys.platform != "linux":
        return memory_by_ps(master)
    sizes = {}
    for pid in (master, *child_pids(master)):
        with contextlib.suppress(OSError):  # it has ended
            sizes[pid] = _linux_memory(pid)
    return sizes


def memory_by_ps(master: int) -> dict[int, tuple[int, int]]:
    """Return the resident bytes of a process and of its children, twice.

    For systems that do not report which pages processes share.
    """
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,rss="], capture_output=True, text=True, check=True
    )
    table = [[int(field) for field in line.split()] for line in listed.stdout.splitlines()]
    return {
        pid: (1024 * kilobytes, 1024 * kilobytes)
        for pid, parent, kilobytes in sorted(table, key=lambda row: row[0] != master)
        if master in (pid, parent)
    }


def _linux_memory(pid: int) -> tuple[int, int]:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    sizes = {name: int(size) for name, size in re.findall(r"^(\w+): +(\d+) kB$", text, re.M)}
    return 1024 * sizes["Pss"], 1024 * (sizes["Private_Clean"] + sizes["Private_Dirty"])


def cpu_time(pids: Iterable[int | str]) -> CpuTime:
    """Return the CPU time of processes with all of their threads; 0 where it is not known."""
    used = waited = 0
    for pid in pids:
        for path in Path("/proc").glob(f"{pid}/task/*/schedstat"):
            with contextlib.suppress(OSError):  # it has ended
                nanoseconds = path.read_text(encoding="ascii").split()
                used, waited = used + int(nanoseconds[0]), waited + int(nanoseconds[1])
    return CpuTime(used / 1e9, waited / 1e9)


def child_pids(parent: int) -> list[int]:
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
