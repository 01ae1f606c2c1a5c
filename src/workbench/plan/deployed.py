"""Measure a deployed service, and tell from it what CPU its instance really has."""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import cycle, islice
from urllib.parse import urlsplit

from workbench.address import not_reached, service_address
from workbench.errors import UserError
from workbench.plan.calibrate import OK, Calibration
from workbench.plan.load import TIMEOUT_SECONDS
from workbench.platforms.plans import Plan

ONE_BY_ONE = 20
PAUSE_SECONDS = 1.0
BUSY_CALLERS = 8
BUSY_SECONDS = 4.0
# What remains uncertain after the measurement, both ways.
UNCERTAIN = 0.3
# A difference to the network's time that is shorter says nothing about the CPU.
MIN_SERVICE_SECONDS = 0.005
# By status: a proxy can answer with one that http.HTTPStatus does not have.
_ADVICE: Mapping[int, str] = {
    http.HTTPStatus.UNAUTHORIZED: "give a key: API_KEY=… make plan URL=…",
    http.HTTPStatus.TOO_MANY_REQUESTS: "unset REQUESTS_PER_MINUTE for the measurement",
}


@dataclass(frozen=True)
class Deployed:
    """Seconds of a request without a prediction and of predictions, sorted; answers a second."""

    network: float
    alone: tuple[float, ...]
    throughput: float

    def cores(self, calibration: Calibration) -> tuple[float, float]:
        """Return the least and the most cores that explain the measurement.

        Eight callers may not fill the instance, so their throughput is a lower bound; the time
        of a prediction alone says more if it is long.
        """
        estimates = [self.throughput * calibration.busy_seconds]
        here = statistics.median(calibration.alone)
        there = statistics.median(self.alone) - self.network
        if there >= MIN_SERVICE_SECONDS:
            estimates.append(min(here / there, 1))
        found = max(estimates)
        return found * (1 - UNCERTAIN), found * (1 + UNCERTAIN)


def measure_deployed(
    url: str,
    key: str | None,
    bodies: Sequence[bytes],
    *,
    pause: float = PAUSE_SECONDS,
    seconds: float = BUSY_SECONDS,
) -> Deployed:
    """Ask the service at `url` at 1/s, then with 8 callers. Raises UserError."""
    try:
        with ExitStack() as stack:
            one, *several = (
                stack.enter_context(closing(_Caller(url, key))) for _ in range(1 + BUSY_CALLERS)
            )
            network = statistics.median(one.timed("GET", "/health") for _ in range(5))
            alone = []
            for body in islice(cycle(bodies), ONE_BY_ONE):
                alone.append(one.timed("POST", "/predict", body))
                time.sleep(max(pause - alone[-1], 0))
            throughput = _throughput(several, bodies, seconds)
    except (OSError, http.client.HTTPException) as problem:
        raise not_reached(url, problem) from None
    return Deployed(network, tuple(sorted(alone)), throughput)


def narrowed(plans: Iterable[Plan], size: str, cores: tuple[float, float]) -> tuple[Plan, ...]:
    """Return the plans with the measured CPU of one size, and others that share in proportion."""
    plans = tuple(plans)
    own = next((plan for plan in plans if plan.name == size), None)
    if own is None:
        raise UserError(f"app.json has the size {size!r}, which has no published CPU share.")
    low, high = cores
    return tuple(
        plan
        if plan.dedicated != own.dedicated
        else replace(plan, cpu=(plan.cpu[0] / own.cpu[0] * low, plan.cpu[0] / own.cpu[0] * high))
        for plan in plans
    )


def _throughput(callers: Sequence[_Caller], bodies: Sequence[bytes], seconds: float) -> float:
    """Let all callers ask for some seconds; return the responses a second."""
    start = time.perf_counter()
    with ThreadPoolExecutor(len(callers)) as pool:
        runs = [pool.submit(_repeat, caller, bodies, start + seconds) for caller in callers]
        responses = sum(run.result() for run in runs)
    return responses / (time.perf_counter() - start)


def _repeat(caller: _Caller, bodies: Sequence[bytes], end: float) -> int:
    count = 0
    while time.perf_counter() < end:
        caller.timed("POST", "/predict", bodies[count % len(bodies)])
        count += 1
    return count


class _Caller:
    """One connection that is kept open."""

    def __init__(self, url: str, key: str | None) -> None:
        address = service_address(url)
        parts = urlsplit(address)
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self._connection = kind(parts.netloc, timeout=TIMEOUT_SECONDS)
        self._url, self._prefix = address, parts.path
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def timed(self, method: str, path: str, body: bytes | None = None) -> float:
        """Return the seconds of a request that must be answered with 200."""
        start = time.perf_counter()
        self._connection.request(method, self._prefix + path, body, self._headers)
        response = self._connection.getresponse()
        response.read()
        if response.status != OK:
            advice = _ADVICE.get(response.status, "make smoke URL=… says more")
            raise UserError(f"{self._url}{path} answers {response.status}; {advice}.")
        return time.perf_counter() - start
