"""The problem of a file of an old scikit-learn or XGBoost, with the line that converts it."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from workbench.adopt.answers import Answers, Part, joined
from workbench.adopt.problems import Problem, Question, Repair
from workbench.inspect import OldFile
from workbench.lock import conversion


def old_file_problem(
    answers: Answers | None, question: Question, path: Path, old: OldFile
) -> Problem:
    """Return the problem of an old file; the repair names the file that its conversion writes."""
    if old.names is None or answers is None:
        return Problem(question, f"{path}: {old}")
    short = {"scikit-learn": "sklearn"}
    by = [f"{short.get(name, name)}-{version}" for name, version in old.converted_by.items()]
    target = path.with_name("-".join([path.stem, *by]) + ".joblib")
    source, typed = _typed(answers, path), _typed(answers, target)
    line = shlex.join(conversion.command(source, typed, old))
    message = (
        f"{path}: {old.what} {old.what_converts}. The last line converts it first, and gives the "
        "new file."
    )
    changed = _changed(answers, question, path, typed)
    return Problem(question, message, Repair({question: changed}, first=line))


def _changed(answers: Answers, question: Question, path: Path, new: str) -> str:
    """Return the answer with the new file in the place of the old one, its member kept."""
    if question == "model_path":
        return str(Part(Path(new), answers.model.member))
    parts = [(item, answers.beside_model(item)) for item in answers.transformer_answers]
    return joined(
        str(Part(Path(new), part.member)) if part.path == path else item for item, part in parts
    )


def _typed(answers: Answers, path: Path) -> str:
    """Return a path as the user types it where they stand."""
    relative = os.path.relpath(path, answers.folder)
    return str(path) if relative.startswith("..") else Path(relative).as_posix()
