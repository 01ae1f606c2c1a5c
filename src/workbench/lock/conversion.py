"""The environments in which files of an old scikit-learn or XGBoost are converted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import workbench
from workbench.inspect import OldFile
from workbench.lock.choose import pins, pythons

PYTHON = "3.11"  # the newest with wheels of scikit-learn 1.1.3
# In a clone of the template. A project has the tools in a wheel, and `make convert` instead.
SCRIPT = Path(workbench.__file__).resolve().parents[2] / "hooks" / "convert.py"


def python_of(old: OldFile) -> str:
    """Return the Python on which a file is converted."""
    found = pythons(old.converted_by, _distributions(old))
    return PYTHON if PYTHON in found else found[0]


def uv_run(old: OldFile, interpreter: str | Path | None = None) -> list[str]:
    """Return the beginning of a `uv run` that converts a file: what it installs is kept by uv."""
    python, distributions = python_of(old), _distributions(old)
    pinned = pins(
        old.converted_by, python, distributions=distributions, pandas="pandas" in distributions
    ).model
    with_pins = [
        part for name, version in pinned.items() for part in ("--with", f"{name}=={version}")
    ]
    return ["uv", "run", "--no-project", "--python", str(interpreter or python), *with_pins]


def command(source: str, target: str, old: OldFile) -> Sequence[str]:
    """Return the command that converts a file, for a person to paste."""
    if not SCRIPT.is_file():
        return ["make", "convert", f"FILE={source}", f"OUT={target}"]
    return [*uv_run(old), "python", str(SCRIPT), source, target]


def _distributions(old: OldFile) -> set[str]:
    named = {module.split(".")[0] for module, _ in old.names or ()}
    return {*old.converted_by, *({"pandas"} & named)}
