"""Say which Pythons and which exact versions go with a model file's libraries.

A pickle is only safe with the libraries that wrote it, and old scikit-learn breaks with newer
numpy, scipy and pandas. `pins.json` holds, for every scikit-learn release with wheels for one of
Heroku's Pythons, companions of its own time; all have wheels for x86_64 Linux. A wrapper of
XGBoost, LightGBM or CatBoost does not say which scikit-learn it was fitted beside: then it gets
one of its library's own time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

_TABLE = json.loads(resources.files(__package__).joinpath("pins.json").read_text("utf-8"))

HEROKU_PYTHONS: tuple[str, ...] = tuple(_TABLE["heroku"]["pythons"])  # newest first
HEROKU_DEFAULT: str = _TABLE["heroku"]["default"]
UV_VERSION: str = _TABLE["uv"]

# What requirements.in names as a range; the rest follows from these and from the exact pins.
_DIRECT = (
    "imbalanced-learn",
    "joblib",
    "lightgbm",
    "numpy",
    "pandas",
    "scipy",
    "skops",
    "statsmodels",
)
_READERS = ("cloudpickle", "dill")  # of any time: they read what every release wrote
_EXACT = ("catboost", "xgboost")  # as the file says, like scikit-learn
# Files do not name their version, and every set has the one of its time.
_COMPANIONS = ("imbalanced-learn", "skops", "statsmodels")
_NAMES = {"catboost": "CatBoost", "scikit-learn": "scikit-learn", "xgboost": "XGBoost"}

# `xgboost-cpu` is the same code without 450 MB of CUDA, for these machines only.
CPU_ONLY = (
    '(sys_platform == "linux" and platform_machine == "x86_64")'
    ' or (sys_platform == "win32" and platform_machine == "AMD64")'
)
NOT_CPU_ONLY = (
    '(sys_platform != "linux" or platform_machine != "x86_64")'
    ' and (sys_platform != "win32" or platform_machine != "AMD64")'
)
CUDA = 'sys_platform == "linux" and platform_machine != "aarch64"'  # as xgboost itself says

_FINAL = re.compile(
    r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:\.post(\d+))?(?:\+[a-z0-9.]+)?", re.IGNORECASE
)
_UNFINISHED = re.compile(r"v?\d+(\.\d+)*[._-]?(a|b|c|rc|alpha|beta|pre|dev)\d*.*", re.IGNORECASE)


class NoPins(Exception):
    """Say what was asked, why there are no pins for it, and what to do."""


@dataclass(frozen=True)
class Pins:
    """Hold exact versions by distribution, and ranges for requirements.in, all sorted.

    The mappings hold what is installed on x86_64 Linux; the lines also serve other machines.
    """

    python: str
    model: Mapping[str, str]
    service: Mapping[str, str]
    tests: Mapping[str, str]
    bounds: Mapping[str, str]
    unpinned: tuple[str, ...] = ()  # of the model, which the table does not know

    @property
    def requirements(self) -> tuple[str, ...]:
        """Give the lines of requirements.in: the bounds, with environment markers."""
        return _lines({**self.bounds, **dict.fromkeys(self.unpinned, "")})

    @property
    def exact(self) -> tuple[str, ...]:
        """Give the lines of an unlocked requirements.txt: all pins, with environment markers."""
        pinned = {**self.model, **self.service}
        exact = {name: f"=={version}" for name, version in pinned.items()}
        return _lines({**exact, **dict.fromkeys(self.unpinned, "")})


@dataclass(frozen=True, order=True)
class _Version:
    """Hold a final version; 1.4.1.post1 is (1, 4, 1, 0, 1), CatBoost 1.2.1.1 (1, 2, 1, 1, 0)."""

    major: int
    minor: int
    patch: int
    micro: int
    post: int

    @property
    def line(self) -> tuple[int, int]:
        """Give what its bug-fix releases share."""
        return self.major, self.minor

    def __str__(self) -> str:
        """Write it as the index does."""
        micro = f".{self.micro}" if self.micro else ""
        post = f".post{self.post}" if self.post else ""
        return f"{self.major}.{self.minor}.{self.patch}{micro}{post}"


@dataclass(frozen=True)
class _Release:
    """Hold what to pin, and the release on the table whose Pythons and companions it gets."""

    pin: str
    like: _Version
    pythons: tuple[str, ...]


@dataclass(frozen=True)
class _Booster:
    """Hold what a boosting library wants of its environment."""

    pins: Mapping[str, str]
    pythons: tuple[str, ...]
    scikit_learn: tuple[str, ...]  # where the file names none, the preferred first
    numpy: int | None  # the only major that it goes with
    extra: str  # the part of a set that it needs too, or nothing


@dataclass(frozen=True)
class _Set:
    """Hold companions of a scikit-learn on some Pythons."""

    pythons: tuple[str, ...]
    pins: Mapping[str, str]
    pandas: Mapping[str, str]  # pandas, and what only pandas needs
    extras: Mapping[str, Mapping[str, str]]  # what only another library needs, and "others"

    @property
    def numpy_major(self) -> int:
        """Give the major version of its numpy."""
        return int(self.pins["numpy"].partition(".")[0])


@dataclass(frozen=True)
class _Choice:
    """Hold a scikit-learn with its sets, and the boosting libraries beside it."""

    asked: str
    release: _Release
    boosters: tuple[_Booster, ...]
    sets: tuple[_Set, ...]

    @property
    def pythons(self) -> tuple[str, ...]:
        """Name the Pythons that have wheels for all of it, newest first."""
        lists = [self.release.pythons, *(booster.pythons for booster in self.boosters)]
        return tuple(
            python
            for python in HEROKU_PYTHONS
            if all(python in names for names in lists)
            and any(python in entry.pythons for entry in self.sets)
        )


def imported_as(distribution: str) -> str:
    """Name a library as people import it: xgboost-cpu is xgboost, where it has wheels."""
    return distribution.removesuffix("-cpu")


def pythons(
    libraries: Mapping[str, str],
    distributions: Collection[str],
    numpy_major: int | None = None,
    *,
    formats: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Name the Pythons for a file's libraries, newest first.

    The arguments are the file's facts. With numpy_major, for just that numpy.
    """
    choice = _choose(libraries, distributions, formats or {}, numpy_major, newer=False)
    if not choice.pythons:
        raise NoPins(_no_python(libraries, choice))
    return choice.pythons


