"""The requirements.txt beside the model: a hint, for half of them contradict the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from workbench.adopt.sample import read_text
from workbench.errors import UserError
from workbench.inspect import ModelFacts
from workbench.lock.pins import Pins, imported_as

LIBRARIES = ("catboost", "lightgbm", "scikit-learn", "xgboost")
_PIN = re.compile(
    r"^\s*([A-Za-z0-9._-]+)\s*(?:\[[^]]*\])?\s*===?\s*([^\s;#,\\*]+)(?=[\s;#\\]|$)", re.M
)


def notices(model: Path, facts: ModelFacts, pinned: Pins) -> Iterator[str]:
    """Yield where the requirements beside a model are not what is installed for it."""
    installed = {imported_as(name): version for name, version in pinned.model.items()}
    for name, said in requirements_beside(model).items():
        if name not in facts.distributions or _same(said, installed.get(name, said)):
            continue
        saved_with = facts.libraries.get(name)
        truth = (
            f"but the file was saved with {saved_with}"
            if saved_with
            else "and the file does not say"
        )
        yield (
            f"requirements.txt beside the model says {name} {said}, {truth}: "
            f"{installed[name]} is installed."
        )


def requirements_beside(model: Path) -> Mapping[str, str]:
    """Return the exact pins of model libraries in the model's folder, or in the one above."""
    for folder in (model.parent, model.parent.parent):
        path = folder / "requirements.txt"
        try:
            text = read_text(path) if path.is_file() else None
        except (OSError, UserError):
            text = None
        if text is None:
            continue
        # A project's own says what the model before was saved with.
        if "`make lock`" in text.split("\n", 1)[0]:
            return {}
        pins = {_name(name): version for name, version in _PIN.findall(text)}
        return {name: pins[name] for name in LIBRARIES if name in pins}
    return {}


def _name(distribution: str) -> str:
    return imported_as(re.sub(r"[-_.]+", "-", distribution.lower()))


def _same(one: str, other: str) -> bool:
    return re.sub(r"(\.0)+$", "", one) == re.sub(r"(\.0)+$", "", other)
