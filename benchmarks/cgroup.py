"""Control groups of Linux (version 1): CPU time before other programs, and the limits of a dyno.

https://docs.kernel.org/admin-guide/cgroup-v1/cgroups.html
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
# Programs outside of all groups have 1,024 together.
SHARES = 20_480
PERIOD_MICROSECONDS = 100_000
REAL_TIME_MICROSECONDS = 800_000  # of each second


def are_available() -> bool:
    """Return whether this process can make groups."""
    return all(os.access(ROOT / kind / "cgroup.procs", os.W_OK) for kind in ("cpu", "memory"))


@contextmanager
def priority(name: str) -> Iterator[Path]:
    """Give this process, and those it starts, the CPU before others; yield the group."""
    with _group(ROOT / "cpu" / name) as group:
        (group / "cpu.shares").write_text(str(SHARES), encoding="ascii")
        with _entered(group):
            yield group


@contextmanager
def real_time(group: Path) -> Iterator[None]:
    """Run before all programs without real time; only for what needs little CPU."""
    limit = group / "cpu.rt_runtime_us"
    limit.write_text(str(REAL_TIME_MICROSECONDS), encoding="ascii")
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        limit.write_text("0", encoding="ascii")


@contextmanager
def dyno(parent: Path, megabytes: int) -> Iterator[Dyno]:
    """Yield a group inside of another one, with a limit of memory."""
    with _group(parent / "dyno") as cpu, _group(ROOT / "memory" / parent.name) as memory:
        (memory / "memory.limit_in_bytes").write_text(f"{megabytes}M", encoding="ascii")
        yield Dyno(cpu, memory)


class Dyno:
    """A group of processes with limits of memory and, from `limit_cpu` on, of CPU time."""

    def __init__(self, cpu: Path, memory: Path) -> None:
        self._cpu, self._memory = cpu, memory

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Start processes in the group."""
        with _entered(self._cpu), _entered(self._memory):
            yield

    def limit_cpu(self, cores: float | None) -> None:
        """Let all processes together have so many cores; None: no limit."""
        quota = -1 if cores is None else round(cores * PERIOD_MICROSECONDS)
        (self._cpu / "cpu.cfs_quota_us").write_text(str(quota), encoding="ascii")


@contextmanager
def _group(folder: Path) -> Iterator[Path]:
    folder.mkdir(exist_ok=True)
    try:
        yield folder
    finally:
        folder.rmdir()


@contextmanager
def _entered(folder: Path) -> Iterator[None]:
    """Move this process into a group, and then back into the one above it."""
    pid = str(os.getpid())
    (folder / "cgroup.procs").write_text(pid, encoding="ascii")
    try:
        yield
    finally:
        (folder.parent / "cgroup.procs").write_text(pid, encoding="ascii")
