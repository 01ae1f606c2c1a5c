"""Say which Pythons and which exact versions go with a scikit-learn release.

A pickle is only safe with the scikit-learn that wrote it, and old scikit-learn breaks with newer
numpy, scipy and pandas. `pins.json` holds, for every scikit-learn release with wheels for one of
Heroku's Pythons, companions of its own time; all have wheels for x86_64 Linux.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TABLE = json.loads(Path(__file__).with_name("pins.json").read_text(encoding="utf-8"))

HEROKU_PYTHONS: tuple[str, ...] = tuple(_TABLE["heroku"]["pythons"])  # newest first
HEROKU_DEFAULT: str = _TABLE["heroku"]["default"]
UV_VERSION: str = _TABLE["uv"]

# What requirements.in names; the rest follows from these.
_DIRECT = ("joblib", "numpy", "pandas", "scipy")

_FINAL = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:\.post(\d+))?(?:\+[a-z0-9.]+)?", re.IGNORECASE)
_UNFINISHED = re.compile(r"v?\d+(\.\d+)*[._-]?(a|b|c|rc|alpha|beta|pre|dev)\d*.*", re.IGNORECASE)


class NoPins(Exception):
    """Say what was asked, why there are no pins for it, and what to do."""


@dataclass(frozen=True)
class Pins:
    """Hold exact versions by distribution, and ranges for requirements.in, all sorted."""

    python: str
    model: Mapping[str, str]
    service: Mapping[str, str]
    tests: Mapping[str, str]
    bounds: Mapping[str, str]


@dataclass(frozen=True, order=True)
class _Version:
    """Hold a final version; 1.4.1.post1 is (1, 4, 1, 1)."""

    major: int
    minor: int
    patch: int
    post: int

    @property
    def line(self) -> tuple[int, int]:
        """Give what its bug-fix releases share."""
        return self.major, self.minor

    def __str__(self) -> str:
        """Write it as the index does."""
        post = f".post{self.post}" if self.post else ""
        return f"{self.major}.{self.minor}.{self.patch}{post}"


@dataclass(frozen=True)
class _Release:
    """Hold what to pin, and the release on the table whose Pythons and companions it gets."""

    pin: _Version
    like: _Version
    pythons: tuple[str, ...]


@dataclass(frozen=True)
class _Set:
    """Hold companions of a scikit-learn on some Pythons."""

    pythons: tuple[str, ...]
    pins: Mapping[str, str]
    pandas: Mapping[str, str]  # pandas, and what only pandas needs

    @property
    def numpy_major(self) -> int:
        """Give the major version of its numpy."""
        return int(self.pins["numpy"].partition(".")[0])


def pythons(scikit_learn: str, numpy_major: int | None = None) -> tuple[str, ...]:
    """Name the Pythons for a scikit-learn, newest first; with numpy_major, for just that numpy."""
    release = _release(scikit_learn)
    if numpy_major is None:
        return release.pythons
    sets = [s for s in _sets(release) if s.numpy_major == numpy_major]
    found = tuple(p for p in release.pythons if any(p in s.pythons for s in sets))
    if not found:
        raise NoPins(_no_numpy(scikit_learn, numpy_major))
    return found


def pins(scikit_learn: str, python: str, *, pandas: bool, numpy_major: int | None = None) -> Pins:
    """Give the exact versions for a scikit-learn on a Python.

    `numpy_major` is the numpy that wrote the file: 2 where it says `numpy._core`, else 1. The
    newer numpy reads the older one's files to the last bit, but not the other way round, so 1
    gives numpy 1 where there is a set with it, else numpy 2, and 2 gives numpy 2 or nothing.
    """
    release = _release(scikit_learn)
    if python not in release.pythons:
        raise NoPins(
            f"scikit-learn {scikit_learn} has no wheels for Python {python}. "
            f"Choose Python {_either(release.pythons)}."
        )
    sets = [s for s in _sets(release) if python in s.pythons]
    if numpy_major is not None:
        # The sort is stable: the table's own order of preference decides between equals.
        sets = [s for s in sets if s.numpy_major >= numpy_major]
        sets.sort(key=lambda s: s.numpy_major)
    if not sets:
        raise NoPins(_no_numpy(scikit_learn, numpy_major))
    chosen = sets[0]
    model = {"scikit-learn": str(release.pin), **chosen.pins, **(chosen.pandas if pandas else {})}
    bounds = {name: _bug_fixes(model[name]) for name in _DIRECT if name in model}
    service, tests = _TABLE["service"], _TABLE["tests"]
    return Pins(
        python=python,
        model=_sorted(model),
        service=_sorted(service["pins"]),
        tests=_sorted({**tests["pins"], **tests["extra"].get(python, {})}),
        bounds=_sorted({"scikit-learn": f"=={release.pin}", **bounds, **service["bounds"]}),
    )


def _release(given: str) -> _Release:
    """Find a version on the table, or the release before it that stands in for it."""
    asked = _version(given)
    table = {_version(name): tuple(names) for name, names in _TABLE["releases"].items()}
    oldest = min(table)
    if asked < oldest:
        raise NoPins(
            f"scikit-learn {given} is too old: it has no wheels for Python 3.11 or newer. "
            f"Retrain the model with, or re-save it from, scikit-learn {oldest} or later."
        )
    # 1.4.1 was published only as 1.4.1.post1.
    posts = [v for v in table if (v.line, v.patch) == (asked.line, asked.patch)]
    if asked not in table and posts:
        asked = max(posts)
    like = max(v for v in table if v <= asked)
    return _Release(asked, like, table[like])


def _sets(release: _Release) -> list[_Set]:
    """Give the sets for a release, the preferred first."""
    found = []
    for entry in _TABLE["sets"]:
        first = _version(entry.get("since", entry["scikit-learn"]))
        if first.line == release.like.line and first <= release.like:
            found.append(_Set(tuple(entry["pythons"]), entry["pins"], entry["pandas"]))
    return found


def _version(text: str) -> _Version:
    """Read a final version; a local part is dropped, for no index has it."""
    match = _FINAL.fullmatch(text.strip())
    if match:
        return _Version(*(int(number or 0) for number in match.groups()))
    if _UNFINISHED.fullmatch(text.strip()):
        raise NoPins(
            f"scikit-learn {text} is not a final release, and nothing can be pinned to it. "
            "Retrain the model with, or re-save it from, a final release."
        )
    raise NoPins(
        f"{text!r} is not a scikit-learn version. Give one like {next(iter(_TABLE['releases']))}."
    )


def _no_numpy(scikit_learn: str, numpy_major: int | None) -> str:
    """Word the refusal for a numpy that a scikit-learn does not go with."""
    return (
        f"scikit-learn {scikit_learn} has no set with numpy {numpy_major}. "
        "Re-save the model in the environment that it was trained in, with numpy "
        f"{'1.26' if numpy_major != 1 else '2'}, or retrain it with a newer scikit-learn."
    )


def _bug_fixes(version: str) -> str:
    """Give the range of a version's own bug-fix releases: 2.4.6 is in >=2.4,<2.5."""
    major, minor = version.split(".")[:2]
    return f">={major}.{minor},<{major}.{int(minor) + 1}"


def _either(names: tuple[str, ...]) -> str:
    """Join names as a person would."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _sorted(versions: Mapping[str, str]) -> Mapping[str, str]:
    """Sort by name."""
    return dict(sorted(versions.items()))
