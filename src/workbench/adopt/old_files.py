"""The problem of a file of an old scikit-learn, with the line that converts it."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from workbench.adopt.answers import Answers, Part
from workbench.adopt.problems import Problem, Question, Repair
from workbench.inspect import OldFile
from workbench.inspect.old_file import CONVERTED_BY
from workbench.lock import conversion


def old_file_problem(answers: Answers, question: Question, path: Path, old: OldFile) -> Problem:
    """Return the problem of an old file; the repair names the file that its conversion writes."""
    if old.names is None:
        return Problem(question, f"{path}: {old}")
    target = path.with_name(f"{path.stem}-sklearn-{CONVERTED_BY}.joblib")
    distributions = {name.module.split(".")[0] for name in old.names} & {"pandas"}
    source, typed = _typed(answers, path), _typed(answers, target)
    line = shlex.join(conversion.command(source, typed, distributions))
    message = (
        f"{path}: {old.what} scikit-learn {CONVERTED_BY} reads it and predicts the same. Convert "
        f"it, and give the new file:\n{line}"
    )
    if question != "model_path":
        return Problem(question, message)
    return Problem(
        question, message, Repair({question: str(Part(Path(typed), answers.model.member))})
    )


def _typed(answers: Answers, path: Path) -> str:
    """Return a path as the user types it where they stand."""
    relative = os.path.relpath(path, answers.folder)
    return str(path) if relative.startswith("..") else Path(relative).as_posix()
