"""make plan as a command; measured with the real service in the slow tests."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Bake, completed, git

from workbench.doctor.measure import cpu_time


def plan(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return completed([sys.executable, "manage.py", "plan", *options], project)


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        ([], 2, "plan needs RPS=… and P95=…; for example: make plan RPS=… P95=…"),
        (["RPS=fast", "P95=200"], 1, "RPS='fast' is no number"),
        (["RPS=5", "P95=200"], 1, "there is no .venv to serve with; run make setup"),
    ],
)
def test_a_plan_that_cannot_be_made_says_why(
    options: list[str], status: int, message: str, loan: Path
) -> None:
    result = plan(loan, *options)
    assert result.returncode == status
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say")
def test_the_cpu_time_of_this_process_grows() -> None:
    before, start = cpu_time(["self"]), time.process_time()
    while time.process_time() < start + 0.05:
        pass
    assert cpu_time(["self"]).since(before).used > 0
    assert cpu_time([2**30]).used == 0


@pytest.mark.slow
@pytest.mark.xdist_group("verified")
def test_the_verified_example_is_planned(verified: Bake) -> None:
    before = git(verified.project, "status", "--porcelain")
    result = plan(verified.project, "RPS=1", "P95=5000", "JSON=1")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert 0 < found["measured"]["busy_seconds"] < 1
    assert 50 < found["measured"]["megabytes_1_worker"] < 500
    assert found["cheapest"]["plan"]["name"] == "basic"
    assert git(verified.project, "status", "--porcelain") == before
