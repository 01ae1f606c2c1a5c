"""Remake `workbench/pins.json` from the package index.

    python tools/make_pins.py            # write the table
    python tools/make_pins.py --check    # only say whether the table is what the index gives

For a maintainer, with the network; needs uv (on PATH, or its path in $UV) and nothing else.
A scikit-learn release is in the table if it has a wheel for x86_64 Linux and one of Heroku's
Pythons. Its companions are what `uv pip compile` chose on a fixed day (`--exclude-newer`) on which
that scikit-learn was the newest: old scikit-learn breaks with today's numpy, scipy and pandas.
So the table only changes when there is a new scikit-learn or a line of this file does.

A new scikit-learn minor: add a Recipe on top. A new day for Flask and pytest: change TODAY.
Then run this, and prove the new sets: `PINS_PROVE=1.9 pytest tests/test_pins.py -m slow`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE = (
    Path(__file__).resolve().parents[1]
    / "{{cookiecutter.project_slug}}"
    / "workbench"
    / "pins.json"
)

# https://devcenter.heroku.com/articles/python-support; 3.10 leaves on 2027-01-06.
HEROKU_PYTHONS = ("3.14", "3.13", "3.12", "3.11", "3.10")
HEROKU_DEFAULT = "3.14"
PLATFORM = "x86_64-manylinux_2_28"
OLDEST = "1.1.3"  # the first with wheels for two of those Pythons
UV_VERSION = "0.13.9"

TODAY = "2026-11-22"
SERVICE = ("flask==3.1.3", "gunicorn==27.0.1")
SERVICE_BOUNDS = {"flask": ">=3.1,<4", "gunicorn": ">=27,<28"}
TESTS = ("pytest",)


@dataclass(frozen=True)
class Recipe:
    """Say on which day, and with which wishes, one set of companions is chosen."""

    minor: str
    day: str
    pythons: tuple[str, ...]
    wishes: tuple[str, ...] = ()
    since: str = ""  # the first release of the minor that the set is for, if not all


# The preferred set of a minor comes first. The days lie some weeks after the minor's last release
# and before the next minor, or before a major release of a companion.
RECIPES = (
    Recipe("1.9", TODAY, ("3.14", "3.13", "3.12", "3.11")),
    Recipe("1.8", "2026-01-18", ("3.14", "3.13", "3.12", "3.11")),
    # No numpy has wheels for both Python 3.10 and 3.14.
    Recipe("1.7", "2025-12-08", ("3.14", "3.13", "3.12", "3.11")),
    Recipe("1.7", "2025-12-08", ("3.10",)),
    Recipe("1.7", "2025-12-08", ("3.12", "3.11", "3.10"), ("numpy<2", "scipy<1.16")),
    Recipe("1.6", "2025-06-03", ("3.13", "3.12", "3.11", "3.10")),
    Recipe("1.6", "2025-06-03", ("3.12", "3.11", "3.10"), ("numpy<2",)),
    Recipe("1.5", "2024-12-07", ("3.13", "3.12", "3.11", "3.10")),
    Recipe("1.5", "2024-12-07", ("3.12", "3.11", "3.10"), ("numpy<2",)),
    Recipe("1.4", "2024-05-20", ("3.12", "3.11", "3.10")),
    # 1.4.2 is the first that is built for both majors of numpy.
    Recipe("1.4", "2024-09-30", ("3.12", "3.11", "3.10"), ("numpy==2.0.*", "scipy<1.14"), "1.4.2"),
    # Some weeks into 1.4: the first python-dateutil that does not warn on Python 3.12.
    Recipe("1.3", "2024-03-15", ("3.12", "3.11", "3.10"), ("scipy<1.12", "pandas<2.2")),
    Recipe("1.2", "2023-03-31", ("3.11", "3.10")),
    # Not its own numpy 1.23: that one cannot read random states that 1.24 and later wrote.
    Recipe("1.1", "2023-03-31", ("3.11", "3.10")),
)


class Unsolvable(Exception):
    """Say that the index holds no such set of wheels."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the table, or check it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare; write nothing")
    options = parser.parse_args(arguments)
    text = dump(table())
    if options.check:
        same = TABLE.is_file() and TABLE.read_text(encoding="utf-8") == text
        print(f"{TABLE.name} is {'what the index gives' if same else 'stale: run without --check'}")
        return 0 if same else 1
    TABLE.write_text(text, encoding="utf-8")
    return 0


