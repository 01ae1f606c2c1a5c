"""The modules that the tools import under cookiecutter's own Python need no installed package."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import SRC

MODULES = [
    *(
        f"model_service.contract.{path.stem}"
        for path in sorted((SRC / "model_service" / "contract").glob("*.py"))
        if path.stem != "__init__"
    ),
    "model_service.columns.categories",
    "model_service.errors",
    "model_service.model.manifest",
]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_needs_the_standard_library_only(module: str) -> None:
    # -I ignores the environment and the working directory, -S leaves site-packages out.
    code = f"import sys; sys.path.insert(0, {str(SRC)!r}); import {module}"
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", code], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