def pins(
    libraries: Mapping[str, str],
    python: str,
    *,
    distributions: Collection[str],
    pandas: bool,
    numpy_major: int | None = None,
    formats: Mapping[str, str] | None = None,
) -> Pins:
    """Give the exact versions for a file's libraries on a Python.

    `numpy_major` is the numpy that wrote the file: 2 where it says `numpy._core`, else 1. The
    newer numpy reads the older one's files to the last bit, but not the other way round, so 1
    gives numpy 1 where there is a set with it, else numpy 2, and 2 gives numpy 2 or nothing.
    """
    choice = _choose(libraries, distributions, formats or {}, numpy_major, newer=True)
    if not choice.pythons:
        raise NoPins(_no_python(libraries, choice))
    if python not in choice.pythons:
        named = _listed(libraries) or f"scikit-learn {choice.asked}"
        have = "has" if len(libraries) < 2 else "have"
        raise NoPins(
            f"{named} {have} no wheels for Python {python}. "
            f"Choose Python {_either(choice.pythons)}."
        )
    chosen = next(entry for entry in choice.sets if python in entry.pythons)
    model = {"scikit-learn": choice.release.pin, **chosen.pins}
    if pandas or {"catboost", "statsmodels"} & set(distributions):  # which import it
        model.update(chosen.pandas)
    others = {n: v for n, v in chosen.extras["others"].items() if n in distributions}
    model.update(others)
    for reader in _READERS:
        if reader in distributions:
            model.setdefault(reader, _TABLE["readers"][reader])
            others[reader] = model[reader]
    exact = {"scikit-learn"}
    for booster in choice.boosters:
        model.update(chosen.extras.get(booster.extra, {}))
        model.update(booster.pins)
        exact.update(booster.pins)
    for name in _COMPANIONS:
        if name in distributions:
            model.update(chosen.extras[name])
    direct = [name for name in (*_DIRECT, *others) if name in model]
    bounds = {name: _bug_fixes(model[name]) for name in direct}
    service, tests = _TABLE["service"], _TABLE["tests"]
    return Pins(
        python=python,
        model=_sorted(model),
        service=_sorted(service["pins"]),
        tests=_sorted({**tests["pins"], **tests["extra"].get(python, {})}),
        bounds=_sorted(
            {**bounds, **{name: f"=={model[name]}" for name in exact}, **service["bounds"]}
        ),
    )


