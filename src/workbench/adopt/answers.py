"""The answers to the questions, as data."""

from __future__ import annotations

import contextlib
import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from model_service.contract.json_values import Row
from workbench.adopt.problems import COOKIECUTTER, QuestionNames

BUNDLED_EXAMPLE = "loan_model"
PICKLES = (".joblib", ".pickle", ".pkl")


@dataclass(frozen=True)
class Part:
    """A file, or a member of the dict or tuple in it: artifact.pkl#model."""

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path}#{self.member}"


@dataclass(frozen=True)
class Signature:
    """What a description beside the model says of it; the user's own answers win."""

    features: tuple[Mapping[str, Any], ...] = ()
    # Whether a booster's own file is of a classifier, which answers with classes.
    of_classifier: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)  # by distribution


@dataclass(frozen=True)
class Answers:
    """One field per question; paths are as the user typed them, relative to `folder`."""

    project_name: str
    project_slug: str
    description: str
    model_path: str
    folder: Path
    features: str = ""
    sample_data: str = ""
    transformers: str = ""
    model_code: str = ""
    trust: str = ""
    python_version: str = "auto"
    verify: bool = True
    # The command line's answers before cookiecutter rendered them as Jinja templates.
    raw: Mapping[str, object] = field(default_factory=dict)
    # The rows of `.sample.csv` on a retrain, for what is seen only in whole rows.
    kept_rows: Sequence[Row] = ()
    # What the user types for each question.
    names: QuestionNames = COOKIECUTTER
    # A model with other features than the answer's is adopted with those that remain.
    accept_other_features: bool = False
    # The content of a features file that nobody had to check; it takes the place of `features`.
    features_document: Mapping[str, Any] | None = None
    # Whether `features` was found near the model, not typed: it has no typing errors.
    found_features: bool = False
    # Of an MLflow folder.
    signature: Signature | None = None

    def path(self, answer: str) -> Path:
        """Return the path for an answer."""
        path = Path(answer.strip())
        with contextlib.suppress(RuntimeError):  # ~somebody without a home folder here
            path = path.expanduser()
        return self.folder / path

    def part(self, answer: str) -> Part:
        """Return the file for an answer, and the member in it; a file name can hold a #."""
        path = self.path(answer)
        name, mark, member = answer.strip().rpartition("#")
        if not mark or not name or exists(path):
            return Part(path)
        return Part(self.path(name), member)

    @property
    def model(self) -> Part:
        return self.part(self.model_path)

    @property
    def transformer_parts(self) -> tuple[Part, ...]:
        return tuple(
            self.beside_model(a) for a in self.transformer_answers if not self._leaves_out(a)
        )

    @property
    def left_out(self) -> tuple[Part, ...]:
        """The fitted files that are left out on purpose: -scaler.pkl."""
        named = (answer[1:] for answer in self.transformer_answers if self._leaves_out(answer))
        return tuple(self.beside_model(answer) for answer in named)

    @property
    def transformer_answers(self) -> tuple[str, ...]:
        """The items of the answer, as the user typed them."""
        return split(self.transformers)

    def _leaves_out(self, answer: str) -> bool:
        return answer.startswith("-") and not exists(self.part(answer).path)

    def beside_model(self, answer: str) -> Part:
        """Return the file for an answer; a name that is not here is looked for beside the model."""
        part = self.part(answer)
        beside = replace(self, folder=self.model.path.parent).part(answer)
        return beside if not exists(part.path) and exists(beside.path) else part

    def shown_path(self, part: Part) -> str:
        """Return a file as the user would type it where they stand, after the model's own path."""
        typed = self.model_path.strip()
        if self.model.member is not None:
            typed = typed.rpartition("#")[0]
        relative = os.path.relpath(part.path, self.model.path.parent)
        path = Path(os.path.normpath(Path(typed).parent / relative)).as_posix()
        return str(Part(Path(path), part.member))

    @property
    def code(self) -> tuple[Path, ...]:
        return tuple(self.path(answer) for answer in split(self.model_code))

    @property
    def sample(self) -> Path | None:
        return self.path(self.sample_data) if self.sample_data.strip() else None

    @property
    def trusted(self) -> tuple[str, ...]:
        return split(self.trust)


def with_example(answers: Mapping[str, Any], example: Path) -> dict[str, Any]:
    """Return the answers with the files of the bundled example in place of its name."""
    if answers["model_path"] != BUNDLED_EXAMPLE:
        return dict(answers)
    return {
        **answers,
        "model_path": str(example / "model.joblib"),
        "features": answers["features"] or str(example / "features.json"),
        "sample_data": answers["sample_data"] or str(example / "sample.csv"),
    }


def joined(items: Iterable[str]) -> str:
    """Return an answer with several items; one with a comma is written in double quotes."""
    return ",".join(f'"{item}"' if "," in item else item for item in items)


def split(answer: str) -> tuple[str, ...]:
    """Return the items of an answer; a comma too many, such as a last one, adds none."""
    return tuple(filter(None, split_names(answer)))


def split_names(answer: str) -> tuple[str, ...]:
    """Split at commas and line breaks; a name with a comma is written in double quotes.

    An empty name stays: left out, it would put the names after it in other places.
    """
    rows = csv.reader(answer.strip().splitlines(), skipinitialspace=True)
    return tuple(item.strip() for row in rows for item in row)


def exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # the name is too long, or holds a NUL
        return False


def is_file(path: Path) -> bool:
    return exists(path) and path.is_file()
