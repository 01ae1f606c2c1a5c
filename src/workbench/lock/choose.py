"""Choose the Pythons and the exact versions that fit a model file's libraries.

A pickle is only safe with the libraries that wrote it. A wrapper of XGBoost, LightGBM or CatBoost
does not name the scikit-learn that it was fitted beside: it gets one of its library's own time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from workbench.inspect.refused_file import PROPER_NAMES
from workbench.lock import table
from workbench.lock.pins import NoPins, Pins
from workbench.lock.table import HEROKU_PYTHONS, Booster, Companions, Release
from workbench.lock.versions import bug_fix_range, parse_version

# What requirements.in names with a range; the rest follows from these and from the exact pins.
_BOUNDED = (
    "imbalanced-learn",
    "joblib",
    "lightgbm",
    "numpy",
    "pandas",
    "scipy",
    "skops",
    "statsmodels",
)
INTERPRET = "interpret-core"
_VERSIONED_BOOSTERS = ("catboost", "xgboost")  # their files name the version, as scikit-learn's do
# Files do not name the version of these; every set of companions has the one of its time.
_UNVERSIONED = ("imbalanced-learn", "skops", "statsmodels")
_NEED_PANDAS = {"catboost", "interpret-core", "statsmodels"}


@dataclass(frozen=True)
class _Choice:
    """A scikit-learn with its sets of companions, and the boosting libraries beside it."""

    scikit_learn: str  # as the file names it
    release: Release
    boosters: tuple[Booster, ...]
    sets: tuple[Companions, ...]
    pandas: str | None = None  # the major version that wrote objects in the file, if they need it

    @property
    def pythons(self) -> tuple[str, ...]:
        """Return the Pythons that have wheels for all of it, newest first."""
        lists = [self.release.pythons, *(booster.pythons for booster in self.boosters)]
        return tuple(
            python
            for python in HEROKU_PYTHONS
            if all(python in names for names in lists) and self.companions(python) is not None
        )

    def companions(self, python: str) -> tuple[Companions, Mapping[str, str]] | None:
        """Return the first set that has a Python, and the pins of its pandas."""
        for found in self.sets:
            if python not in found.pythons:
                continue
            pandas = found.pandas
            if self.pandas is not None:
                pandas = table.find_pandas(self.pandas, found, python) or {}
            if pandas:
                return found, pandas
        return None


def pythons(
    libraries: Mapping[str, str],
    distributions: Collection[str],
    numpy_major: int | None = None,
    *,
    formats: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Return the Pythons for a file's libraries, newest first. Raises NoPins.

    The arguments are the file's facts. With `numpy_major`: for exactly that numpy.
    """
    choice = _choose(libraries, distributions, formats or {}, numpy_major, newer=False)
    _check_pythons(libraries, choice)
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
    """Return the exact versions for a file's libraries on a Python. Raises NoPins.

    `numpy_major` is the numpy that wrote the file: 2 if the file names `numpy._core`, else 1. The
    newer numpy reads the older one's files to the last bit, but not the other way round. So 1
    gives numpy 1 if there are companions with it, else numpy 2; 2 gives numpy 2 or NoPins.
    """
    choice = _choose(libraries, distributions, formats or {}, numpy_major, newer=True)
    _check_pythons(libraries, choice)
    chosen = choice.companions(python) if python in choice.pythons else None
    if chosen is None:
        named = _listed(libraries) or f"scikit-learn {choice.scikit_learn}"
        have = "has" if len(libraries) < 2 else "have"
        raise NoPins(
            f"{named} {have} no wheels for Python {python}. "
            f"Choose Python {_either(choice.pythons)}."
        )
    companions, of_pandas = chosen
    needs_pandas = pandas or bool(_NEED_PANDAS & set(distributions))
    model = _model_pins(choice, companions, of_pandas if needs_pandas else {}, distributions)
    bounds = _model_bounds(choice, companions, model, distributions)
    return Pins(
        python=python,
        model=_sorted(model),
        service=_sorted(table.SERVICE_PINS),
        tests=_sorted(table.pins_for_tests(python)),
        bounds=_sorted({**bounds, **table.SERVICE_BOUNDS}),
    )


def _model_pins(
    choice: _Choice,
    companions: Companions,
    of_pandas: Mapping[str, str],
    distributions: Collection[str],
) -> dict[str, str]:
    """Return the exact version of each package that the model needs."""
    others = {n: v for n, v in companions.extras["others"].items() if n in distributions}
    pinned = {"scikit-learn": choice.release.pin, **companions.pins, **of_pandas, **others}
    for reader, version in table.READERS.items():
        if reader in distributions:
            pinned.setdefault(reader, version)
    for booster in choice.boosters:
        pinned |= {**companions.extras.get(booster.extra, {}), **booster.pins}
    for name in _UNVERSIONED:
        if name in distributions:
            pinned |= companions.extras[name]
    return pinned


def _model_bounds(
    choice: _Choice,
    companions: Companions,
    pinned: Mapping[str, str],
    distributions: Collection[str],
) -> dict[str, str]:
    """Return what requirements.in says of the model's packages: a range or an exact version."""
    exact = {"scikit-learn", *(name for booster in choice.boosters for name in booster.pins)}
    if INTERPRET in pinned:
        exact.add(INTERPRET)  # other releases take booleans and numbers for other categories
    others = {*companions.extras["others"], *table.READERS} & set(distributions)
    return {
        **{name: bug_fix_range(pinned[name]) for name in {*_BOUNDED, *others} & pinned.keys()},
        **{name: f"=={pinned[name]}" for name in exact},
    }


