"""The environments in which files of an old scikit-learn or XGBoost are converted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import workbench
from workbench.inspect import old_booster, old_file
from workbench.lock.choose import pins

PYTHON = "3.11"  # the newest with wheels of that scikit-learn
CONVERTED_BY: Mapping[str, str] = {
    "scikit-learn": old_file.CONVERTED_BY,
    "xgboost": old_booster.CONVERTED_BY,
}
# In a clone of the template. A project has the tools in a wheel, and `make convert` instead.
SCRIPT = Path(workbench.__file__).resolve().parents[2] / "hooks" / "convert.py"


def uv_run(library: str, distributions: Collection[str], python: str | Path = PYTHON) -> list[str]:
    """Return the beginning of a `uv run` in that environment: what it installs is kept by uv."""
    pinned = pins(
        {library: CONVERTED_BY[library]},
        PYTHON,
        distributions={library, *distributions},
        pandas="pandas" in distributions,
    ).model
    with_pins = [
        part for name, version in pinned.items() for part in ("--with", f"{name}=={version}")
    ]
    return ["uv", "run", "--no-project", "--python", str(python), *with_pins]


def command(
    source: str, target: str, library: str, distributions: Collection[str]
) -> Sequence[str]:
    """Return the command that converts a file, for a person to paste."""
    if not SCRIPT.is_file():
        return ["make", "convert", f"FILE={source}", f"OUT={target}"]
    return [*uv_run(library, distributions), "python", str(SCRIPT), source, target]