def _choose(
    libraries: Mapping[str, str],
    distributions: Collection[str],
    formats: Mapping[str, str],
    numpy_major: int | None,
    *,
    newer: bool,
) -> _Choice:
    """Choose the scikit-learn and its sets, the preferred first; a `newer` numpy may do, too."""
    boosters = tuple(_boosters(libraries, distributions, formats))
    if "scikit-learn" in libraries:
        candidates: tuple[str, ...] = (libraries["scikit-learn"],)
    elif not boosters and "statsmodels" in formats:
        candidates = (_TABLE["statsmodels"][formats["statsmodels"]],)
    elif boosters:
        # Of two libraries the older one decides: scikit-learn has always broken the older.
        candidates = min((b.scikit_learn for b in boosters), key=lambda names: _version(names[0]))
    else:
        raise NoPins(
            "The file does not say which scikit-learn wrote it. "
            "Save the fitted model again with scikit-learn 1.1.3 or later."
        )
    for asked in candidates:
        release = _release("scikit-learn", asked, _TABLE["releases"])
        found = [entry for entry in _sets(release) if _serves(entry, boosters)]
        if numpy_major is not None and newer:
            # The sort is stable: the table's own order of preference decides between equals.
            found = [entry for entry in found if entry.numpy_major >= numpy_major]
            found.sort(key=lambda entry: entry.numpy_major)
        elif numpy_major is not None:
            found = [entry for entry in found if entry.numpy_major == numpy_major]
        if found:
            return _Choice(asked, release, boosters, tuple(found))
    raise NoPins(_no_set(libraries, boosters, candidates[0], numpy_major))


def _serves(entry: _Set, boosters: Iterable[_Booster]) -> bool:
    """Say whether a set goes with the boosting libraries."""
    return all(
        booster.numpy in (None, entry.numpy_major)
        and (not booster.extra or booster.extra in entry.extras)
        for booster in boosters
    )


def _boosters(
    libraries: Mapping[str, str], distributions: Collection[str], formats: Mapping[str, str]
) -> Iterable[_Booster]:
    """Find the boosting libraries of a file."""
    for library in _EXACT:
        if library in libraries:
            yield _booster(library, libraries[library])
        elif library in distributions:
            raise NoPins(
                f"The file does not say which {_NAMES[library]} wrote it. "
                "Save the fitted model again with a released version."
            )
    if "lightgbm" in distributions:
        # The file has no version of LightGBM; the set of a scikit-learn knows a good one.
        eras = {era["format"]: era for era in _TABLE["boosters"]["lightgbm"]}
        era = eras.get(formats.get("lightgbm", ""), _TABLE["boosters"]["lightgbm"][0])
        yield _Booster({}, HEROKU_PYTHONS, tuple(era["scikit-learn"]), None, era["extra"])


def _booster(library: str, given: str) -> _Booster:
    """Find a boosting library on the table."""
    eras: list[dict[str, Any]] = _TABLE["boosters"][library]
    table = {name: era["pythons"] for era in eras for name in era["releases"]}
    release = _release(library, given, table)
    era = next(e for e in eras if release.like in map(_version, e["releases"]))
    return _Booster(
        pins={era.get("installs", library): release.pin, **era.get("more", {})},
        pythons=release.pythons,
        scikit_learn=tuple(era["scikit-learn"]),
        numpy=era.get("numpy"),
        extra="catboost" if library == "catboost" else "",
    )