def _choose(
    libraries: Mapping[str, str],
    distributions: Collection[str],
    formats: Mapping[str, str],
    numpy_major: int | None,
    *,
    newer: bool,
) -> _Choice:
    """Choose the scikit-learn and its companions, the preferred first. Raises NoPins.

    With `newer`, companions with a newer numpy are taken too, after those with the one asked for.
    """
    boosters = tuple(_boosters(libraries, distributions, formats))
    candidates = _scikit_learn_candidates(libraries, formats, boosters)
    for candidate in candidates:
        release = table.find_scikit_learn(candidate)
        found = [c for c in table.find_companions(release) if _fits(c, boosters)]
        if numpy_major is not None and newer:
            # The sort is stable: equals stay in the table's order of preference.
            found = [companions for companions in found if companions.numpy_major >= numpy_major]
            found.sort(key=lambda companions: companions.numpy_major)
        elif numpy_major is not None:
            found = [companions for companions in found if companions.numpy_major == numpy_major]
        if found:
            return _Choice(candidate, release, boosters, tuple(found), formats.get("pandas"))
    raise NoPins(_no_companions(libraries, boosters, candidates[0], numpy_major))


def _scikit_learn_candidates(
    libraries: Mapping[str, str], formats: Mapping[str, str], boosters: Collection[Booster]
) -> tuple[str, ...]:
    """Return the scikit-learn versions to try, the preferred first. Raises NoPins for none."""
    if "scikit-learn" in libraries:
        return (libraries["scikit-learn"],)
    if boosters:
        # Of two libraries the older one decides: a newer scikit-learn breaks it.
        return min((b.scikit_learn for b in boosters), key=lambda names: parse_version(names[0]))
    if "statsmodels" in formats:
        return (table.SCIKIT_LEARN_OF_STATSMODELS[formats["statsmodels"]],)
    raise NoPins(
        "The file does not say which scikit-learn wrote it. "
        "Save the fitted model again with scikit-learn 1.1.3 or later."
    )


def _fits(companions: Companions, boosters: Iterable[Booster]) -> bool:
    """Return whether companions go with the boosting libraries."""
    return all(
        booster.numpy_major in (None, companions.numpy_major)
        and (not booster.extra or booster.extra in companions.extras)
        for booster in boosters
    )


def _boosters(
    libraries: Mapping[str, str], distributions: Collection[str], formats: Mapping[str, str]
) -> Iterator[Booster]:
    """Yield the boosting libraries of a file. Raises NoPins."""
    for library in _VERSIONED_BOOSTERS:
        if library in libraries:
            yield table.find_booster(library, libraries[library])
        elif library in distributions:
            raise NoPins(
                f"The file does not say which {PROPER_NAMES[library]} wrote it. "
                "Save the fitted model again with a released version."
            )
    if "lightgbm" in distributions:
        yield table.find_lightgbm(formats.get("lightgbm", ""))
    if INTERPRET in distributions:
        yield table.find_interpret(libraries.get("scikit-learn"))


def _no_companions(
    libraries: Mapping[str, str],
    boosters: Iterable[Booster],
    scikit_learn: str,
    numpy_major: int | None,
) -> str:
    """Return the message for libraries that do not go with each other, or with a numpy."""
    named = _listed(libraries) or f"scikit-learn {scikit_learn}"
    if numpy_major is not None:
        return (
            f"{named} has no set with numpy {numpy_major}. "
            "Re-save the model in the environment that it was trained in, with numpy "
            f"{'1.26' if numpy_major != 1 else '2'}, or retrain it with newer libraries."
        )
    needs = "numpy below 2" if any(booster.numpy_major == 1 for booster in boosters) else "others"
    return (
        f"{named} cannot be installed together: the older one needs {needs}. "
        "Retrain the model with libraries of one time."
    )


def _check_pythons(libraries: Mapping[str, str], choice: _Choice) -> None:
    """Raise NoPins if no Python has all of it."""
    if choice.pythons:
        return
    if choice.pandas is not None and replace(choice, pandas=None).pythons:
        named = _listed(libraries) or f"scikit-learn {choice.scikit_learn}"
        raise NoPins(
            f"The file holds objects of pandas {choice.pandas}, such as a frame or the columns of "
            f"one, and {named} cannot be installed beside it. Save the model without them: "
            "joblib.dump(model, 'model.joblib'), and names as list(frame.columns)."
        )
    raise NoPins(_no_common_python(libraries, choice))


def _no_common_python(libraries: Mapping[str, str], choice: _Choice) -> str:
    """Return the message for libraries that have no Python in common."""
    named = _listed(libraries) or f"scikit-learn {choice.scikit_learn}"
    return (
        f"{named} have no Python in common that Heroku runs. "
        "Retrain the model with libraries of one time."
    )


def _listed(libraries: Mapping[str, str]) -> str:
    """Return the libraries with their versions, for a message."""
    return " and ".join(
        f"{name} {libraries[library]}"
        for library, name in PROPER_NAMES.items()
        if library in libraries
    )


def _either(names: tuple[str, ...]) -> str:
    """Return alternatives as a sentence has them: "3.13, 3.12 or 3.11"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _sorted(versions: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(versions.items()))
