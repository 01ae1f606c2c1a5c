"""The tools' selftest, run in the template folder against the adopted example."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import TEMPLATE, adopted, engine_environment
from processor import slowness
from sklearn.linear_model import LogisticRegression

from model_service.contract.golden import MAX_BATCH_BYTES
from workbench.verify.prove import prove
from workbench.verify.verify import MODEL_TESTS, TESTS

# Less on a slow processor. The lock and the installation of a verification take 10 s besides.
MAX_CPU_SECONDS = 50


def run_pytest(model: Path, *arguments: str, project: Path = TEMPLATE) -> str:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=project,
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


@pytest.mark.slow
def test_a_model_of_2630_features_is_verified_in_less_than_a_minute(tmp_path: Path) -> None:
    names = [f"sensor_channel_temperature_mean_{number:04d}" for number in range(2630)]
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2630)), columns=names)
    model = LogisticRegression(max_iter=50).fit(frame, (frame[names[0]] > 0).astype(int))
    joblib.dump(model, tmp_path / "wide.joblib")
    frame.to_csv(tmp_path / "wide.csv", index=False)
    slow_before, start = slowness(), cpu_seconds()
    project = adopted(tmp_path, tmp_path / "wide.joblib", sample_data=str(tmp_path / "wide.csv"))
    assert "predictions are recorded" in prove(project)
    # The recorded rows do not fit into one request.
    assert (project / "model" / "golden.json").stat().st_size > MAX_BATCH_BYTES
    shutil.copytree(TEMPLATE, project, dirs_exist_ok=True)
    assert "failed" not in run_pytest(project / "model", *MODEL_TESTS, project=project)
    seconds = cpu_seconds() - start
    assert seconds / max(1.0, slow_before, slowness()) < MAX_CPU_SECONDS


def cpu_seconds() -> float:
    """Return what this process and the children that have ended spent."""
    return sum(os.times()[:4])
