"""Write `src/workbench/lock/pins.json` from the package index.

    python tools/make_pins.py            # write the table
    python tools/make_pins.py --check    # compare the table with the index; exit 1 if it differs

For maintainers. Needs the network and uv (on PATH, or its path in $UV).

A release of scikit-learn, XGBoost or CatBoost is in the table if it has a wheel for x86_64 Linux
and one of Heroku's Pythons. Its companions (numpy, scipy, pandas, …) are what `uv pip compile`
chooses on a fixed day (`--exclude-newer`) on which that scikit-learn was the newest, because an old
scikit-learn breaks with today's companions. So the table changes only with a new scikit-learn or
with this file.

- A new minor version of scikit-learn: add a Recipe on top, with a LightGBM that works with it.
- A new XGBoost or CatBoost: add it to the newest Era, or add an Era if it needs another
  scikit-learn.
- Newer versions of Flask and pytest: change TODAY.

Then run this script, and test the new sets:
`PINS_PROVE=1.9 pytest tests/workbench/lock/test_pins.py -m slow`.
"""

from __future__ import annotations

import argparse
import contextlib
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

TABLE = Path(__file__).resolve().parents[1] / "src" / "workbench" / "lock" / "pins.json"

# https://devcenter.heroku.com/articles/python-support; 3.10 leaves on 2027-01-06.
HEROKU_PYTHONS = ("3.14", "3.13", "3.12", "3.11", "3.10")
PLATFORM = "x86_64-manylinux_2_28"
OLDEST = "1.0.2"  # the first with wheels for one of those Pythons
UV_VERSION = "0.13.9"
# They read the files of their older releases, so one version serves all.
READERS = {"cloudpickle": "3.1.2", "dill": "0.4.0"}
# What make score reads Parquet with: the last release for a Python, and the newest one.
PYARROW = {"3.10": "25.0.1", "newest": "26.0.1"}

TODAY = "2026-11-22"
# httptools is llhttp, the parser of Node.js: gunicorn's own, in Python, took a fifth of the time of
# a row. It needs nothing else and has wheels for all these Pythons; where there is none, gunicorn's
# own worker serves.
# psycopg is for jobs, with libpq inside; it needs typing-extensions before Python 3.13.
SERVICE = (
    *("flask==3.1.3", "flask-swagger-ui==5.34.0", "gunicorn==27.0.1", "httptools==0.9.0"),
    *("psycopg[binary]==3.3.9", "typing-extensions==4.16.0"),
)
SERVICE_BOUNDS = {
    "flask": ">=3.1,<4",
    "flask-swagger-ui": ">=5.34,<6",
    "gunicorn": ">=27,<28",
    "httptools": ">=0.9,<1",
    "psycopg[binary]": ">=3.2,<4",
}
TESTS = ("pytest",)


@dataclass(frozen=True)
class Recipe:
    """How one set of companions is chosen: the day, the Pythons and additional constraints."""

    minor: str
    day: str
    pythons: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    since: str = ""  # the first release of the minor version that the set is for, if not all
    lightgbm: str = "4.6.0"  # reads the models of every 4.x


@dataclass(frozen=True)
class Era:
    """Releases of a library that get the same scikit-learn if the model file records none."""

    library: str
    first: str
    last: str
    minors: tuple[str, ...]  # of scikit-learn; the second is for files written with numpy 2
    installs: str = ""  # the distribution to install on x86_64 Linux, if it is another one
    numpy: int = 0  # the only major version of numpy that it works with
    more: tuple[str, ...] = ()  # dependencies that only these releases have
    day: str = TODAY


# The preferred set of a minor version comes first. Each day is some weeks after the last release of
# that minor version, and before the next one or a major release of a companion.
RECIPES = (
    Recipe("1.9", TODAY, ("3.14", "3.13", "3.12", "3.11"), lightgbm="4.7.0"),
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
    # 1.4.2 is the first that is built for both major versions of numpy.
    Recipe("1.4", "2024-09-30", ("3.12", "3.11", "3.10"), ("numpy==2.0.*", "scipy<1.14"), "1.4.2"),
    # Some weeks after 1.4, for the first python-dateutil without a warning on Python 3.12.
    Recipe("1.3", "2024-03-15", ("3.12", "3.11", "3.10"), ("scipy<1.12", "pandas<2.2")),
    Recipe("1.2", "2023-03-31", ("3.11", "3.10")),
    # Not the numpy 1.23 of its time: it cannot read random states that 1.24 and later wrote.
    Recipe("1.1", "2023-03-31", ("3.11", "3.10")),
    Recipe("1.0", "2023-03-31", ("3.10",), ("numpy<1.23", "scipy<1.9", "pandas<1.5")),
)
# Libraries that record no version in a file: the newest on the day of the set. `make lock` adds
# their dependencies.
OTHERS = ("category-encoders", "feature-engine", "mlxtend", "scikit-optimize")
# LightGBM records only the version of its text format: v3 before version 4. Version 4 cannot read
# the regressors of version 3, and version 3 does not work with scikit-learn 1.8.
OLD_LIGHTGBM, TOO_NEW_FOR_OLD_LIGHTGBM = "3.3.5", ("1.8", "1.9")
LIGHTGBM_FORMATS = {"v4": ("lightgbm", "1.8"), "v3": ("lightgbm v3", "1.3")}

