"""The start command of each platform's file, run as the platform runs it.

With its user id, a read-only disk, the memory of the size in the file (a cgroup, where this machine
gives one), PORT, the variables of the file, and X-Forwarded-For as the platform writes it.
"""

from __future__ import annotations

import itertools
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest
from conftest import LOAN_ROW, SRC, TEMPLATE, environment
from running import free_port
from tests.workbench.platforms.wanted import Wanted, read

from workbench.platforms.command import platform
from workbench.platforms.registry import PLATFORMS

NOBODY = 65534
DISK = ("/", "/tmp", "/var/tmp", str(TEMPLATE))


@dataclass(frozen=True)
class Place:
    """The user, and the header for a caller: the platform's documentation, or what users report."""

    uid: int
    forwarded: str


PLACES = {
    "render": Place(NOBODY, "{}, 104.23.160.1, 10.21.200.2"),
    "railway": Place(NOBODY, "{}"),
    "fly": Place(NOBODY, "{}, 66.241.125.1"),
    "cloudrun": Place(NOBODY, "{}"),
    "spaces": Place(1000, "{}"),
    "scalingo": Place(1000, "{}"),
    "dokku": Place(NOBODY, "{}"),
    "captain": Place(NOBODY, "{}"),
    "heroku-fir": Place(1000, "{}"),
}


def cannot_imitate() -> str:
    """Return what this machine lacks; empty: nothing."""
    if os.geteuid() or not all(map(shutil.which, ("unshare", "setpriv"))):
        return "needs root, unshare and setpriv"
    probe = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", sys.executable, "-c", ""]
    attempts = (["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"], probe)
    if any(subprocess.run(a, capture_output=True, check=False).returncode for a in attempts):
        return "another user cannot run this Python, or nothing can be mounted"
    return ""


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(cannot_imitate()), reason=cannot_imitate() or "all is there"),
]


@contextmanager
def memory_of(megabytes: int) -> Iterator[list[str]]:
    """Yield the shell commands that put a process under a memory limit; none without cgroups."""
    name = f"model-service-{os.getpid()}"
    roots = {
        Path("/sys/fs/cgroup/memory"): "memory.limit_in_bytes",
        Path("/sys/fs/cgroup"): "memory.max",
    }
    for root, limit in roots.items():
        group = root / name
        try:
            group.mkdir()
            (group / limit).write_text(str(megabytes << 20))
        except OSError:
            if group.is_dir():
                group.rmdir()
            continue
        try:
            yield [f"echo $$ > {group}/cgroup.procs"]
        finally:
            group.rmdir()
        return
    yield []


def command(line: str) -> list[str]:
    """Return a command of the file for the Python of these tests."""
    program, *arguments = shlex.split(line)
    module = [] if program == "python" else ["-m", program]
    return [sys.executable, *module, *arguments]


def imitation(place: Place, model: Path, before: list[str], line: str) -> list[str]:
    """Return the command in a namespace of its own: read-only, another user, the model at /mnt."""
    mounts = [f"mount --bind '{model}' /mnt"]
    mounts += [f"mount --bind '{p}' '{p}' && mount -o remount,bind,ro '{p}'" for p in DISK]
    user = f"setpriv --reuid={place.uid} --regid={place.uid} --clear-groups"
    script = " && ".join([*before, *mounts, f'exec {user} "$@"'])
    namespace = ["unshare", "--mount", "--propagation", "private"]
    return [*namespace, "sh", "-c", script, "sh", *command(line)]


def variables(wanted: Wanted, port: int) -> dict[str, str]:
    return environment(
        PYTHONPATH=str(SRC),
        MODEL_DIR="/mnt",
        PORT=str(port),
        TRUSTED_PROXIES=str(wanted.proxies),
        REQUESTS_PER_MINUTE="2",
        HOME="/nowhere",
    )


@contextmanager
def started(name: str, wanted: Wanted, model: Path, log: Path) -> Iterator[int]:
    port, megabytes = free_port(), PLATFORMS[name].megabytes or 512
    with ExitStack() as stack:
        before = stack.enter_context(memory_of(megabytes))
        output = stack.enter_context(log.open("wb"))
        process = subprocess.Popen(
            imitation(PLACES[name], model, before, wanted.start),
            cwd=TEMPLATE,
            env=variables(wanted, port),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            deadline = time.monotonic() + 60
            while True:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                try:
                    if ask(port, "/ready")[0] == 200:
                        break
                except OSError:
                    time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            process.wait(30)


def ask(port: int, path: str, forwarded: str = "") -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": "application/json"}
    headers |= {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https"} if forwarded else {}
    try:
        if path == "/predict":
            connection.request("POST", path, json.dumps(LOAN_ROW), headers)
        else:
            connection.request("GET", path, headers=headers)
        with connection.getresponse() as response:
            return response.status, response.read()
    finally:
        connection.close()


def statuses_of(port: int, place: Place) -> list[int]:
    """Return the answers to requests that one minute of the rate limit has all counted."""
    for attempt in itertools.count():
        caller, other = f"203.0.113.{2 * attempt}", f"203.0.113.{2 * attempt + 1}"
        # The last two forge an address in front of their own.
        callers = (caller, caller, caller, other, f"192.0.2.1, {caller}", f"{other}, {caller}")
        minute = time.time() // 60
        statuses = [ask(port, "/predict", place.forwarded.format(c))[0] for c in callers]
        if time.time() // 60 == minute:
            return statuses
    raise AssertionError


@pytest.mark.parametrize("name", PLACES)
def test_it_serves_and_tells_callers_apart(loan_copy: Path, tmp_path: Path, name: str) -> None:
    platform(loan_copy, name)
    texts = {p: (loan_copy / p).read_text() for p in PATHS if (loan_copy / p).exists()}
    wanted, place = read(name, texts), PLACES[name]
    with started(name, wanted, loan_copy / "model", tmp_path / "log") as port:
        statuses = statuses_of(port, place)
    # Two a minute for each caller; what a caller forges in front changes nothing.
    assert statuses == [200, 200, 429, 200, 429, 429]
    if wanted.release:
        ran = subprocess.run(
            imitation(place, loan_copy / "model", [], wanted.release),
            cwd=TEMPLATE,
            env=variables(wanted, 0),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, "")


PATHS = (
    *("render.yaml", ".railway/railway.ts", "fly.toml", "service.yaml", "README.md", "Dockerfile"),
    *("scalingo.json", "Procfile", "app.json", "captain-definition", "project.toml"),
)
