"""The tools' selftest, run in the template folder against the adopted example."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
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


def collected(model: Path, selection: tuple[str, ...]) -> set[str]:
    """Return the selftest's tests of a selection; the owner's own need a rendered project."""
    assert selection[0] == "tests"
    output = run_pytest(model, "--collect-only", *selection[1:])
    return {line for line in output.splitlines() if "::" in line}


def test_the_selftest_passes_for_the_example(loan: Path) -> None:
    assert "failed" not in run_pytest(loan / "model", *TESTS[1:])


@pytest.mark.parametrize("folder", ["model", "engine"])
def test_verify_runs_the_tests_that_depend_on_the_model(folder: str, loan: Path) -> None:
    every = collected(loan / "model", TESTS)
    chosen = collected(loan / "model", MODEL_TESTS)
    assert chosen < every
    assert {test in chosen for test in every if f"selftest/{folder}/" in test} == {
        folder == "model"
    }