# Newest first, with the scikit-learn that each library was published with: XGBoost and CatBoost
# break with later ones (1.6 requires tags of estimators), and XGBoost 3.2 with pandas 3.
ERAS = (
    Era("xgboost", "3.3.0", "3.4.1", ("1.9",), "xgboost-cpu"),
    Era("xgboost", "3.1.0", "3.2.0", ("1.8",), "xgboost-cpu"),
    Era("xgboost", "3.0.0", "3.0.5", ("1.7",), "xgboost-cpu"),
    Era("xgboost", "2.1.4", "2.1.4", ("1.6",), "xgboost-cpu"),
    Era("xgboost", "2.1.1", "2.1.3", ("1.5",), "xgboost-cpu"),
    Era("xgboost", "2.1.0", "2.1.0", ("1.5",), more=("nvidia-nccl-cu12",), day="2024-07-31"),
    Era("xgboost", "2.0.0", "2.0.3", ("1.3", "1.5")),
    Era("xgboost", "1.7.0", "1.7.6", ("1.2", "1.5")),
    # They import pkg_resources without declaring setuptools.
    Era("xgboost", "1.5.0", "1.6.2", ("1.1",), more=("setuptools",), day="2023-03-31"),
    Era("catboost", "1.2.9", "1.2.10", ("1.8",)),
    Era("catboost", "1.2.8", "1.2.8", ("1.6",)),
    Era("catboost", "1.2.3", "1.2.7", ("1.5",), numpy=1),
    Era("catboost", "1.2", "1.2.2", ("1.3",), numpy=1),
    Era("catboost", "1.1", "1.1.1", ("1.2",), numpy=1),
)
# Their files do not record their version: they get the one of the scikit-learn's time.
COMPANIONS = ("imbalanced-learn", "statsmodels")
# A file of statsmodels can be dated only by the pandas that wrote it.
STATSMODELS = {"pandas 1": "1.2", "pandas 2": "1.8", "pandas 3": "1.9"}
# A file that holds objects of another pandas than the one of its scikit-learn's time needs that
# pandas: by its major version, the first choice first. `numpy` is the oldest that it runs with, and
# `below` the first that it does not.
PANDAS = {
    "1": [
        {
            "pythons": ["3.11", "3.10"],
            "numpy": "1.21.0",
            "below": "2.0.0",
            "pins": {
                "pandas": "1.5.3",
                "python-dateutil": "2.8.2",
                "pytz": "2023.3",
                "six": "1.16.0",
            },
        }
    ],
    "3": [
        {
            "pythons": ["3.14", "3.13", "3.12", "3.11"],
            "numpy": "2.0.2",
            "pins": {"pandas": "3.1.1", "python-dateutil": "4.0.0", "tzdata": "2026.6"},
        },
        {
            "pythons": ["3.13", "3.12", "3.11"],
            "numpy": "1.26.0",
            "pins": {
                "pandas": "3.0.6",
                "python-dateutil": "2.9.0.post0",
                "six": "1.17.0",
                "tzdata": "2025.3",
            },
        },
    ],
}
# skops reads the files of all earlier releases. From 0.12 it requires numpy 1.25, and 0.11 requires
# scikit-learn 1.1.
SKOPS = "0.16.0"
OLD_SKOPS = {"1.2": "0.11.0", "1.1": "0.11.0", "1.0": "0.10.0"}
DAY_OF_OLD_SKOPS = "2025-01-31"
# EBMs of interpret record no version, and releases differ in what they take for a category: a model
# whose answers depend on it is refused, and this one release answers for the others. A newer one
# must be read and compared first (tests/workbench/adopt/test_explainable_boosting.py).
INTERPRET, INTERPRET_OF, WITH_INTERPRET = "0.7.8", "1.8", ("1.9", "1.8", "1.7", "1.6")


