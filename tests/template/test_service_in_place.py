"""The project's own tests, run in the template folder against the adopted example."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from conftest import TEMPLATE, environment


def run_tests(model: Path) -> str:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=TEMPLATE,
        env=environment(MODEL_DIR=str(model)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_projects_tests_pass_in_place(loan: Path) -> None:
    assert "failed" not in run_tests(loan / "model")
