"""Which size and how many instances hold a load: simulated at both speeds of the CPU."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from workbench.doctor.checks.measured import MEMORY_SHARE
from workbench.plan.calibrate import Calibration
from workbench.plan.simulate import Instance, Phase, simulate
from workbench.platforms.plans import Plan

Verdict = Literal["enough", "perhaps too slow", "too slow", "memory too small"]

MAX_INSTANCES = 100
# A load near the capacity is never sure: what the CPU really is, is not known so well. Requests of
# less than a millisecond depend on pauses that no simulation has.
MAX_LOAD = 0.7
MAX_QUICK_LOAD = 0.5
QUICK_SECONDS = 0.001
MAX_REJECTED = 0.001
# On a part of a core a request takes more CPU than here, where its code stays in the caches, and
# waits for the next turn. In a control group with 1/12 of a core (`make bench-plan` of the
# template) a margin of 1.25 was too small for loads near the largest sure one.
CPU_MARGIN = 1.5


@dataclass(frozen=True)
class Need:
    """The load, and how quickly 95 % of the requests have to be answered at its peak."""

    rps: float
    p95_seconds: float
    peak: float = 1
    hours: float = 24
    rows: int = 1
    job_workers: int = 0

    @property
    def peak_rps(self) -> float:
        """Return the requests a second in the busiest minute."""
        return self.rps * self.peak


@dataclass(frozen=True)
class Figures:
    """What one CPU speed gives: the load, and seconds at the mean load and at the peak."""

    load: float  # share of the capacity at the peak
    mean_p95: float
    p50: float
    p95: float
    p99: float
    rejected_share: float


OVERLOADED = (math.inf, math.inf, math.inf, math.inf, 1.0)


@dataclass(frozen=True)
class Option:
    """A number of instances of one size, at its slowest and at its fastest CPU."""

    plan: Plan
    count: int
    workers: int
    slow: Figures
    fast: Figures
    verdict: Verdict

    @property
    def dollars(self) -> float | None:
        """Return the price of a month, None if it is not known."""
        return None if self.plan.dollars is None else self.plan.dollars * self.count


@dataclass(frozen=True)
class Sizing:
    """Find the options for a need, from what one worker was measured to take."""

    need: Need
    calibration: Calibration
    requests: int = 4_000  # simulated at the mean rate, and at the peak

    @cached_property
    def max_load(self) -> float:
        """Return the share of the capacity up to which an option can be sure."""
        quick = self.calibration.busy_seconds < QUICK_SECONDS
        return MAX_QUICK_LOAD if quick else MAX_LOAD

    def options(self, plan: Plan, wanted: int | None = None) -> Iterator[Option]:
        """Yield the smallest number for the fastest CPU, and the one for the slowest."""
        workers = self.workers(plan, wanted)
        if not workers:
            nothing = Figures(0, *OVERLOADED)
            yield Option(plan, 1, 0, nothing, nothing, "memory too small")
            return
        slow, fast = plan.cpu
        counts = {self._smallest(plan, workers, fast), self._smallest(plan, workers, slow)}
        for count in sorted(counts):
            yield self.option(plan, count, workers)

    def option(self, plan: Plan, count: int, workers: int) -> Option:
        """Return what this number of instances does."""
        slow, fast = (self.figures(workers, cores, count) for cores in plan.cpu)
        verdict: Verdict = "too slow"
        if self._is_met(slow):
            verdict = "enough"
        elif self._is_met(fast):
            verdict = "perhaps too slow"
        return Option(plan, count, workers, slow, fast, verdict)

    def workers(self, plan: Plan, wanted: int | None = None) -> int:
        """Return how many workers fit in the memory, at most those that the platform sets."""
        fitting = (
            workers
            for workers in range(wanted or plan.workers, 0, -1)
            if self.calibration.memory.megabytes(workers) <= MEMORY_SHARE * plan.megabytes
        )
        return next(fitting, 0)

    def figures(self, workers: int, cores: float, count: int) -> Figures:
        """Simulate one of `count` instances; above its capacity there is nothing to simulate."""
        key = workers, cores, count
        if key not in self._simulated:
            self._simulated[key] = self._simulate(*key)
        return self._simulated[key]

    @cached_property
    def _simulated(self) -> dict[tuple[int, float, int], Figures]:
        return {}

    def _simulate(self, workers: int, cores: float, count: int) -> Figures:
        load = self.need.peak_rps / count / (min(cores, workers) * self.calibration.capacity)
        if load >= 1:
            return Figures(load, *OVERLOADED)
        phases = [
            Phase(rate / count, self.requests * count / rate)
            for rate in (self.need.rps, self.need.peak_rps)
        ]
        slowed = cores / CPU_MARGIN if cores < 1 else cores
        mean, peak = simulate(self.calibration.service(), Instance(workers, slowed), phases)
        p50, p95, p99 = (peak.percentile(share) for share in (0.5, 0.95, 0.99))
        return Figures(load, mean.percentile(0.95), p50, p95, p99, peak.rejected_share)

    def _is_met(self, figures: Figures) -> bool:
        return (
            figures.load <= self.max_load
            and figures.p95 <= self.need.p95_seconds
            and figures.rejected_share <= MAX_REJECTED
        )

    def _smallest(self, plan: Plan, workers: int, cores: float) -> int:
        """Return the smallest number that meets the need at this speed, or the largest allowed."""
        most = MAX_INSTANCES if plan.scales else 1
        capacity = min(cores, workers) * self.calibration.capacity * self.max_load
        least = min(max(math.ceil(self.need.peak_rps / capacity), 1), most)
        if self._is_met(self.figures(workers, cores, least)):
            return least
        if not self._is_met(self.figures(workers, cores, most)):
            return least  # more instances do not help
        while most - least > 1:
            middle = (least + most) // 2
            if self._is_met(self.figures(workers, cores, middle)):
                most = middle
            else:
                least = middle
        return most


def cheapest(options: Sequence[Option]) -> Option | None:
    """Return the cheapest option that is enough at both CPU speeds and does not sleep."""
    sure = [
        option
        for option in options
        if option.verdict == "enough" and option.plan.sleeps is None and option.dollars is not None
    ]
    return min(sure, key=lambda option: (option.dollars, -option.count), default=None)