class Unsolvable(Exception):
    """The index has no such set of wheels."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the table, or check it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare; write nothing")
    options = parser.parse_args(arguments)
    text = dump(table())
    if options.check:
        same = TABLE.is_file() and TABLE.read_text(encoding="utf-8") == text
        print(f"{TABLE.name} is {'up to date' if same else 'out of date: run without --check'}")
        return 0 if same else 1
    TABLE.write_text(text, encoding="utf-8")
    return 0


def table() -> dict[str, Any]:
    """Return the table, made from the index."""
    releases = wheels("scikit-learn", OLDEST)
    service, markers = choose(SERVICE, (), HEROKU_PYTHONS, TODAY)
    if markers:
        raise SystemExit(f"the service has more dependencies on some Pythons: {markers}")
    tests, extra = choose(TESTS, exactly(service), HEROKU_PYTHONS, TODAY)
    for release, pythons in releases.items():
        served = {p for recipe in RECIPES if recipe.minor == minor(release) for p in recipe.pythons}
        if missing := set(pythons) - served:
            raise SystemExit(f"no recipe for scikit-learn {release} on Python {sorted(missing)}")
    beside_tests = tests | {name: v for more in extra.values() for name, v in more.items()}
    sets = [companions(recipe, releases, beside_tests) for recipe in RECIPES]
    boosters: dict[str, list[dict[str, Any]]] = {
        "lightgbm": [
            {"format": name, "scikit-learn": [newest(wanted, releases)], "extra": extra}
            for name, (extra, wanted) in LIGHTGBM_FORMATS.items()
        ]
    }
    boosters["interpret-core"] = [
        {"scikit-learn": [newest(INTERPRET_OF, releases)], "extra": "interpret-core"}
    ]
    for era in ERAS:
        boosters.setdefault(era.library, []).append(booster(era, releases))
    return {
        "heroku": {"pythons": list(HEROKU_PYTHONS)},
        "uv": UV_VERSION,
        "readers": READERS,
        "pyarrow": PYARROW,
        "service": {"bounds": SERVICE_BOUNDS, "pins": service},
        "tests": {"pins": tests, "extra": extra},
        "releases": {release: list(pythons) for release, pythons in releases.items()},
        "boosters": boosters,
        "statsmodels": {era: newest(wanted, releases) for era, wanted in STATSMODELS.items()},
        "pandas": PANDAS,
        "sets": sets,
    }


def wheels(name: str, first: str, last: str = "") -> dict[str, tuple[str, ...]]:
    """Return the Pythons of each release of a library with wheels, newest release first."""
    found: dict[str, list[str]] = {}
    for python in HEROKU_PYTHONS:
        below = f",<={last}" if last else ""
        while True:
            try:
                answer = solve([f"{name}>={first}{below}"], (), python, None)
            except Unsolvable:
                break
            version = answer[name]
            found.setdefault(version, []).append(python)
            below = f",<{version}"
    order = sorted(found, key=lambda version: [int(n) for n in re.findall(r"\d+", version)])
    return {version: tuple(found[version]) for version in reversed(order)}


def booster(era: Era, releases: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    """Return the releases of one era and their scikit-learn releases."""
    found = wheels(era.installs or era.library, era.first, era.last)
    first, *others = found.values()
    if any(pythons != first for pythons in others):
        raise SystemExit(f"the releases of {era} run on different Pythons: {found}")
    more = solve(era.more, (), first[-1], era.day) if era.more else {}
    return {
        "releases": list(found),
        "pythons": list(first),
        "scikit-learn": [newest(wanted, releases) for wanted in era.minors],
        **({"installs": era.installs} if era.installs else {}),
        **({"numpy": era.numpy} if era.numpy else {}),
        **({"more": more} if more else {}),
    }


def companions(
    recipe: Recipe, releases: dict[str, tuple[str, ...]], tests: dict[str, str]
) -> dict[str, Any]:
    """Choose one set; what only pandas, LightGBM or CatBoost needs is listed separately."""
    model = f"scikit-learn=={newest(recipe.minor, releases)}"
    chosen, extra = choose([model, "pandas"], recipe.constraints, recipe.pythons, recipe.day)
    without = solve([model], exactly(chosen), recipe.pythons[-1], recipe.day)
    if extra or not without.items() <= chosen.items():
        raise SystemExit(f"no common set for {recipe}: {extra or without}")
    more = beside(recipe, chosen, tests)
    others = others_beside(recipe, chosen)
    del without["scikit-learn"], chosen["scikit-learn"]
    since = {"since": recipe.since} if recipe.since else {}
    return {
        "scikit-learn": recipe.minor,
        **since,
        "pythons": list(recipe.pythons),
        "pins": without,
        "pandas": {name: chosen[name] for name in chosen if name not in without},
        **more,
        "others": others,
    }


def others_beside(recipe: Recipe, chosen: dict[str, str]) -> dict[str, str]:
    """Choose a version of each of OTHERS that can be installed with a set."""
    found = {}
    for name in OTHERS:
        with contextlib.suppress(Unsolvable):
            limits = exactly(chosen)
            found[name] = solve([name], limits, recipe.pythons[-1], recipe.day)[name]
    return found


def beside(recipe: Recipe, chosen: dict[str, str], tests: dict[str, str]) -> dict[str, Any]:
    """Choose what models of other libraries need in addition to a set with pandas."""

    def beyond(wanted: str, day: str | None) -> dict[str, str]:
        # A release newer than the day is requested by version, without its dependencies.
        have = {name: version for name, version in chosen.items() if name not in tests}
        found = solve([wanted], exactly(have), recipe.pythons[-1], day)
        return {n: tests.get(n, v) for n, v in found.items() if n not in chosen}

    old = recipe.minor not in TOO_NEW_FOR_OLD_LIGHTGBM
    catboost = beyond("catboost", recipe.day)
    del catboost["catboost"]
    # Only the one wheel: it needs nothing else of a set with pandas.
    ebm = {"interpret-core": INTERPRET}
    skops = OLD_SKOPS.get(recipe.minor, SKOPS)
    day = DAY_OF_OLD_SKOPS if recipe.minor in OLD_SKOPS else TODAY
    return {
        "lightgbm": beyond(f"lightgbm=={recipe.lightgbm}", None),
        **({"lightgbm v3": beyond(f"lightgbm=={OLD_LIGHTGBM}", recipe.day)} if old else {}),
        "catboost": catboost,
        **{name: beyond(name, recipe.day) for name in COMPANIONS},
        "skops": beyond(f"skops=={skops}", day),
        **({"interpret-core": ebm} if recipe.minor in WITH_INTERPRET else {}),
    }


def choose(
    wanted: Sequence[str], limits: Sequence[str], pythons: Sequence[str], day: str
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Return the versions that all Pythons share, and the additional ones of each Python."""
    first = solve(wanted, limits, pythons[-1], day)
    answers = {python: solve(wanted, [*limits, *exactly(first)], python, day) for python in pythons}
    shared = {n: v for n, v in first.items() if all(n in a for a in answers.values())}
    extra = {p: {n: v for n, v in a.items() if n not in shared} for p, a in answers.items()}
    return shared, {python: more for python, more in extra.items() if more}


