"""A requirements.txt near the model is compared with the model file, and never used."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sklearn
from conftest import EXAMPLE, TESTS

from workbench.adopt.answers import Answers
from workbench.adopt.decide import decide

BOOSTERS = TESTS / "data" / "boosters"
RIGHT = sklearn.__version__
OTHER = (
    "requirements.txt near the model says scikit-learn 1.3.0, but the file was saved with "
    f"{RIGHT}: {RIGHT} is installed."
)


def notes(model: Path, folder: Path, requirements: bytes, where: str = ".") -> list[str]:
    """Adopt a copy of a model file in folder/app/, with requirements in a folder relative to it."""
    path = folder / "app" / model.name
    path.parent.mkdir()
    shutil.copyfile(model, path)
    (path.parent / where / "requirements.txt").write_bytes(requirements)
    return list(decide(Answers("Name", "name", "About.", str(path), folder)).notes)


@pytest.mark.parametrize("where", [".", ".."])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize(
    "line",
    [
        "scikit-learn==1.3.0",
        "Scikit_Learn == 1.3.0  # ü",
        "flask\r\nscikit-learn===1.3.0 ; python_version > '3'\r\n",
        "scikit-learn==1.3.0 \\\n    --hash=sha256:00\n",
    ],
)
def test_a_contradicting_version_is_noted(
    line: str, encoding: str, where: str, tmp_path: Path
) -> None:
    found = notes(EXAMPLE / "model.joblib", tmp_path, line.encode(encoding), where)
    assert found == [OTHER]


@pytest.mark.parametrize(
    "text",
    [
        f"scikit-learn=={RIGHT}".encode(),
        b"scikit-learn",
        b"scikit-learn>=1.3",
        b"scikit-learn==1.3.*",
        b"scikit-learn @ file:///home/conda/scikit-learn_1.3.0",
        b"sklearn==0.0",
        b"xgboost==1.7.0",  # which the model does not need
        b"# Exact, but not locked yet: run `make lock` before the push.\nscikit-learn==1.3.0",
        b"\xff\xfe\x00",
        b"",
    ],
)
def test_a_matching_version_is_not_noted(text: bytes, tmp_path: Path) -> None:
    assert notes(EXAMPLE / "model.joblib", tmp_path, text) == []


def test_a_file_without_a_version_gets_the_one_of_the_table(tmp_path: Path) -> None:
    (model,) = BOOSTERS.glob("lightgbm-4.7.0-text.joblib")
    (found,) = notes(model, tmp_path, b"lightgbm==4.3.0\n")
    assert found == (
        "requirements.txt near the model says lightgbm 4.3.0, and the file does not say: "
        "4.7.0 is installed."
    )
