"""The tools' selftest, run in the template folder against the adopted example."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from conftest import TEMPLATE, engine_environment

from workbench.verify.verify import MODEL_TESTS, TESTS


def run_pytest(model: Path, *arguments: str) -> str:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=TEMPLATE,
        env=engine_environment(MODEL_DIR=str(model)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def count(model: Path, *arguments: str) -> int:
    """Return how many tests pytest collects."""
    output = run_pytest(model, "--collect-only", *arguments)
    return sum("::" in line for line in output.splitlines())


def test_the_selftest_passes_for_the_example(loan: Path) -> None:
    assert "failed" not in run_pytest(loan / "model", *TESTS[1:])


def test_verify_runs_those_tests_that_depend_on_the_model(loan: Path) -> None:
    assert TESTS[0] == MODEL_TESTS[0] == "tests"  # the owner's own, in a rendered project
    of_model = count(loan / "model", *MODEL_TESTS[1:])
    of_engine = count(loan / "model", "--pyargs", "workbench.selftest.engine")
    assert 0 < of_model < of_engine
    assert count(loan / "model", *TESTS[1:]) == of_model + of_engine