def solve(
    wanted: Sequence[str], limits: Sequence[str], python: str, day: str | None
) -> dict[str, str]:
    """Run `uv pip compile` for wheels only. Without a day: releases of today, no dependencies."""
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
        if "No solution found" not in done.stderr:  # such as no network
            raise SystemExit(f"uv failed: {done.stderr}")
        raise Unsolvable(f"{list(wanted)} on Python {python}: {done.stderr}")
    lines = (line.partition("==") for line in done.stdout.splitlines())
    return {name: version for name, equals, version in lines if equals}


def exactly(versions: dict[str, str]) -> list[str]:
    """Return versions as requirement lines."""
    return [f"{name}=={version}" for name, version in versions.items()]


def uv() -> str:
    """Return the path of uv."""
    path = os.environ.get("UV") or shutil.which("uv")
    if not path:
        raise SystemExit("uv is needed: https://docs.astral.sh/uv/")
    return path


def newest(wanted: str, releases: dict[str, tuple[str, ...]]) -> str:
    """Return the newest release of a minor version."""
    return next(release for release in releases if minor(release) == wanted)


def minor(version: str) -> str:
    """Return the first two numbers of a version."""
    return ".".join(version.split(".")[:2])


def dump(data: dict[str, Any]) -> str:
    """Return JSON with each list on one line, which keeps the file small and its diffs readable."""
    text = json.dumps(data, indent=1)
    return re.sub(r"\[\n[^][{}]*\]", lambda found: json.dumps(json.loads(found[0])), text) + "\n"


if __name__ == "__main__":
    sys.exit(main())
