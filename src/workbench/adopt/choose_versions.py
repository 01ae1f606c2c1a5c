"""Choose the Python version and the exact library versions for a model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from workbench.adopt.case import Case
from workbench.adopt.chain import Chain
from workbench.adopt.csv.csv_table import read_text
from workbench.adopt.problems import AnswerError, Notes, Problem
from workbench.errors import UserError, listing
from workbench.inspect import ModelFacts
from workbench.lock.choose import pins, pythons
from workbench.lock.environment import find_python
from workbench.lock.pins import NoPins, Pins, imported_as

# Distributions that need no trust. The pins know some other libraries too; for the rest `make lock`
# finds a version that fits.
SUPPORTED = frozenset(
    """
    catboost cloudpickle dill imbalanced-learn interpret-core joblib lightgbm numpy pandas
    scikit-learn scipy skops statsmodels threadpoolctl xgboost
    """.split()
)
# Libraries for which a requirements.txt near the model is compared with the model file.
COMPARED = ("catboost", "lightgbm", "scikit-learn", "xgboost")
_PIN = re.compile(
    r"^\s*([A-Za-z0-9._-]+)\s*(?:\[[^]]*\])?\s*===?\s*([^\s;#,\\*]+)(?=[\s;#\\]|$)", re.MULTILINE
)


def choose_versions(case: Case, chain: Chain) -> tuple[Pins, Notes]:
    """Choose a Python version and pin the libraries for it. Raises AnswerError."""
    facts, model = _with_recorded(case, chain.facts), case.answers.model.path.absolute()
    try:
        python = _choose_python(case, facts)
        others = tuple(sorted(set(facts.distributions) - SUPPORTED))
        pinned = pins(
            facts.libraries,
            python,
            distributions=facts.distributions,
            pandas=chain.needs_pandas or bool(others),  # nearly all other libraries need it
            numpy_major=facts.numpy_major,
            formats=facts.formats,
        )
    except NoPins as error:
        raise AnswerError(Problem(None, str(error))) from None
    of_code = chain.code.distributions if chain.code is not None else ()
    installed = {*map(imported_as, pinned.model), *pinned.service}
    unpinned = tuple(name for name in sorted({*others, *of_code}) if name not in installed)
    notes = (
        *_compare_requirements(model, facts, pinned),
        *_note_on_code(facts, python),
        *_notes_on_imports(chain, unpinned),
    )
    pinned = replace(pinned, unpinned=unpinned)
    return _with_pins_of_code(pinned, model, of_code), notes


def _notes_on_imports(chain: Chain, unpinned: Sequence[str]) -> Iterator[str]:
    """Yield which packages are installed for the author's code."""
    for package in chain.code.packages if chain.code is not None else ():
        distribution = package.distribution or package.root
        if distribution in unpinned:
            yield (
                f"{package.source.target} imports {package.root} (line {package.line}): "
                f"{distribution} is added to requirements.in."
            )


def _with_pins_of_code(pinned: Pins, model: Path, of_code: Sequence[str]) -> Pins:
    """Return the pins with the versions that a requirements.txt near the model has for the code."""
    versions = _requirements_near(model) if of_code else {}
    found = {
        name: versions[name] for name in pinned.unpinned if name in of_code and name in versions
    }
    return replace(
        pinned,
        model=dict(sorted({**pinned.model, **found}.items())),
        bounds=dict(sorted({**pinned.bounds, **{n: f"=={v}" for n, v in found.items()}}.items())),
        unpinned=tuple(name for name in pinned.unpinned if name not in found),
    )


def _with_recorded(case: Case, facts: ModelFacts) -> ModelFacts:
    """Return the facts with the scikit-learn that an MLflow folder names, if the file does not."""
    signature = case.answers.signature
    version = signature.versions.get("scikit-learn") if signature is not None else None
    if version is None or "scikit-learn" in facts.libraries:
        return facts
    recorded = replace(facts, libraries={**facts.libraries, "scikit-learn": version})
    try:
        pythons(recorded.libraries, recorded.distributions, formats=recorded.formats)
    except NoPins:  # the file needs other versions, as far as the table knows
        return facts
    return recorded


