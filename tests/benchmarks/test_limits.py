"""The imitation of a dyno: which way is chosen, and that a dyno gets no more CPU than its part."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from benchmarks.cgroup import GROUP, VERSION_1, VERSION_2, ControlGroups, find_control_groups
from benchmarks.throttle import PERIOD_SECONDS, Throttle, cpu_seconds, throttle

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="control groups and /proc")

# What a process on a busy machine can use beside its quota, until the throttle can stop it.
SLACK_SECONDS = 0.2
STARTED_SECONDS = 0.05


def folder(root: Path, files: dict[str, str]) -> Path:
    """Make a folder as the kernel shows control groups."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="ascii")
    return root


ONE = {"cpu/cgroup.procs": "", "memory/cgroup.procs": ""}
TWO = {"cgroup.controllers": "cpuset cpu io memory pids\n", "cgroup.subtree_control": ""}
FOLDERS = [
    (ONE, VERSION_1),
    (TWO, VERSION_2),
    ({}, None),
    ({"cpu/cgroup.procs": ""}, None),  # no group for memory
    ({"cgroup.controllers": "pids\n", "cgroup.subtree_control": ""}, None),
    ({**TWO, **ONE, "cgroup.controllers": "hugetlb\n"}, VERSION_1),
]


@pytest.mark.parametrize(("files", "version"), FOLDERS)
def test_the_version_is_the_one_that_limits_cpu_and_memory(
    tmp_path: Path, files: dict[str, str], version: object
) -> None:
    found = find_control_groups(folder(tmp_path, files))
    assert (found and found.version) == version


def test_each_way_is_named() -> None:
    ways = [ControlGroups(VERSION_1, Path()), ControlGroups(VERSION_2, Path()), Throttle()]
    for way, file in zip(ways, ("cpu.cfs_quota_us", "cpu.max", "SIGSTOP"), strict=True):
        assert f"`{file}`" in way.limits
    assert "`cpu.shares` 20480" in ways[0].priority
    assert "`cpu.weight` 2000" in ways[1].priority
    assert ways[2].priority == "beside other programs"


WRITTEN = [
    (VERSION_1, "cpu/", "memory/", "cpu.cfs_quota_us", "8333", "-1", "memory.limit_in_bytes"),
    (VERSION_2, "", "", "cpu.max", "8333 100000", "max", "memory.max"),
]


@pytest.mark.parametrize(
    ("version", "cpu", "memory", "quota", "limited", "unlimited", "size"), WRITTEN
)
def test_a_dyno_has_a_quota_only_while_it_is_limited(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: object,
    cpu: str,
    memory: str,
    quota: str,
    limited: str,
    unlimited: str,
    size: str,
) -> None:
    monkeypatch.setattr(Path, "rmdir", shutil.rmtree)  # the kernel removes the files of a group
    monkeypatch.setattr("benchmarks.cgroup._own_group", lambda _: "")
    groups = find_control_groups(folder(tmp_path, ONE if version is VERSION_1 else TWO))
    assert groups is not None
    dyno = f"{GROUP}/dyno/{quota}"
    with groups.entered():
        with groups.starting(512):
            assert (tmp_path / memory / GROUP / "dyno" / size).read_text() == "512M"
        with groups.limited([], 1 / 12):
            assert (tmp_path / cpu / dyno).read_text() == limited
        assert (tmp_path / cpu / dyno).read_text() == unlimited
    assert not (tmp_path / cpu / GROUP).exists()


@pytest.fixture
def busy_pid() -> Iterator[int]:
    """Yield the id of a process that uses all CPU time that it gets."""
    with Throttle().starting(0):
        process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    yield process.pid
    process.kill()
    process.wait()


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]


def state_later(pid: int) -> str:
    time.sleep(0.001)
    return state(pid)


def wait_for_work(pid: int) -> None:
    """Wait until a process has started to use CPU time."""
    while cpu_seconds([pid]) < STARTED_SECONDS:
        time.sleep(0.01)


def test_a_throttled_process_has_its_part_of_a_core(busy_pid: int) -> None:
    wait_for_work(busy_pid)
    before, periods = cpu_seconds([busy_pid]), count(1)
    throttle([busy_pid], 0.2, lambda: next(periods) > 10)
    used = cpu_seconds([busy_pid]) - before
    assert 0 < used < 10 * 0.2 * PERIOD_SECONDS + SLACK_SECONDS
    assert state(busy_pid) != "T"


def test_the_limit_ends_with_its_block(busy_pid: int) -> None:
    wait_for_work(busy_pid)
    with Throttle().limited([busy_pid], 0.01):
        seen = (state_later(busy_pid) for _ in range(20_000))
        assert "T" in seen
    assert state(busy_pid) != "T"


@pytest.mark.skipif(find_control_groups() is None, reason="needs root and control groups")
def test_a_process_in_a_group_has_its_part_of_a_core() -> None:
    groups = find_control_groups()
    assert groups is not None
    with groups.entered():
        with groups.starting(512):
            process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            wait_for_work(process.pid)
            with groups.limited([process.pid], 0.1):
                start, before = time.monotonic(), cpu_seconds([process.pid])
                while time.monotonic() < start + 5 * PERIOD_SECONDS:
                    time.sleep(PERIOD_SECONDS)
                periods = (time.monotonic() - start) / PERIOD_SECONDS + 1
                used = cpu_seconds([process.pid]) - before
        finally:
            process.kill()
            process.wait()
    assert 0 < used < periods * 0.1 * PERIOD_SECONDS + SLACK_SECONDS
