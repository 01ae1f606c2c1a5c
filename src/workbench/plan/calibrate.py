"""Measure this model here: memory, boot, requests alone, and requests of 32 callers."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from workbench import files, heroku
from workbench.doctor.findings import Result
from workbench.doctor.measure import CpuTime, Server, cpu_time, serving
from workbench.doctor.snapshot import Memory
from workbench.errors import UserError
from workbench.lock.environment import VENV
from workbench.plan.load import (
    LoadError,
    Throughput,
    closed_loop,
    http_request,
    moments,
    open_loop,
)
from workbench.plan.simulate import Service, percentile

CALLERS = 32
BUSY_SECONDS = 4
MAX_ALONE = 400
ALONE_SECONDS = 15
MIN_RATE = 4.0
# The share of the capacity up to which hardly a request waits for another one.
ALONE_LOAD = 0.1
# A model that waits for something else than the CPU, for more than this share of its time.
WAITING_SHARE = 0.5
OK = 200


@dataclass(frozen=True)
class Calibration:
    """What one worker needs on this machine, for requests with `rows` rows."""

    rows: int
    boot_seconds: float
    memory: Memory
    alone: tuple[float, ...]  # seconds of single requests, sorted
    busy_seconds: float  # a request among 32 callers, on a whole core
    is_cpu: bool  # busy_seconds is CPU time, which other processes here do not lengthen
    rate: float  # at which the single requests came
    machine_load: float | None  # runnable processes a core, before the measurement

    @property
    def capacity(self) -> float:
        """Return the requests a second that one worker answers with a core of its own."""
        return 1 / self.busy_seconds

    def service(self) -> Service:
        """Return the worker for a simulation."""
        return Service(self.alone, self.busy_seconds)

    def alone_percentile(self, share: float) -> float:
        """Return the seconds within which this share of single requests was answered."""
        return percentile(self.alone, share)


def calibrate(
    project: Path, rows: Sequence[Mapping[str, Any]], row_count: int, rate: float
) -> Calibration:
    """Serve with one worker, as a dyno does, and measure. Raises UserError."""
    machine_load, command = _machine_load(), _command(project)
    try:
        with serving(project, command, 1) as server:
            boot_seconds = server.wait_until_ready(heroku.BOOT_SECONDS)
            if isinstance(boot_seconds, Result):
                raise UserError(f"{boot_seconds.found}; {boot_seconds.advice}")
            requests = [http_request("/predict", body) for body in bodies(rows, row_count)]
            _require_answers(server, requests)
            busy, cpu = _busy(server, requests)
            lone_rate = min(max(rate, MIN_RATE), max(ALONE_LOAD / busy, MIN_RATE))
            return Calibration(
                rows=row_count,
                boot_seconds=boot_seconds,
                memory=server.measure_memory(1),
                alone=_alone(server, requests, lone_rate),
                busy_seconds=busy,
                is_cpu=cpu,
                rate=lone_rate,
                machine_load=machine_load,
            )
    except (OSError, LoadError) as problem:
        raise UserError(f"the service cannot be measured: {problem}; make doctor") from None


def bodies(rows: Sequence[Mapping[str, Any]], row_count: int) -> list[bytes]:
    """Return JSON bodies that send all rows, `row_count` in each."""
    source = cycle(rows)
    return [
        json.dumps(
            next(source) if row_count == 1 else {"rows": list(islice(source, row_count))}
        ).encode()
        for _ in rows
    ]


def _command(project: Path) -> list[str]:
    if sys.platform == "win32":
        raise UserError("gunicorn does not run on Windows; run make plan on Linux or in WSL.")
    if not (project / VENV).exists():
        raise UserError("there is no .venv to serve with; run make setup first.")
    procfile = project / "Procfile"
    text = files.read(procfile) if procfile.exists() else ""
    web = re.search(r"^web:\s*(.+)$", text, re.M)
    if web is None:
        raise UserError("Procfile has no web process; restore it from git.")
    return shlex.split(web[1])


def _machine_load() -> float | None:
    try:
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    except OSError:
        return None


def _require_answers(server: Server, requests: Sequence[bytes]) -> None:
    """Send one request of each kind, so that all code is warm. Raises UserError."""
    planned = [0.0] * min(len(requests), CALLERS)
    bad = [r.status for r in open_loop(server.port, requests, planned) if r.status != OK]
    if bad:
        raise UserError(f"/predict answers {bad[0]}; make doctor says why.")


def _busy(server: Server, requests: Sequence[bytes]) -> tuple[float, bool]:
    """Return the seconds of a request among 32 callers, and whether they are CPU time."""
    watch = _Watch(server)
    found: Throughput = closed_loop(server.port, requests, CALLERS, BUSY_SECONDS)
    spent = watch.spent()
    if found.problem is not None:
        raise UserError(f"/predict answers {found.problem} to {CALLERS} callers; make doctor")
    is_cpu = spent.server.used > 0 and spent.elsewhere(found.seconds) < WAITING_SHARE
    return (spent.server.used if is_cpu else found.seconds) / found.responses, is_cpu


def _alone(server: Server, requests: Sequence[bytes], rate: float) -> tuple[float, ...]:
    """Return sorted seconds of single requests, without waiting for other programs' CPU."""
    count = min(MAX_ALONE, int(rate * ALONE_SECONDS))
    watch = _Watch(server)
    responses = open_loop(server.port, requests, moments(rate, count))
    spent = watch.spent()
    times = sorted(response.seconds for response in responses)
    delays = spent.server.waited + spent.client.waited
    return capped(times, max(sum(times) - delays, spent.server.used))


def capped(ordered: Sequence[float], total: float) -> tuple[float, ...]:
    """Limit the largest of sorted times so that all of them have at most this total.

    Waiting for the CPU of other programs makes a few requests long, not all of them.
    """
    below = 0.0
    for number, seconds in enumerate(ordered):
        limit = (total - below) / (len(ordered) - number)
        if seconds >= limit:
            return (*ordered[:number], *[limit] * (len(ordered) - number))
        below += seconds
    return tuple(ordered)


@dataclass(frozen=True)
class _Spent:
    server: CpuTime
    client: CpuTime

    def elsewhere(self, seconds: float) -> float:
        """Return the share of the time in which neither side had the CPU or wanted it."""
        busy = (self.server.used, self.server.waited, self.client.used, self.client.waited)
        return 1 - sum(busy) / seconds


class _Watch:
    """The CPU time of the server and of this process from now on."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._before = self._now()

    def _now(self) -> _Spent:
        return _Spent(self._server.cpu_time(), cpu_time(["self"]))

    def spent(self) -> _Spent:
        """Return the CPU time since the start of the watch."""
        now, before = self._now(), self._before
        return _Spent(now.server.since(before.server), now.client.since(before.client))
