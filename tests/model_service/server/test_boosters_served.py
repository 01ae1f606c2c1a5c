"""XGBoost and LightGBM in two workers that were forked after the model was loaded: none hangs.

Their OpenMP threads do not survive a fork: waiting for one of them would never end.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from benchmarks.environments import CATBOOST, LIBRARIES
from benchmarks.soak import run_soak
from conftest import ROOT, bake
from soaking import (
    SMALL_LOAD,
    in_thread,
    missed_in_seconds,
    right_answers,
)

from workbench.lock.environment import find_python

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads the workers from /proc"),
]

# Unless it is set, the engine gives OpenMP one thread.
THREADS = {"one thread": {}, "two threads": {"OMP_NUM_THREADS": "2"}}


# The Pythons that the newest XGBoost has wheels for.
PYTHONS = {version: find_python(version) for version in ("3.13", "3.12", "3.14")}
VERSION, INTERPRETER = next((found for found in PYTHONS.items() if found[1]), ("", None))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models of the benchmark, which may use all cores. Returns their folder."""
    if INTERPRETER is None:
        pytest.skip(f"needs Python {' or '.join(PYTHONS)}")
    folder = tmp_path_factory.mktemp("trained")
    python = str(folder / "venv" / "bin" / "python")
    for command in (
        ["uv", "venv", "--quiet", "--python", str(INTERPRETER), str(folder / "venv")],
        ["uv", "pip", "install", "--quiet", "--python", python, *LIBRARIES, CATBOOST],
        [python, str(ROOT / "benchmarks" / "train.py"), str(folder / "models")],
    ):
        subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL)
    return folder / "models"


@pytest.fixture(scope="module", params=["xgboost", "lightgbm"])
def project(
    models: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Path:
    """A verified project around one of them."""
    folder = models / request.param
    result = bake(
        tmp_path_factory.mktemp(request.param),
        model_path=folder / "model.joblib",
        sample_data=folder / "sample.csv",
        features=folder / "features.json",
        python_version=VERSION,
        verify="true",
    )
    assert result.status == 0, result.errors
    return result.project


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("serves", ["fast", "native"])
def test_boosters_answer_every_request(
    project: Path, tmp_path: Path, serves: str, threads: str
) -> None:
    """Rows, batches and files at once, before a worker is killed and another forked, and after."""
    model = tmp_path / "model"
    shutil.copytree(project / "model", model)
    manifest = json.loads((model / "manifest.json").read_text())
    assert manifest["fast_path"]["serves"] == "fast"
    manifest["fast_path"]["serves"] = serves
    (model / "manifest.json").write_text(json.dumps(manifest))
    variables = {"MODEL_DIR": str(model), **THREADS[threads]}
    soak, messages = in_thread(
        lambda: run_soak(project, tmp_path / "log", 5, SMALL_LOAD, **variables)
    )
    assert missed_in_seconds(soak) == [], messages
    assert right_answers(soak) > 20
