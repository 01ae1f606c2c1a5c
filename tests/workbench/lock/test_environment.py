"""Python interpreters and uv."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conftest import PYTHON, TEMPLATE

from workbench.lock.environment import find_python
from workbench.lock.table import UV_VERSION


def test_the_interpreter_that_runs_is_found_and_a_dead_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_python(PYTHON) == Path(sys.executable).resolve()
    shim = tmp_path / "python3.99"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.99: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_python("3.99") is None
    shim.write_text("#!/bin/sh\necho 3.99\n")
    assert find_python("3.99") == shim


def test_the_dockerfile_has_the_uv_of_the_pins() -> None:
    assert f"uv=={UV_VERSION}" in (TEMPLATE / "Dockerfile").read_text()
