"""The environment in which files of an old scikit-learn are converted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import workbench
from workbench.inspect.old_file import CONVERTED_BY
from workbench.lock.choose import pins

PYTHON = "3.11"  # the newest with wheels of that scikit-learn
# In a clone of the template. A project has the tools in a wheel, and `make convert` instead.
SCRIPT = Path(workbench.__file__).resolve().parents[2] / "hooks" / "convert.py"


def uv_run(distributions: Collection[str], python: str | Path = PYTHON) -> list[str]:
    """Return the beginning of a `uv run` in that environment: what it installs is kept by uv."""
    pinned = pins(
        {"scikit-learn": CONVERTED_BY},
        PYTHON,
        distributions=distributions,
        pandas="pandas" in distributions,
    ).model
    with_pins = [
        part for name, version in pinned.items() for part in ("--with", f"{name}=={version}")
    ]
    return ["uv", "run", "--no-project", "--python", str(python), *with_pins]


def command(source: str, target: str, distributions: Collection[str]) -> Sequence[str]:
    """Return the command that converts a file, for a person to paste."""
    if not SCRIPT.is_file():
        return ["make", "convert", f"FILE={source}", f"OUT={target}"]
    return [*uv_run(distributions), "python", str(SCRIPT), source, target]
