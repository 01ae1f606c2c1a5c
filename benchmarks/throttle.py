"""A part of a core without control groups: stop processes that have used up their CPU time.

    python throttle.py CORES PID…

lets the processes together have so much CPU time in each period, as a quota of a control group
does, until it is terminated.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

PERIOD_SECONDS = 0.1
MIN_SLEEP_SECONDS = 0.0005
STOP_SECONDS = 10


class Throttle:
    """The limits of a dyno by signals to its processes, which share one processor."""

    priority = "beside other programs"
    limits = (
        "`taskset` to one processor, and `SIGSTOP` and `SIGCONT` in each "
        f"{PERIOD_SECONDS * 1000:.0f} ms, since there are no control groups here; its memory is "
        "not limited"
    )

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Change nothing: without control groups no program comes before others."""
        yield

    @contextmanager
    def real_time(self) -> Iterator[None]:
        """Run before all programs without real time; only for what needs little CPU."""
        with first_in_line():
            yield

    @contextmanager
    def starting(self, _megabytes: int) -> Iterator[None]:
        """Start processes on one processor, as `taskset` does."""
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {max(before)})
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)

    @contextmanager
    def limited(self, pids: Sequence[int], cores: float) -> Iterator[None]:
        """Let processes together have a part of a core."""
        throttle = subprocess.Popen([sys.executable, __file__, str(cores), *map(str, pids)])
        try:
            yield
            if throttle.poll() is not None:
                raise RuntimeError(f"the throttle has ended with status {throttle.returncode}")
        finally:
            throttle.terminate()
            throttle.wait(STOP_SECONDS)


@contextmanager
def first_in_line() -> Iterator[None]:
    """Run this process, and those it starts, in real time."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def throttle(pids: Sequence[int], cores: float, is_over: Callable[[], bool]) -> None:
    """Let processes on one processor have a part of it; at the end of a period ask if it is over.

    What they use beyond their time is taken from the next periods. Time that they do not use is
    lost, as it is in a control group.
    """
    quota = left = cores * PERIOD_SECONDS
    used = cpu_seconds(pids)
    end = time.monotonic()
    try:
        while not is_over():
            end = max(end + PERIOD_SECONDS, time.monotonic())
            if left > 0:
                _signal(pids, signal.SIGCONT)
            while left > 0 and (pause := min(left, end - time.monotonic())) > 0:
                time.sleep(max(pause, MIN_SLEEP_SECONDS))
                before, used = used, cpu_seconds(pids)
                left -= max(used - before, 0)  # less if a process has ended
            if left <= 0:
                _signal(pids, signal.SIGSTOP)
            time.sleep(max(end - time.monotonic(), 0))
            left = min(left + quota, quota)
    finally:
        _signal(pids, signal.SIGCONT)


def cpu_seconds(pids: Sequence[int]) -> float:
    """Return the CPU time of processes; of one that has ended, 0."""
    total = 0.0
    for pid in pids:
        with suppress(OSError):
            total += time.clock_gettime(~pid << 3 | 2)  # as clock_getcpuclockid(3) does
    return total


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def main(cores: str, *pids: str) -> None:
    """Throttle until SIGTERM or the end of the process that has started this one."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    parent = os.getppid()
    throttle(list(map(int, pids)), float(cores), lambda: os.getppid() != parent)


if __name__ == "__main__":
    main(*sys.argv[1:])
