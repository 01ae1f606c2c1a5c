"""Which Python and which exact libraries a model gets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from workbench.adopt.answers import Answers
from workbench.errors import UserError, listing
from workbench.inspect import ModelFacts
from workbench.lock.choose import pins, pythons
from workbench.lock.environment import find_python
from workbench.lock.pins import Pins

# What needs nobody's trust. Of other libraries the pins know some of their own time; of the rest
# `make lock` finds a version that goes with these.
SUPPORTED = frozenset(
    """
    catboost cloudpickle dill imbalanced-learn joblib lightgbm numpy pandas scikit-learn scipy
    skops statsmodels threadpoolctl xgboost
    """.split()
)


def choose(
    facts: ModelFacts, answers: Answers, previous: Mapping[str, Any] | None, *, pandas: bool
) -> Pins:
    """Choose a Python and pin the libraries for it. Raises NoPins and WorkbenchError."""
    python = _choose_python(facts, answers, previous)
    others = tuple(sorted(set(facts.distributions) - SUPPORTED))
    pinned = pins(
        facts.libraries,
        python,
        distributions=facts.distributions,
        pandas=pandas or bool(others),  # which nearly all need it
        numpy_major=facts.numpy_major,
        formats=facts.formats,
    )
    return replace(pinned, unpinned=tuple(name for name in others if name not in pinned.model))


def about_code(facts: ModelFacts, python: str) -> Iterator[str]:
    """Say why this Python was chosen, where the file holds code for it."""
    if facts.code_pythons is None:
        return
    yield (
        f"The file holds code that was pickled by Python {' or '.join(facts.code_pythons)}, and no "
        f"other can run it; so the service runs on Python {python}."
    )


def written_by(facts: ModelFacts) -> list[str]:
    """Name the libraries as people do: scikit-learn 1.6.1, xgboost 2.0.3."""
    formats = [f"{name} (format {found})" for name, found in facts.formats.items()]
    return [f"{name} {version}" for name, version in facts.libraries.items()] + formats


def _choose_python(facts: ModelFacts, answers: Answers, previous: Mapping[str, Any] | None) -> str:
    """Return the Python that was asked for, or the newest that fits the model and runs here."""
    fitting = pythons(
        facts.libraries,
        facts.distributions,
        facts.numpy_major if facts.numpy_major == 2 else None,
        formats=facts.formats,
    )
    if facts.code_pythons is not None:
        fitting = _for_code(facts, fitting)
    wanted = answers.python_version
    if previous and previous["python"] in fitting:
        wanted = previous["python"]  # a retrain is no reason to move to another Python
    if wanted == "auto":
        return next((python for python in fitting if find_python(python)), fitting[0])
    if facts.code_pythons is not None and wanted not in facts.code_pythons:
        raise UserError(
            f"python_version: Python {wanted} cannot run the code in the file, which was pickled "
            f"by another; give {listing(fitting)} or auto."
        )
    if wanted not in fitting:
        raise UserError(
            f"python_version: the model was saved with {listing(written_by(facts))}, which has no "
            f"wheels for Python {wanted}; give {listing(fitting)} or auto."
        )
    return wanted


def _for_code(facts: ModelFacts, fitting: Sequence[str]) -> tuple[str, ...]:
    """Return the Pythons that can run the code in the file, too. Raises WorkbenchError."""
    able = tuple(python for python in fitting if python in (facts.code_pythons or ()))
    if not able:
        by = " or ".join(facts.code_pythons or ()) or "different versions"
        raise UserError(
            f"The model file holds code that was pickled by Python {by}, and no other can run it; "
            f"but {listing(written_by(facts))} can only be installed with Python "
            f"{listing(fitting)}. Fit and save the model with one of these."
        )
    return able