def table() -> dict[str, Any]:
    """Ask the index for everything that the table says."""
    releases = wheels()
    service, markers = choose(SERVICE, (), HEROKU_PYTHONS, TODAY)
    if markers:
        raise SystemExit(f"the service needs more on some Pythons: {markers}")
    tests, extra = choose(TESTS, exactly(service), HEROKU_PYTHONS, TODAY)
    for release, pythons in releases.items():
        served = {p for recipe in RECIPES if recipe.minor == minor(release) for p in recipe.pythons}
        if missing := set(pythons) - served:
            raise SystemExit(f"no recipe for scikit-learn {release} on Python {sorted(missing)}")
    sets = [companions(recipe, releases) for recipe in RECIPES]
    return {
        "heroku": {"pythons": list(HEROKU_PYTHONS), "default": HEROKU_DEFAULT},
        "uv": UV_VERSION,
        "service": {"bounds": SERVICE_BOUNDS, "pins": service},
        "tests": {"pins": tests, "extra": extra},
        "releases": {release: list(pythons) for release, pythons in releases.items()},
        "sets": sets,
    }


def wheels() -> dict[str, tuple[str, ...]]:
    """Find every scikit-learn release with wheels, newest first, and its Pythons."""
    found: dict[str, list[str]] = {}
    for python in HEROKU_PYTHONS:
        below = ""
        while True:
            try:
                answer = solve([f"scikit-learn>={OLDEST}{below}"], (), python, None)
            except Unsolvable:
                break
            version = answer["scikit-learn"]
            found.setdefault(version, []).append(python)
            below = f",<{version}"
    order = sorted(found, key=lambda version: [int(n) for n in re.findall(r"\d+", version)])
    return {version: tuple(found[version]) for version in reversed(order)}


def companions(recipe: Recipe, releases: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    """Choose one set; what only pandas needs stands apart."""
    newest = next(release for release in releases if minor(release) == recipe.minor)
    model = f"scikit-learn=={newest}"
    chosen, extra = choose([model, "pandas"], recipe.wishes, recipe.pythons, recipe.day)
    without = solve([model], exactly(chosen), recipe.pythons[-1], recipe.day)
    if extra or not without.items() <= chosen.items():
        raise SystemExit(f"no common set for {recipe}: {extra or without}")
    del without["scikit-learn"], chosen["scikit-learn"]
    since = {"since": recipe.since} if recipe.since else {}
    return {
        "scikit-learn": recipe.minor,
        **since,
        "pythons": list(recipe.pythons),
        "pins": without,
        "pandas": {name: chosen[name] for name in chosen if name not in without},
    }


def choose(
    wanted: Sequence[str], limits: Sequence[str], pythons: Sequence[str], day: str
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Choose versions on the oldest Python that serve the others alike, and what some need more."""
    first = solve(wanted, limits, pythons[-1], day)
    answers = {python: solve(wanted, [*limits, *exactly(first)], python, day) for python in pythons}
    shared = {n: v for n, v in first.items() if all(n in a for a in answers.values())}
    extra = {p: {n: v for n, v in a.items() if n not in shared} for p, a in answers.items()}
    return shared, {python: more for python, more in extra.items() if more}


def solve(
    wanted: Sequence[str], limits: Sequence[str], python: str, day: str | None
) -> dict[str, str]:
    """Run `uv pip compile`, wheels only; without a day look at today and at no dependencies."""
    with tempfile.TemporaryDirectory() as folder:
        asked, limited = Path(folder, "asked.in"), Path(folder, "limits.in")
        asked.write_text("\n".join(wanted), encoding="utf-8")
        limited.write_text("\n".join(limits), encoding="utf-8")
        command = [uv(), "pip", "compile", str(asked), "--constraints", str(limited), "--quiet"]
        command += ["--only-binary", ":all:", "--python", sys.executable, "--no-python-downloads"]
        command += ["--python-version", python, "--python-platform", PLATFORM]
        command += ["--no-header", "--no-annotate"]
        command += ["--exclude-newer", f"{day}T00:00:00Z"] if day else ["--no-deps"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        if "No solution found" not in done.stderr:  # say no network, not "no wheels"
            raise SystemExit(f"uv failed: {done.stderr}")
        raise Unsolvable(f"{list(wanted)} on Python {python}: {done.stderr}")
    lines = (line.partition("==") for line in done.stdout.splitlines())
    return {name: version for name, equals, version in lines if equals}


def exactly(versions: dict[str, str]) -> list[str]:
    """Write versions as requirements."""
    return [f"{name}=={version}" for name, version in versions.items()]


def uv() -> str:
    """Find uv."""
    path = os.environ.get("UV") or shutil.which("uv")
    if not path:
        raise SystemExit("uv is needed: https://docs.astral.sh/uv/")
    return path


def minor(version: str) -> str:
    """Cut a version to its first two numbers."""
    return ".".join(version.split(".")[:2])


def dump(data: dict[str, Any]) -> str:
    """Write JSON with each list of Pythons on one line: small, and diffs are readable."""
    text = json.dumps(data, indent=1)
    return re.sub(r"\[[^][{}]*\]", lambda found: json.dumps(json.loads(found[0])), text) + "\n"


if __name__ == "__main__":
    sys.exit(main())
