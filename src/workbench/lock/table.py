"""The table of pins, pins.json: which versions were installed together, and on which Pythons.

It holds every scikit-learn release with wheels for one of Heroku's Pythons, and companions of its
own time, because old scikit-learn breaks with newer numpy, scipy and pandas. All have wheels for
x86_64 Linux. tools/make_pins.py of the template writes it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

from workbench.inspect.refused_file import PROPER_NAMES
from workbench.lock.pins import NoPins
from workbench.lock.versions import Version, parse_version, split_candidate

_TABLE = json.loads(resources.files(__package__).joinpath("pins.json").read_text("utf-8"))

HEROKU_PYTHONS: tuple[str, ...] = tuple(_TABLE["heroku"]["pythons"])  # newest first
UV_VERSION: str = _TABLE["uv"]
# Packages that only some files need: all their versions read what earlier ones wrote.
READERS: Mapping[str, str] = _TABLE["readers"]
# The pyarrow of make score by Python, "newest" for the others. It is no part of the service.
PYARROW: Mapping[str, str] = _TABLE["pyarrow"]
SERVICE_PINS: Mapping[str, str] = _TABLE["service"]["pins"]
SERVICE_BOUNDS: Mapping[str, str] = _TABLE["service"]["bounds"]
# The scikit-learn that goes with a file of statsmodels, by the format of its pandas objects.
SCIKIT_LEARN_OF_STATSMODELS: Mapping[str, str] = _TABLE["statsmodels"]


@dataclass(frozen=True)
class Release:
    """A release to pin, and the release in the table whose Pythons and companions it gets."""

    pin: str
    in_table: Version
    pythons: tuple[str, ...]


@dataclass(frozen=True)
class Booster:
    """What a boosting library requires of its environment."""

    pins: Mapping[str, str]
    pythons: tuple[str, ...]
    scikit_learn: tuple[str, ...]  # for files that name none, the preferred first
    numpy_major: int | None  # None: any
    extra: str  # the part of a set of companions that it needs too; empty: none


@dataclass(frozen=True)
class Companions:
    """A set of versions that go with a scikit-learn on some Pythons."""

    pythons: tuple[str, ...]
    pins: Mapping[str, str]
    pandas: Mapping[str, str]  # pandas, and what only pandas needs
    extras: Mapping[str, Mapping[str, str]]  # what only another library needs, and "others"

    @property
    def numpy_major(self) -> int:
        """Return the major version of numpy."""
        return int(self.pins["numpy"].partition(".")[0])


@dataclass(frozen=True)
class Pandas:
    """A pandas of another time than the scikit-learn beside it, with what only it needs."""

    pythons: tuple[str, ...]
    pins: Mapping[str, str]
    oldest_numpy: Version
    numpy_below: Version | None

    def fits(self, companions: Companions) -> bool:
        """Return whether it runs with the numpy of a set, on one of the set's Pythons."""
        numpy = parse_version(companions.pins["numpy"], "numpy")
        new_enough = self.numpy_below is None or numpy < self.numpy_below
        return numpy >= self.oldest_numpy and new_enough


def find_pandas(major: str, companions: Companions, python: str) -> Mapping[str, str] | None:
    """Return the pins of a pandas beside a set of companions, or None if there is none."""
    if companions.pandas["pandas"].partition(".")[0] == major:
        return companions.pandas
    for entry in _TABLE["pandas"].get(major, ()):
        below = parse_version(entry["below"], "numpy") if "below" in entry else None
        oldest = parse_version(entry["numpy"], "numpy")
        found = Pandas(tuple(entry["pythons"]), entry["pins"], oldest, below)
        if found.fits(companions) and python in found.pythons:
            return found.pins
    return None


def pins_for_tests(python: str) -> Mapping[str, str]:
    """Return the pins of pytest and of what it needs on a Python."""
    return {**_TABLE["tests"]["pins"], **_TABLE["tests"]["extra"].get(python, {})}


