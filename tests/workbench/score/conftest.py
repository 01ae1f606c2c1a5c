"""What the tests of make score share: rows, small parts, and processes that have pyarrow.

pyarrow is no part of the template's own environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import SRC, environment
from flask.testing import FlaskClient

from model_service.csv import records
from model_service.model.loading import load_model
from model_service.web.app import create_app
from model_service.web.settings import Settings
from workbench.lock.environment import find_uv
from workbench.lock.table import PYARROW
from workbench.score import sources, work

HERE = Path(__file__).resolve().parent
Child = Callable[..., subprocess.CompletedProcess[str]]
HEADER = (
    "id,applicant_income,coapplicant_income,dependents,education,self_employed,loan_amount,"
    "loan_term,credit_history,property_area"
)
GOOD = "5000,0,1,Graduate,No,120000,360,good,Urban"


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Cut files of some rows into several parts, and load each test's project anew."""
    monkeypatch.setattr(records, "BLOCK_BYTES", 200)
    monkeypatch.setattr(sources, "PART_BYTES", 300)
    yield
    work.load_scorer.cache_clear()


@pytest.fixture(scope="module")
def client(proven: Path) -> FlaskClient:
    return create_app(load_model(proven / "model"), Settings()).test_client()


def install(folder: Path, *requirements: str) -> Path:
    """Install packages into a folder of their own."""
    uv = find_uv(Path())
    assert uv is not None
    command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", folder]
    subprocess.run([*command, *requirements], check=True)
    return folder


@pytest.fixture(scope="session")
def with_pyarrow(tmp_path_factory: pytest.TempPathFactory) -> Child:
    """Run Python with pyarrow beside the sources."""
    version = PYARROW.get(f"{sys.version_info.major}.{sys.version_info.minor}", PYARROW["newest"])
    folder = install(tmp_path_factory.mktemp("pyarrow"), "--no-deps", f"pyarrow=={version}")
    return child(folder)


def child(*folders: Path) -> Child:
    """Return a function that runs Python with the sources and some folders on its path."""
    path = os.pathsep.join(map(str, (SRC, HERE, *folders)))

    def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=cwd,
            env=environment(PYTHONPATH=path, **one_thread),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return run
