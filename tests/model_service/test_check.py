"""`python -m model_service check`: what the service checks when it starts, as a command."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import EXAMPLE, SRC, adopted, environment

from workbench.verify.prove import prove


@pytest.fixture(scope="module")
def loan_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The loan example with golden predictions that were recorded here."""
    folder = tmp_path_factory.mktemp("check")
    answers = {
        "features": str(EXAMPLE / "features.json"),
        "sample_data": str(EXAMPLE / "sample.csv"),
    }
    project = adopted(folder, EXAMPLE / "model.joblib", **answers)
    prove(project)
    return project


@pytest.fixture
def project(loan_project: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(loan_project, tmp_path / "project"))


def check(project: Path, *arguments: str, **env: str) -> tuple[int, str, str]:
    found = subprocess.run(
        [sys.executable, "-m", "model_service", "check", *arguments],
        cwd=project,
        env=environment(PYTHONPATH=str(SRC), **{"MODEL_DIR": "", **env}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.returncode, found.stdout, found.stderr


def test_each_thing_that_is_right_has_a_line(project: Path) -> None:
    status, output, errors = check(project)
    assert (status, errors) == (0, "")
    kinds = [line.partition(": ")[0] for line in output.splitlines()]
    assert kinds == [
        "config vars",
        "Python",
        "libraries",
        "model/model.joblib",
        "golden predictions",
    ]
    assert output.endswith("golden predictions: all 29 are reproduced\n")


@pytest.mark.parametrize("way", ["argument", "config var"])
def test_the_folder_can_be_another(project: Path, way: str, tmp_path: Path) -> None:
    folder = str(project / "model")
    arguments, env = ((folder,), {}) if way == "argument" else ((), {"MODEL_DIR": folder})
    status, output, _ = check(tmp_path, *arguments, **env)
    assert status == 0
    assert f"{folder}/model.joblib: " in output


def test_another_file_is_one_sentence_and_status_3(project: Path) -> None:
    (project / "model" / "model.joblib").write_bytes(b"another")
    status, _, errors = check(project)
    assert status == 3
    assert errors.count("\n") == 1
    assert "is not the file that was adopted" in errors


def test_a_wrong_config_var_is_one_sentence_and_status_3(project: Path) -> None:
    status, _, errors = check(project, PREDICT_SECONDS="soon")
    assert status == 3
    assert errors.startswith("PREDICT_SECONDS is 'soon'")
    assert errors.count("\n") == 1


def test_other_predictions_are_one_sentence_and_status_1(project: Path) -> None:
    path = project / "model" / "golden.json"
    golden = json.loads(path.read_text())
    golden["predictions"][0]["prediction"] = "Z"
    path.write_text(json.dumps(golden))
    status, output, errors = check(project)
    assert status == 1
    assert errors == "The model does not reproduce its recorded predictions; run make verify.\n"
    assert "golden predictions" not in output
