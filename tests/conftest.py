"""Baking: every project in these tests is rendered by the real cookiecutter in a child process."""

# ruff: noqa: E402  # what must be set before others are imported
from __future__ import annotations

import ctypes
import gc
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Before NumPy is imported: where tests run side by side, threads of tiny models wait for each other
# and cost a hundred times what they save.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Before anything of the template folder is: cookiecutter copies what lies there into each project.
sys.dont_write_bytecode = True

import numpy as np
import pandas as pd
import pytest

from workbench.adopt.answers import Answers
from workbench.adopt.decide import decide
from workbench.adopt.write import write
from workbench.verify.prove import prove

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
SRC = ROOT / "src"
TEMPLATE = ROOT / "{{cookiecutter.project_slug}}"
EXAMPLE = ROOT / "examples" / "loan_model"
# A row of the loan example.
LOAN_ROW: dict[str, Any] = {
    "applicant_income": 9910,
    "coapplicant_income": 1740,
    "dependents": "0",
    "education": "Graduate",
    "self_employed": "No",
    "loan_amount": 244000,
    "loan_term": 360,
    "credit_history": "good",
    "property_area": "Urban",
}
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which nothing of the developer's own settings is left."""
    settings = ("GIT_", "COOKIECUTTER", "MAKE", "MFLAGS")  # make hands its own on to a make inside
    kept = {k: v for k, v in os.environ.items() if not k.startswith(settings)}
    clean = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "NO_COLOR": "1"}
    return {**kept, **clean, **IDENTITY, "PYTHONDONTWRITEBYTECODE": "1", **more}


def engine_environment(**more: str) -> dict[str, str]:
    """Return the environment in which the template's own app.py finds the engine's source."""
    return environment(PYTHONPATH=str(SRC), **more)


def completed(
    command: Sequence[str | Path], folder: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder, with nothing to read, and return what came of it."""
    return subprocess.run(
        command,
        cwd=folder,
        env=env or environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@dataclass(frozen=True)
class Bake:
    """What came of one run of cookiecutter."""

    folder: Path
    status: int
    output: str
    errors: str

    @property
    def project(self) -> Path:
        (project,) = (path for path in self.folder.iterdir() if path.is_dir())
        return project

    @property
    def message(self) -> str:
        """What we said, without the traceback that cookiecutter prints behind it."""
        return self.errors.split("ERROR:")[0].split("Stopping generation")[0]


def bake(folder: Path, *options: str, env: Mapping[str, str] | None = None, **answers: Any) -> Bake:
    """Run cookiecutter in a folder; without `verify` in the answers nothing is installed."""
    folder.mkdir(parents=True, exist_ok=True)
    answers = {"verify": "false", **answers}
    command = [sys.executable, "-m", "cookiecutter", str(ROOT), "--no-input", *options]
    typed = [f"{name}={value}" for name, value in answers.items()]
    result = completed([*command, *typed], folder, env)
    return Bake(folder, result.returncode, result.stdout, result.stderr)


def files(folder: Path) -> dict[str, bytes]:
    """Return the files of a project by name, without git's own and what git ignores."""
    ignored = {".git", ".venv", ".tools", "__pycache__", ".sample.csv"}
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not ignored & set(path.relative_to(folder).parts)
    }


def git(project: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments],
        cwd=project,
        env=environment(),
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def adopted(folder: Path, model: Path, **answers: str) -> Path:
    """Adopt a file into an empty project and return the project."""
    given = {
        "project_name": "A model",
        "project_slug": "a-model",
        "description": "About it.",
        "python_version": PYTHON,
        **answers,
    }
    project = folder / "project"
    write(decide(Answers(model_path=str(model), folder=folder, **given)), project)
    return project


def in_json(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and np.isnan(value) else value


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {name: in_json(value) for name, value in row.items()} for row in frame.to_dict("records")
    ]


MAX_MEGABYTES = 700


@pytest.fixture(autouse=True, scope="module")
def memory_is_given_back() -> Iterator[None]:
    """Give back what a module's tests have freed, and fail if this process still holds too much.

    A fuzzer's limit counts what it inherits, and tests side by side share the machine's memory.
    """
    yield
    statm = Path("/proc/self/statm")
    if statm.exists():
        gc.collect()
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc, which keeps freed memory
        if trim is not None:
            trim(0)
        held = int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20
        assert held < MAX_MEGABYTES, (
            f"the test process holds {held} MB; let a child process do this"
        )


@pytest.fixture(scope="session")
def loan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The loan example, rendered once and not verified. Read it, do not change it."""
    result = bake(tmp_path_factory.mktemp("loan"), python_version=PYTHON)
    assert result.status == 0, result.errors
    return result.project


@pytest.fixture
def loan_copy(loan: Path, tmp_path: Path) -> Path:
    """A copy of the loan example to change."""
    copy = tmp_path / loan.name
    shutil.copytree(loan, copy)
    return copy


@pytest.fixture(scope="session")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The loan example, adopted and proven in this environment: its fast path serves."""
    answers = {"features": "features.json", "sample_data": "sample.csv"}
    paths = {name: str(EXAMPLE / file) for name, file in answers.items()}
    project = adopted(tmp_path_factory.mktemp("proven"), EXAMPLE / "model.joblib", **paths)
    prove(project)
    return project


@pytest.fixture(scope="session")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Bake:
    """The loan example, rendered once and verified: locked, installed, proven."""
    result = bake(tmp_path_factory.mktemp("verified"), verify="true", python_version=PYTHON)
    assert result.status == 0, result.errors
    return result


def features_of(project: Path) -> dict[str, dict[str, Any]]:
    document = json.loads((project / "model" / "features.json").read_text(encoding="utf-8"))
    return {feature["name"]: feature for feature in document["features"]}
