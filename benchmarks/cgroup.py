"""Control groups of Linux: CPU time before other programs, and the limits of a dyno.

https://docs.kernel.org/admin-guide/cgroup-v1/cgroups.html
https://docs.kernel.org/admin-guide/cgroup-v2.html
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.throttle import PERIOD_SECONDS, first_in_line

ROOT = Path("/sys/fs/cgroup")
GROUP, CLIENT, DYNO = f"bench-plan-{os.getpid()}", "client", "dyno"
REAL_TIME_MICROSECONDS = 800_000  # of each second
PERIOD_MICROSECONDS = round(PERIOD_SECONDS * 1e6)


@dataclass(frozen=True)
class Version:
    """Where the groups of a version are, what its files are called, and the values for them."""

    hierarchies: tuple[str, ...]  # for CPU and memory, below the root; "" is the root itself
    priority: tuple[str, str]  # programs outside of all groups have a twentieth of it together
    quota: str
    quota_value: str  # of {quota} microseconds in each period
    no_quota: str
    memory: str
    controllers: str | None  # what a group has to hand down to those inside of it


VERSION_1 = Version(
    hierarchies=("cpu", "memory"),
    priority=("cpu.shares", "20480"),
    quota="cpu.cfs_quota_us",
    quota_value="{quota}",
    no_quota="-1",
    memory="memory.limit_in_bytes",
    controllers=None,
)
VERSION_2 = Version(
    hierarchies=("",),
    priority=("cpu.weight", "2000"),
    quota="cpu.max",
    quota_value=f"{{quota}} {PERIOD_MICROSECONDS}",
    no_quota="max",
    memory="memory.max",
    controllers="+cpu +memory",
)


@dataclass(frozen=True)
class ControlGroups:
    """Groups for the client and for a dyno."""

    version: Version
    root: Path

    @property
    def _cpu(self) -> Path:
        return self.root / self.version.hierarchies[0] / GROUP

    @property
    def _memory(self) -> Path:
        return self.root / self.version.hierarchies[-1] / GROUP

    @property
    def priority(self) -> str:
        """Say how the benchmark runs before other programs."""
        return "in a control group before other programs (`{}` {})".format(*self.version.priority)

    @property
    def limits(self) -> str:
        """Say what limits a dyno."""
        return (
            f"control groups: `{self.version.quota}` of each {PERIOD_MICROSECONDS // 1000} ms, "
            f"`{self.version.memory}`"
        )

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Give this process, and those it starts, the CPU before others."""
        with ExitStack() as stack:
            for hierarchy in self.version.hierarchies:
                group = self.root / hierarchy / GROUP
                self._hand_down(group.parent)
                stack.enter_context(_group(group))
                self._hand_down(group)
                for name in (CLIENT, DYNO):
                    stack.enter_context(_group(group / name))
            name, value = self.version.priority
            _write(self._cpu / name, value)
            with self._inside(CLIENT):
                yield

    @contextmanager
    def real_time(self) -> Iterator[None]:
        """Run before all programs without real time; only for what needs little CPU."""
        groups = (self._cpu, self._cpu / CLIENT)
        # Version 2 has no such limit, nor have kernels without groups of real-time processes.
        limits = [path for group in groups if (path := group / "cpu.rt_runtime_us").exists()]
        for limit in limits:
            _write(limit, str(REAL_TIME_MICROSECONDS))
        try:
            with first_in_line():
                yield
        finally:
            for limit in reversed(limits):
                _write(limit, "0")

    @contextmanager
    def starting(self, megabytes: int) -> Iterator[None]:
        """Start processes as a dyno of so much memory, without a limit of CPU."""
        _write(self._memory / DYNO / self.version.memory, f"{megabytes}M")
        with self._inside(DYNO):
            yield

    @contextmanager
    def limited(self, _pids: Sequence[int], cores: float) -> Iterator[None]:
        """Let all processes of the dyno together have so many cores."""
        path = self._cpu / DYNO / self.version.quota
        quota = round(cores * PERIOD_MICROSECONDS)
        _write(path, self.version.quota_value.format(quota=quota))
        try:
            yield
        finally:
            _write(path, self.version.no_quota)

    @contextmanager
    def _inside(self, name: str) -> Iterator[None]:
        """Move this process into a group, and then back."""
        hierarchies, pid = self.version.hierarchies, str(os.getpid())
        before = [self.root / hierarchy / _own_group(hierarchy) for hierarchy in hierarchies]
        try:
            for hierarchy in hierarchies:
                _write(self.root / hierarchy / GROUP / name / "cgroup.procs", pid)
            yield
        finally:
            for group in before:
                _write(group / "cgroup.procs", pid)

    def _hand_down(self, group: Path) -> None:
        if self.version.controllers is not None:
            _write(group / "cgroup.subtree_control", self.version.controllers)


def find_control_groups(root: Path = ROOT) -> ControlGroups | None:
    """Return the groups that this process can make, None if there are none."""
    listed, control = root / "cgroup.controllers", root / "cgroup.subtree_control"
    controllers = listed.read_text(encoding="ascii").split() if listed.exists() else []
    if {"cpu", "memory"} <= set(controllers) and os.access(control, os.W_OK):
        return ControlGroups(VERSION_2, root)
    if all(os.access(root / k / "cgroup.procs", os.W_OK) for k in VERSION_1.hierarchies):
        return ControlGroups(VERSION_1, root)
    return None


def _own_group(hierarchy: str) -> str:
    """Return the group of this process in a hierarchy, from its root."""
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, kinds, path = line.split(":", 2)
        if hierarchy in kinds.split(","):
            return path.lstrip("/")
    return ""


@contextmanager
def _group(folder: Path) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    try:
        yield
    finally:
        folder.rmdir()


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="ascii")
