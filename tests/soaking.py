"""What the soak tests share: a low load, and the bounds that a test of seconds can hold."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.verdict import BUSY, Soak, checks

# Low: other processes can use the CPU after the capacity was measured.
SMALL_LOAD = 1 / 8


def missed(soak: Soak) -> list[str]:
    return [check.figure for check in checks(soak) if not check.reached]


def missed_in_seconds(soak: Soak) -> list[str]:
    """Return the missed bounds, without those that need a long test on an idle machine."""
    long_only = ("memory, ", "p99, ", "requests that were not sent as planned", BUSY)
    return [figure for figure in missed(soak) if not figure.startswith(long_only)]


def right_answers(soak: Soak) -> int:
    """Return the number of right answers."""
    return sum(i.requests - i.wrong - i.busy - i.lost for i in soak.intervals)


def in_thread(call: Callable[[], Any]) -> Any:
    """Call in a new thread: Playwright leaves a running event loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()