def written_by(facts: ModelFacts) -> list[str]:
    """Name the libraries that wrote the file: scikit-learn 1.6.1, lightgbm (format v4)."""
    formats = [
        f"{name} (format {version})" for name, version in facts.formats.items() if name != "pandas"
    ]
    return [f"{name} {version}" for name, version in facts.libraries.items()] + formats


def _choose_python(case: Case, facts: ModelFacts) -> str:
    """Return the requested Python, else the newest that fits the model and runs here."""
    fitting = pythons(
        facts.libraries,
        facts.distributions,
        facts.numpy_major if facts.numpy_major == 2 else None,
        formats=facts.formats,
    )
    if facts.code_pythons is not None:
        fitting = _for_pickled_code(facts, fitting)
    requested = case.answers.python_version
    previous = case.previous.environment.python if case.previous is not None else None
    if previous in fitting:
        requested = previous  # a retrain is no reason to change the Python version
    if requested == "auto":
        return next((python for python in fitting if find_python(python)), fitting[0])
    if facts.code_pythons is not None and requested not in facts.code_pythons:
        message = (
            f"Python {requested} cannot run the code in the file, which was pickled by another; "
            f"give {listing(fitting)} or auto."
        )
        raise AnswerError(Problem("python_version", message))
    if requested not in fitting:
        message = (
            f"the model was saved with {listing(written_by(facts))}, which has no wheels for "
            f"Python {requested}; give {listing(fitting)} or auto."
        )
        raise AnswerError(Problem("python_version", message))
    return requested


def _for_pickled_code(facts: ModelFacts, fitting: Sequence[str]) -> tuple[str, ...]:
    """Return those of the Python versions that can run the code in the file.

    Raises AnswerError if there are none.
    """
    able = tuple(python for python in fitting if python in (facts.code_pythons or ()))
    if not able:
        by = " or ".join(facts.code_pythons or ()) or "different versions"
        message = (
            f"The model file holds code that was pickled by Python {by}, and no other can run it; "
            f"but {listing(written_by(facts))} can only be installed with Python "
            f"{listing(fitting)}. Fit and save the model with one of these."
        )
        raise AnswerError(Problem(None, message))
    return able


def _note_on_code(facts: ModelFacts, python: str) -> Iterator[str]:
    """Yield why this Python was chosen, if the file holds code for it."""
    if facts.code_pythons is not None:
        yield (
            f"The file holds code that was pickled by Python {' or '.join(facts.code_pythons)}, "
            f"and no other can run it; so the service runs on Python {python}."
        )


def _compare_requirements(model: Path, facts: ModelFacts, pinned: Pins) -> Iterator[str]:
    """Yield a note for each pin near the model that differs from the installed version.

    The pins themselves are not used: in half of the public examples they contradict the model file.
    """
    installed = {imported_as(name): version for name, version in pinned.model.items()}
    for name, version in _requirements_near(model).items():
        if (
            name not in COMPARED
            or name not in facts.distributions
            or _same(version, installed.get(name, version))
        ):
            continue
        saved_with = facts.libraries.get(name)
        truth = (
            f"but the file was saved with {saved_with}"
            if saved_with
            else "and the file does not say"
        )
        yield (
            f"requirements.txt near the model says {name} {version}, {truth}: "
            f"{installed[name]} is installed."
        )


def _requirements_near(model: Path) -> Mapping[str, str]:
    """Return the exact pins of model libraries in the model's folder, or in the one above."""
    for folder in (model.parent, model.parent.parent):
        path = folder / "requirements.txt"
        try:
            text = read_text(path) if path.is_file() else None
        except (OSError, UserError):
            text = None
        if text is None:
            continue
        # The lock of a project holds the libraries of the model that is replaced.
        if "`make lock`" in text.split("\n", 1)[0]:
            return {}
        return {_normalized(name): version for name, version in _PIN.findall(text)}
    return {}


def _normalized(distribution: str) -> str:
    return imported_as(re.sub(r"[-_.]+", "-", distribution.lower()))


def _same(one: str, other: str) -> bool:
    return re.sub(r"(\.0)+$", "", one) == re.sub(r"(\.0)+$", "", other)
