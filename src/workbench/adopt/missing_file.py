"""The problem that an answer names a file which is not there, with the nearest one that is."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

from workbench.adopt.answers import PICKLES, Answers, exists, joined, split
from workbench.adopt.problems import Problem, Question, Repair

# Suffixes of files that list features; any other answer without a comma is one name.
FEATURE_FILES = (".json", ".txt", ".csv")
# Usual suffixes of the files that answer a question.
MODEL_FILES = (*PICKLES, ".sav", ".skops", ".json", ".ubj", ".txt", ".cbm", ".model", ".dat", "")
SUFFIXES: Mapping[Question, Sequence[str]] = {
    "model_path": MODEL_FILES,
    "features": (*FEATURE_FILES, *PICKLES),
    "sample_data": (".csv", ".tsv", ".json", ".txt"),
    "transformers": (*PICKLES, ".sav", ".skops", ".json", ".npy"),
    "model_code": (".py",),
}
MAX_NEAREST = 3
# What to give instead of a file that is not there.
WANTED: Mapping[Question, str] = {
    "model_path": "; give the path of the model file",
    "features": "; give the path of a file, or names with commas",
    "sample_data": "; give the path of a CSV file",
}


def missing_file(answers: Answers, question: Question, answer: str) -> Problem:
    """Return the problem that there is no such file, with the nearest one that there is."""
    path = answers.path(answer.strip())
    given = split(getattr(answers, question))
    near = [name for name in _nearest_files(path, SUFFIXES[question]) if name not in given]
    if not near:
        return Problem(question, f"there is no file {path}{WANTED.get(question, '')}.")
    typed = Path(answer.strip()).parent
    shown = " or ".join((typed / name).as_posix() for name in near)
    items = [_nearest_item(answers, question, item) for item in given]
    return Problem(
        question,
        f"there is no file {path}; did you mean {shown}?",
        Repair({question: joined(items)}),
    )


def _nearest_item(answers: Answers, question: Question, item: str) -> str:
    """Return an item of an answer, the nearest file's name if there is no such file."""
    dash = "-" if question == "transformers" and item.startswith("-") else ""
    name = item.removeprefix(dash)
    if exists(answers.beside_model(name).path):
        return item
    near = _nearest_files(answers.path(name), SUFFIXES[question])
    return f"{dash}{(Path(name).parent / near[0]).as_posix()}" if near else item


def _nearest_files(path: Path, suffixes: Sequence[str]) -> list[str]:
    """Return files in a missing file's folder with a similar name, else the only usual one."""
    try:
        files = sorted(entry for entry in path.parent.iterdir() if entry.is_file())
    except (OSError, ValueError):
        return []
    names = [entry.name for entry in files if entry.suffix.lower() in suffixes]
    near = difflib.get_close_matches(path.name, names, MAX_NEAREST)
    stems = [name for name in names if Path(name).stem == path.stem]
    return near or stems or (names if len(names) == 1 else [])
