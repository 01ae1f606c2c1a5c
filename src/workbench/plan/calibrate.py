"""Measure this model here: memory, boot, requests alone, and requests of 32 callers."""

from __future__ import annotations

import json
import os
import random
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from model_service.contract.golden import read_golden
from workbench import files, heroku
from workbench.doctor.findings import Result
from workbench.doctor.measure import CpuTime, Server, cpu_time, serving
from workbench.doctor.snapshot import Memory
from workbench.errors import UserError
from workbench.lock.environment import VENV
from workbench.plan.load import LoadError, closed_loop, http_request, one_by_one
from workbench.plan.simulate import Service, percentile

CALLERS, FEW_CALLERS = 32, 8
WARM_SECONDS = 1
# Programs beside the service only add to the CPU time of a request, so that of the quickest period
# is taken. A request that is half done at its end must not count: it has that many responses.
PERIODS = (0.5,) * 8
MIN_RESPONSES = 20 * CALLERS
MAX_ALONE = 400
ALONE_SECONDS = 15
MIN_RATE = 4.0
# The load of single requests at most: pauses as those of a busy service are none.
ALONE_LOAD = 0.1
# Of the time of a request, the CPU time of a model that only computes is more than this share; the
# rest is switching threads. Other models wait: for a timer, or for another service.
CPU_SHARE = 0.3
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
    each_seconds: float | None = None  # of a further request in a batch; None: no batches

    @property
    def capacity(self) -> float:
        """Return the requests a second that one worker answers with a core of its own."""
        return 1 / self.busy_seconds

    def service(self) -> Service:
        """Return the worker for a simulation."""
        if self.each_seconds is None:
            return Service(self.alone, self.busy_seconds, max_batch=1)
        return Service(self.alone, self.each_seconds)

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
            _periods(server, requests, CALLERS, [WARM_SECONDS])
            few = Busy.of(_periods(server, requests, FEW_CALLERS, PERIODS))
            many = Busy.of(_periods(server, requests, CALLERS, PERIODS))
            lone_rate = min(max(rate, MIN_RATE), max(ALONE_LOAD / many.cpu, MIN_RATE))
            alone = _alone(server, requests, lone_rate)
            pair = (few.cpu, many.cpu) if alone.is_cpu else (few.wall, many.wall)
            golden = read_golden(project / files.GOLDEN)  # the service is ready, so it is valid
            batches = golden is not None and golden.is_batch_invariant
            return Calibration(
                rows=row_count,
                boot_seconds=boot_seconds,
                memory=server.measure_memory(1),
                alone=alone.times,
                busy_seconds=pair[1],
                is_cpu=alone.is_cpu,
                rate=lone_rate,
                machine_load=machine_load,
                each_seconds=further_seconds(*pair) if batches else None,
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
    web = heroku.parse_procfile(files.read_if_present(project / "Procfile")).get("web")
    if web is None:
        raise UserError("Procfile has no web process. Restore it: git checkout -- Procfile")
    return shlex.split(web)


def _machine_load() -> float | None:
    try:
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    except OSError:
        return None


@dataclass(frozen=True)
class Period:
    """The responses to many callers in some seconds, and the CPU seconds of the service."""

    responses: int
    seconds: float
    cpu: float


@dataclass(frozen=True)
class Busy:
    """Seconds of a request among many callers: of CPU, and by the clock."""

    cpu: float
    wall: float

    @classmethod
    def of(cls, periods: Sequence[Period]) -> Busy:
        """Return the CPU time of the quickest period, and the mean by the clock."""
        responses = sum(period.responses for period in periods)
        wall = sum(period.seconds for period in periods) / responses
        mean = sum(period.cpu for period in periods) / responses
        quickest = min(
            (p.cpu / p.responses for p in periods if p.responses >= MIN_RESPONSES), default=mean
        )
        return cls(quickest or wall, wall)


def _periods(
    server: Server, requests: Sequence[bytes], callers: int, seconds: Sequence[float]
) -> list[Period]:
    """Let callers send requests. Raises UserError if one is not answered with 200."""
    watch, periods = _Watch(server), []
    for found in closed_loop(server.port, requests, callers, seconds):
        if found.problem is not None:
            raise UserError(f"/predict answers {found.problem} to {callers} callers; make doctor")
        periods.append(Period(found.responses, found.seconds, watch.lap().server.used))
    return periods


def further_seconds(few: float, many: float) -> float:
    """Return what a further request in a batch takes, from the seconds of one among the callers.

    In a round each caller has one answer. The batches of a round are as many with 8 callers as
    with 32, so that what each batch takes by itself is no part of the difference.
    """
    difference = CALLERS * many - FEW_CALLERS * few
    return min(max(difference / (CALLERS - FEW_CALLERS), 0), many)


@dataclass(frozen=True)
class _Alone:
    """Sorted seconds of single requests, and whether CPU is what they take."""

    times: tuple[float, ...]
    is_cpu: bool


def _alone(server: Server, requests: Sequence[bytes], rate: float) -> _Alone:
    """Send one request after the other, with pauses as they are at this rate.

    The times are without waiting for the CPU of other programs. No two threads of the service
    work at the same time here, so what they wait for adds up to what the request waits for.
    """
    watch = _Watch(server)
    end = time.monotonic() + ALONE_SECONDS
    times: list[float] = []
    for response in one_by_one(server.port, requests, pauses(rate)):
        times.append(response.seconds)
        if len(times) == MAX_ALONE or time.monotonic() > end:
            break
    spent, total = watch.lap(), sum(times)
    working = spent.server.used + spent.client.used
    delays = spent.server.waited + spent.client.waited
    is_cpu = spent.server.used > 0 and working > CPU_SHARE * (total - delays)
    return _Alone(capped(sorted(times), max(total - delays, spent.server.used)), is_cpu)


def pauses(rate: float, seed: int = 1) -> Iterator[float]:
    """Yield random seconds between requests that come at this rate on average."""
    rng = random.Random(seed)
    while True:
        yield rng.expovariate(rate)


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


class _Watch:
    """A stopwatch for the CPU time of the server and of this process."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._before = self._now()

    def _now(self) -> _Spent:
        return _Spent(self._server.cpu_time(), cpu_time(["self"]))

    def lap(self) -> _Spent:
        """Return the CPU time since the call before, the first time since the start."""
        before, self._before = self._before, self._now()
        return _Spent(
            self._before.server.since(before.server), self._before.client.since(before.client)
        )
