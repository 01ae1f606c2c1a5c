"""Processes that have pyarrow: it is no part of the template's own environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SRC, environment

from workbench.lock.environment import find_uv
from workbench.lock.table import PYARROW

HERE = Path(__file__).resolve().parent
Child = Callable[..., subprocess.CompletedProcess[str]]


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
