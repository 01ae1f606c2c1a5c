"""The verdict of a soak test: the bounds and the tables of soak.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import linear_regression, median

from benchmarks.report import table

# The rows of the table: five minutes each, if the test takes an hour.
ROWS = 12
STOP_SECONDS = REPLACE_SECONDS = 10
BUSY = "answers 503 with Retry-After: the service was busy"


@dataclass(frozen=True)
class Interval:
    """A part of the time: the outcomes of requests, latencies in ms, and memory in bytes."""

    seconds: float  # from the start of the load to the end of the interval
    requests: int
    wrong: int
    busy: int  # 503 with Retry-After
    lost: int
    p50: float
    p99: float
    memory: float


@dataclass(frozen=True)
class Killed:
    """A worker that was killed; requests that waited for it get no answer."""

    seconds: float  # from the start of the load
    in_flight: int
    lost: int
    replaced: float | None  # seconds until the new worker was up


@dataclass(frozen=True)
class Stopped:
    """SIGTERM under load; requests that were sent before it are in flight and must be answered."""

    seconds: float | None  # until the service had ended
    status: int | None
    in_flight: int
    lost: int  # in flight, without an answer
    answered: int  # sent later
    closed: int  # sent later on a kept connection, which was closed without an answer
    refused: int  # later, the connection was refused
    wrong: int
    busy: int


@dataclass(frozen=True)
class Soak:
    """The figures of a soak test."""

    planned: float  # requests per second
    intervals: Sequence[Interval]
    killed: Killed
    stopped: Stopped
    log_errors: int  # lines of the service's log


@dataclass(frozen=True)
class Check:
    """A figure that must not exceed its bound."""

    figure: str
    bound: float
    found: float | None  # None: there are too few intervals, or an event did not happen

    @property
    def reached(self) -> bool:
        return self.found is not None and self.found <= self.bound


def checks(soak: Soak) -> list[Check]:
    """Return the bounds with the figures that were measured."""
    stopped, killed = soak.stopped, soak.killed
    done = sum(interval.requests for interval in soak.intervals)
    seconds = soak.intervals[-1].seconds if soak.intervals else 0
    return [
        Check("answers with a wrong status or content", 0, total(soak, lambda i: i.wrong)),
        Check(BUSY, 0, total(soak, lambda i: i.busy) + stopped.busy),
        Check(
            "requests without an answer, but for the killed worker's",
            0,
            total(soak, lambda i: i.lost) - killed.lost,
        ),
        Check(
            "requests that were not sent as planned, %",
            1,
            100 * (1 - done / (soak.planned * seconds)) if seconds else None,
        ),
        Check("errors in the log", 0, soak.log_errors),
        Check("seconds until the killed worker was replaced", REPLACE_SECONDS, killed.replaced),
        Check(
            "memory, last quarter / second quarter",
            1.02,
            last_to_second(soak.intervals, lambda i: i.memory),
        ),
        Check(
            "memory, growth by the slope of the last three quarters, %", 2, growth(soak.intervals)
        ),
        Check(
            "p99, last quarter / second quarter",
            1.5,
            last_to_second(soak.intervals, lambda i: i.p99),
        ),
        Check("requests in flight that SIGTERM lost", 0, stopped.lost),
        Check("wrong answers after SIGTERM", 0, stopped.wrong),
        Check("seconds from SIGTERM to the end", STOP_SECONDS, stopped.seconds),
        Check("exit status", 0, None if stopped.status is None else abs(stopped.status)),
    ]


def total(soak: Soak, figure: Callable[[Interval], int]) -> int:
    """Return the sum of a figure over all intervals."""
    return sum(map(figure, soak.intervals))


def last_to_second(
    intervals: Sequence[Interval], figure: Callable[[Interval], float]
) -> float | None:
    """Return the median of the last quarter, divided by that of the second (the first warms up).

    Return None if one of them is missing or 0.
    """
    quarter = len(intervals) // 4
    if not quarter:
        return None
    second, last = (
        median(map(figure, part))
        for part in (intervals[quarter : 2 * quarter], intervals[-quarter:])
    )
    return last / second if last and second else None


def growth(intervals: Sequence[Interval]) -> float | None:
    """Return the growth of memory during the run in percent, by linear regression."""
    warm = intervals[len(intervals) // 4 :]
    if len(warm) < 3:
        return None
    memory = [interval.memory for interval in warm]
    slope = linear_regression([interval.seconds for interval in warm], memory).slope
    return 100 * slope * intervals[-1].seconds / median(memory)


def report(soak: Soak) -> str:
    """Return the tables in Markdown."""
    killed, stopped = soak.killed, soak.stopped
    replaced = "not replaced" if killed.replaced is None else f"replaced in {killed.replaced:.1f} s"
    ended = "It did not end" if stopped.seconds is None else f"It ended in {stopped.seconds:.1f} s"
    return "\n\n".join(
        (
            "### Verdict",
            table(
                ["figure", "at most", "found", ""],
                [
                    [
                        check.figure,
                        f"{check.bound:g}",
                        "-" if check.found is None else f"{check.found:.4g}",
                        "reached" if check.reached else "**missed**",
                    ]
                    for check in checks(soak)
                ],
            ),
            f"**kill -9 of a worker** after {killed.seconds:.0f} s: {killed.in_flight} requests "
            f"were in flight in both workers, {killed.lost} of the killed worker got no answer; "
            f"it was {replaced}.",
            f"**SIGTERM under load**: {stopped.in_flight} requests were in flight, {stopped.lost} "
            f"got no answer. Of those that came later {stopped.answered} were answered, "
            f"{stopped.refused} found no connection and {stopped.closed} were sent on a kept "
            f"connection while it was closed. {ended}, with exit status {stopped.status}.",
            "### Over time",
            table(
                ["until, s", "requests", "wrong", "busy", "lost", "p50, ms", "p99, ms",
                 "worst p99, ms", "memory (PSS), MB"],
                [_row(part) for part in parts(soak.intervals)],
            ),
        )
    )  # fmt: skip


def _row(part: Sequence[Interval]) -> list[str]:
    return [
        f"{part[-1].seconds:.0f}",
        f"{sum(interval.requests for interval in part):,}",
        str(sum(interval.wrong for interval in part)),
        str(sum(interval.busy for interval in part)),
        str(sum(interval.lost for interval in part)),
        f"{median(interval.p50 for interval in part):.2f}",
        f"{median(interval.p99 for interval in part):.2f}",
        f"{max(interval.p99 for interval in part):.2f}",
        f"{median(interval.memory for interval in part) / 1e6:.1f}",
    ]


def parts(intervals: Sequence[Interval]) -> list[Sequence[Interval]]:
    """Return the intervals of each row of the table."""
    size = max(1, len(intervals) // ROWS)
    return [intervals[first : first + size] for first in range(0, len(intervals), size)]
