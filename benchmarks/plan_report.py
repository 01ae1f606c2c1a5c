"""What came of `make bench-plan`, and the report of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.environments import EXAMPLE, describe_machine
from benchmarks.report import table
from workbench.plan.calibrate import CALLERS, PERIODS
from workbench.plan.simulate import Phase
from workbench.plan.sizes import MAX_REJECTED, Figures

# The sleeping model's time of one row (peers/sleeping.py).
SLEEP_SECONDS = 0.010
# Bursts: five times as much in each fourth second; the mean is 1.
CYCLE = (Phase(2.5, 1), Phase(0.5, 3))
ERROR_GOAL, MEDIAN_GOAL, MISSES_GOAL = 0.25, 0.12, 1
CAPACITY_GOAL, CAPACITY_SECONDS, CAPACITY_ROUNDS = 0.15, 4, 5
TITLES = {EXAMPLE: "loan example", "forest": "random forest"}
# The P95 for which the plan must not ask for more than twice the dynos that would do.
P95_SECONDS = 0.2
ABOUT = """\
# What make plan predicts, and what happens

Written by `make bench-plan`. Predictions are those of `make plan`: its measurement of one worker,
and its simulation.
"""
ABOUT_SLEEPING = """\
It waits 8 ms and 2 ms for each row (lognormal, standard deviation half of the mean), so that the
CPU has no part in it; service and client run in real time. The load is the rate times the 10 ms of
a row alone, for each worker: above 1 it is held only because waiting requests are predicted
together. Bursts: five times as many requests in each fourth second."""
ABOUT_DYNO = """\
A Basic dyno (512 MB, two workers, 1/12 to 4/12 of a core) is imitated by {limits}. "Enough" is
what the plan says of this CPU for a P95 from its own predicted p95 on; "no": above the load that it
takes as sure. Before it the workers get 200 requests without the limit of CPU."""
ABOUT_HALF = f"""\
The plan must not ask for more than twice of what would do. So of the largest load that it takes as
sure on one dyno, for a P95 of {1000 * P95_SECONDS:.0f} ms, twice as much must fail: half as many
dynos are too few. A load fails if its p95 is over, or if over {MAX_REJECTED:.1%} are refused."""


@dataclass(frozen=True)
class Case:
    """A load of the sleeping model: `load` is that of one worker without batches."""

    workers: int
    batches: bool
    load: float
    has_bursts: bool = False

    def phases(self, seconds: float) -> list[Phase]:
        """Return the requests of so many seconds."""
        rate = self.load * self.workers / SLEEP_SECONDS
        if not self.has_bursts:
            return [Phase(rate, seconds)]
        cycles = round(seconds / sum(phase.seconds for phase in CYCLE))
        return [Phase(rate * phase.rate, phase.seconds) for phase in CYCLE] * cycles


@dataclass(frozen=True)
class Measured:
    """What the client saw: the p95 in seconds of the answers, and the number of the others."""

    p95: float
    answers: int
    refused: int


@dataclass(frozen=True)
class CaseResult:
    """A case with the predicted p95 in seconds."""

    case: Case
    predicted: float
    measured: Measured

    @property
    def error(self) -> float:
        """Return the error of the prediction, as a share of what was measured."""
        return self.predicted / self.measured.p95 - 1


@dataclass(frozen=True)
class CapacityResult:
    """Requests a second of one worker with a core of its own."""

    model: str
    predicted: float
    measured: float
    cpu_share: float  # of a core, that the worker had meanwhile

    @property
    def error(self) -> float:
        """Return the error of the prediction, as a share of what was measured."""
        return self.predicted / self.measured - 1


@dataclass(frozen=True)
class DynoResult:
    """A load of one dyno with this part of a core, and what the plan says of it."""

    model: str
    cores: float
    rate: float
    figures: Figures
    is_sure: bool  # the plan says "enough" for any P95 from its own p95 on
    measured: Measured

    @property
    def is_wrong(self) -> bool:
        """Whether the plan says "enough" for a load that fails."""
        return self.is_sure and self.measured.p95 > self.figures.p95


@dataclass(frozen=True)
class HalfResult:
    """The largest load of one dyno that is sure, and what came of twice as much."""

    model: str
    cores: float
    rate: float
    measured: Measured  # at twice the rate

    @property
    def is_enough(self) -> bool:
        """Whether half as many dynos would do."""
        refused = self.measured.refused / (self.measured.refused + self.measured.answers)
        return self.measured.p95 <= P95_SECONDS and refused <= MAX_REJECTED


def head(seconds: float, priority: str) -> str:
    """Return the title, and what holds for all parts."""
    return "\n".join(
        (
            ABOUT,
            *describe_machine(),
            f"- each load is sent for {seconds:g} s (the dyno's half as long) in an open loop: at "
            "random moments, to a worker at random, whether earlier requests are answered or not; "
            "latency is from the planned moment to the answer. Service and client run "
            f"{priority}.",
        )
    )


def report_cases(results: Sequence[CaseResult]) -> str:
    """Return the part on the sleeping model."""
    errors = [abs(result.error) for result in results]
    misses = sum(error > ERROR_GOAL for error in errors)
    reached = misses <= MISSES_GOAL and median(errors) <= MEDIAN_GOAL
    header = ("workers", "waiting requests", "load", "p95 predicted, ms", "measured", "error")
    rows = [
        (
            str(result.case.workers),
            "together" if result.case.batches else "one by one",
            f"{result.case.load:g}{', bursts' if result.case.has_bursts else ''}",
            f"{1000 * result.predicted:.1f}",
            f"{1000 * result.measured.p95:.1f}",
            f"{result.error:+.0%}",
            *_counts(result.measured),
        )
        for result in results
    ]
    return "\n\n".join(
        (
            "## A model that sleeps",
            ABOUT_SLEEPING,
            table((*header, "answers", "refused"), rows),
            f"{len(errors) - misses} of {len(errors)} cases are within {ERROR_GOAL:.0%}, the "
            f"median error is {median(errors):.0%}. Goal: all but {MISSES_GOAL}, and "
            f"{MEDIAN_GOAL:.0%}: {_verdict(reached)}.",
        )
    )


def report_capacities(results: Sequence[CapacityResult]) -> str:
    """Return the part on the capacity."""
    rows = [
        (
            TITLES[result.model],
            f"{result.predicted:,.0f}",
            f"{result.measured:,.0f}",
            f"{result.error:+.0%}",
            f"{result.cpu_share:.0%}",
            _verdict(abs(result.error) <= CAPACITY_GOAL),
        )
        for result in results
    ]
    return "\n\n".join(
        (
            "## Capacity",
            f"Requests a second of one worker on a core: as `make plan` predicts it from the CPU "
            f"time of a request in the quickest of {len(PERIODS)} periods of {PERIODS[0]:g} s, "
            f"and the answers to {CALLERS} connections of wrk, the most in one of "
            f"{CAPACITY_ROUNDS - 1} rounds of {CAPACITY_SECONDS} s. Programs beside it take from "
            'both: "had" is the part of a core that the worker had under wrk, and the answers by '
            f"the clock are divided by it. Goal: within {CAPACITY_GOAL:.0%}.",
            table(("model", "predicted", "measured", "error", "had", ""), rows),
        )
    )


def report_dynos(results: Sequence[DynoResult], limits: str) -> str:
    """Return the part on the imitated dyno."""
    rows = [
        (
            TITLES[result.model],
            f"{12 * result.cores:.0f}/12",
            f"{result.rate:.0f}",
            f"{result.figures.load:.0%}",
            "no" if not result.is_sure else f"from {1000 * result.figures.p95:.0f} ms",
            f"{1000 * result.measured.p95:.0f}",
            *_counts(result.measured),
            "**wrong**" if result.is_wrong else "",
        )
        for result in results
    ]
    wrong = sum(result.is_wrong for result in results)
    header = ("model", "core", "requests/s", "load", "enough for a P95", "p95 measured, ms")
    return "\n\n".join(
        (
            "## An imitated dyno",
            ABOUT_DYNO.format(limits=limits),
            table((*header, "answers", "refused", ""), rows),
            f'Goal: never "enough" for a load that fails: {_verdict(not wrong)}.',
        )
    )


def report_halves(results: Sequence[HalfResult]) -> str:
    """Return the part on half as many dynos."""
    rows = [
        (
            TITLES[result.model],
            f"{12 * result.cores:.0f}/12",
            f"{result.rate:.0f}",
            f"{2 * result.rate:.0f}",
            f"{1000 * result.measured.p95:.0f}",
            *_counts(result.measured),
            "**half would do**" if result.is_enough else "",
        )
        for result in results
    ]
    enough = any(result.is_enough for result in results)
    header = ("model", "core", "sure, requests/s", "sent", "p95 measured, ms")
    return "\n\n".join(
        (
            "## Half as many dynos",
            ABOUT_HALF,
            table((*header, "answers", "refused", ""), rows),
            f"Goal: half as many dynos are never enough: {_verdict(not enough)}. This is for a CPU "
            "that is known: the slowest and the fastest shared dyno differ by a factor of 4, "
            "until `URL=` measures it.",
        )
    )


def _counts(measured: Measured) -> tuple[str, str]:
    return f"{measured.answers:,}", f"{measured.refused:,}"


def _verdict(reached: bool) -> str:
    return "reached" if reached else "**missed**"