def find_scikit_learn(version: str) -> Release:
    """Return a release of scikit-learn. Raises NoPins.

    A release candidate stays on the index; it gets the companions of the version that it became.
    """
    final, mark = split_candidate(version)
    release = _find_release("scikit-learn", final, _TABLE["releases"])
    return replace(release, pin=f"{final}{mark}") if mark else release


def find_companions(release: Release) -> list[Companions]:
    """Return the sets of companions for a scikit-learn, the preferred first."""
    found = []
    for entry in _TABLE["sets"]:
        first = parse_version(entry.get("since", entry["scikit-learn"]))
        same_minor = first.minor_release == release.in_table.minor_release
        if same_minor and first <= release.in_table:
            pythons = tuple(entry["pythons"])
            found.append(Companions(pythons, entry["pins"], entry["pandas"], entry))
    return found


def find_booster(library: str, version: str) -> Booster:
    """Return an XGBoost or a CatBoost. Raises NoPins."""
    eras: list[dict[str, Any]] = _TABLE["boosters"][library]
    releases = {name: era["pythons"] for era in eras for name in era["releases"]}
    release = _find_release(library, version, releases)
    era = next(e for e in eras if release.in_table in map(parse_version, e["releases"]))
    return Booster(
        pins={era.get("installs", library): release.pin, **era.get("more", {})},
        pythons=release.pythons,
        scikit_learn=tuple(era["scikit-learn"]),
        numpy_major=era.get("numpy"),
        extra="catboost" if library == "catboost" else "",
    )


def find_lightgbm(file_format: str) -> Booster:
    """Return the LightGBM for a file format, or for the newest one.

    A file of LightGBM holds no version; the companions of a scikit-learn include one that fits.
    """
    eras = {era["format"]: era for era in _TABLE["boosters"]["lightgbm"]}
    era = eras.get(file_format, _TABLE["boosters"]["lightgbm"][0])
    return Booster({}, HEROKU_PYTHONS, tuple(era["scikit-learn"]), None, era["extra"])


def find_interpret(scikit_learn: str | None) -> Booster:
    """Return the interpret for EBMs, which reads the files of all releases from 0.6.

    `scikit_learn` is the release that the file names, if it does. Raises NoPins for one too old.
    """
    (era,) = _TABLE["boosters"]["interpret-core"]
    sets = [entry for entry in _TABLE["sets"] if era["extra"] in entry]
    oldest = min(parse_version(entry["scikit-learn"]) for entry in sets)
    if scikit_learn is not None and parse_version(scikit_learn) < oldest:
        raise NoPins(
            f"The file holds an EBM of interpret beside scikit-learn {scikit_learn}, and interpret "
            f"needs scikit-learn {oldest.major}.{oldest.minor} or later. Fit the model again with "
            "it."
        )
    return Booster({}, HEROKU_PYTHONS, tuple(era["scikit-learn"]), None, era["extra"])


def _find_release(library: str, text: str, pythons: Mapping[str, Collection[str]]) -> Release:
    """Return a release; one that is not in the table gets the Pythons of the one before it.

    `pythons` holds the Pythons that each release in the table has wheels for. Raises NoPins.
    """
    version = parse_version(text, library)
    table = {parse_version(name): name for name in pythons}
    oldest = min(table)
    if version < oldest:
        name = PROPER_NAMES[library]
        reason = (
            "it has no wheels for any Python that Heroku runs"
            if library == "scikit-learn"
            else "it does not go with such a scikit-learn"
        )
        raise NoPins(
            f"{name} {text} is too old: {reason}. Retrain the model with, or re-save it from, "
            f"{name} {table[oldest]} or later."
        )
    # 1.4.1 was published only as 1.4.1.post1, and XGBoost 1.7.0 as 1.7.0.post0.
    posts = [known for known in table if replace(known, post=version.post) == version]
    if version not in table and posts:
        version = max(posts)
    in_table = max(known for known in table if known <= version)
    return Release(table.get(version, str(version)), in_table, tuple(pythons[table[in_table]]))