def _release(library: str, given: str, releases: Mapping[str, Collection[str]]) -> _Release:
    """Find a version on the table, or the release before it that stands in for it."""
    asked = _version(given, library)
    table = {_version(name): name for name in releases}
    oldest = min(table)
    if asked < oldest:
        why = "it has no wheels for any Python that Heroku runs"
        raise NoPins(
            f"{_NAMES[library]} {given} is too old: "
            f"{why if library == 'scikit-learn' else 'it does not go with such a scikit-learn'}. "
            f"Retrain the model with, or re-save it from, {_NAMES[library]} {table[oldest]} "
            "or later."
        )
    # 1.4.1 was published only as 1.4.1.post1, and XGBoost 1.7.0 as 1.7.0.post0.
    posts = [version for version in table if replace(version, post=asked.post) == asked]
    if asked not in table and posts:
        asked = max(posts)
    like = max(v for v in table if v <= asked)
    return _Release(table.get(asked, str(asked)), like, tuple(releases[table[like]]))


def _sets(release: _Release) -> list[_Set]:
    """Give the sets for a release, the preferred first."""
    found = []
    for entry in _TABLE["sets"]:
        first = _version(entry.get("since", entry["scikit-learn"]))
        if first.line == release.like.line and first <= release.like:
            found.append(_Set(tuple(entry["pythons"]), entry["pins"], entry["pandas"], entry))
    return found


def _version(text: str, library: str = "scikit-learn") -> _Version:
    """Read a final version; a local part is dropped, for no index has it."""
    match = _FINAL.fullmatch(text.strip())
    if match:
        return _Version(*(int(number or 0) for number in match.groups()))
    name = _NAMES[library]
    if _UNFINISHED.fullmatch(text.strip()):
        raise NoPins(
            f"{name} {text} is not a final release, and nothing can be pinned to it. "
            "Retrain the model with, or re-save it from, a final release."
        )
    raise NoPins(
        f"{text!r} is not {'an' if name[0] == 'X' else 'a'} {name} version. "
        f"Give one like {next(iter(_TABLE['releases']))}."
    )


def _no_set(
    libraries: Mapping[str, str],
    boosters: Iterable[_Booster],
    scikit_learn: str,
    numpy_major: int | None,
) -> str:
    """Word the refusal for a numpy that the libraries do not go with."""
    named = _listed(libraries) or f"scikit-learn {scikit_learn}"
    if numpy_major is not None:
        return (
            f"{named} has no set with numpy {numpy_major}. "
            "Re-save the model in the environment that it was trained in, with numpy "
            f"{'1.26' if numpy_major != 1 else '2'}, or retrain it with newer libraries."
        )
    needs = "numpy below 2" if any(booster.numpy == 1 for booster in boosters) else "others"
    return (
        f"{named} cannot be installed together: the older one needs {needs}. "
        "Retrain the model with libraries of one time."
    )


def _no_python(libraries: Mapping[str, str], choice: _Choice) -> str:
    """Word the refusal for libraries that have no Python in common."""
    named = _listed(libraries) or f"scikit-learn {choice.asked}"
    return (
        f"{named} have no Python in common that Heroku runs. "
        "Retrain the model with libraries of one time."
    )


def _listed(libraries: Mapping[str, str]) -> str:
    """Name libraries with their versions."""
    return " and ".join(f"{_NAMES[name]} {libraries[name]}" for name in _NAMES if name in libraries)


def _lines(specifiers: Mapping[str, str]) -> tuple[str, ...]:
    """Write requirements, one a line, with the markers that keep other machines working."""
    lines = []
    for name, specifier in specifiers.items():
        if name == "xgboost-cpu":
            lines.append(f"xgboost{specifier} ; {NOT_CPU_ONLY}")
            lines.append(f"{name}{specifier} ; {CPU_ONLY}")
        elif name.startswith("nvidia-"):
            lines.append(f"{name}{specifier} ; {CUDA}")
        else:
            lines.append(f"{name}{specifier}")
    return tuple(sorted(lines))


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
