"""A run that is killed leaves no process, goes on, and writes the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import EXAMPLE, SRC, environment

pytestmark = pytest.mark.slow
# Each file is a part of its own, and there are more than three runs of two workers finish.
FILES, REPEATS, KILLS, SECONDS = 24, 40, 3, 240


def start(project: Path, loans: Path, output: Path, jobs: int) -> subprocess.Popen[bytes]:
    options = (f"INPUT={loans}", f"OUTPUT={output}", f"JOBS={jobs}")
    return subprocess.Popen(
        [sys.executable, "-m", "workbench.score", *options],
        cwd=project,
        env=environment(PYTHONPATH=str(SRC), OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1"),
        stdout=subprocess.DEVNULL,
    )


def finished_parts(output: Path) -> int:
    return len(list(Path(f"{output}.parts").glob("*/*.json")))


def wait_until(happens: object) -> None:
    deadline = time.monotonic() + SECONDS
    while not happens():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text(encoding="utf-8").rpartition(") ")[2][:1] != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_goes_on_after_kill_9(proven: Path, tmp_path: Path) -> None:
    header, *rows = (EXAMPLE / "sample.csv").read_text(encoding="utf-8").splitlines()
    loans, whole, output = (tmp_path / name for name in ("loans", "whole.csv", "scored.csv"))
    loans.mkdir()
    for number in range(FILES):
        text = "\n".join([header, *rows * REPEATS])
        (loans / f"{number:02}.csv").write_text(text, encoding="utf-8")
    assert start(proven, loans, whole, 1).wait(SECONDS) == 0
    before = 0
    for _ in range(KILLS):
        process = start(proven, loans, output, 2)
        before = finished_parts(output)
        wait_until(lambda before=before: finished_parts(output) > before)
        path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        children = list(map(int, path.read_text(encoding="utf-8").split()))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not output.exists()
        assert children
        wait_until(lambda children=children: not any(map(is_running, children)))
    assert finished_parts(output) >= KILLS
    assert start(proven, loans, output, 1).wait(SECONDS) == 0
    assert output.read_bytes() == whole.read_bytes()
    assert not Path(f"{output}.parts").exists()
