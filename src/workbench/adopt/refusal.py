"""The last lines of a refusal: the complete command to paste, with the answers that it changes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from workbench import files
from workbench.adopt.answers import joined
from workbench.adopt.problems import (
    COOKIECUTTER,
    Changes,
    Problem,
    QuestionNames,
    merged_answers,
    proposed_features,
)
from workbench.errors import UserError, listing

CODE_STEM = "model_code"
AGAIN = "Then run it again:"


@dataclass(frozen=True)
class Command:
    """A command line: its first words, and the answers that the user gave, by what they typed."""

    words: tuple[str, ...]
    given: Mapping[str, str] = field(default_factory=dict)
    names: QuestionNames = COOKIECUTTER
    under_make: bool = False

    def with_answers(self, changed: Changes) -> Command:
        """Return the command that gives changed answers."""
        new = {self.names.of(question): value for question, value in changed.items()}
        return replace(self, given={**self.given, **new})

    def line(self, changed: Changes | None = None) -> str:
        """Return the line to paste, with changed answers in their places."""
        answers = self.with_answers(changed or {}).given
        pairs = (f"{name}={self._quoted(value)}" for name, value in answers.items() if value)
        return " ".join([*map(shlex.quote, self.words), *pairs])

    def _quoted(self, value: str) -> str:
        # make expands a $ in what it is given on its command line.
        return shlex.quote(value.replace("$", "$$") if self.under_make else value)


def refused(problems: Sequence[Problem], command: Command, folder: Path) -> UserError:
    """Return the refusal of answers; a features file that is proposed is written to `folder`."""
    messages = [problem.shown(command.names) for problem in problems]
    document = proposed_features(problems)
    answers = merged_answers(problems)
    if document is not None:
        path = write_beside(folder, document)
        answers = {**answers, "features": path}
        messages.append(f"The features are proposed in {path}: check it, and edit it if need be.")
    repairs = [p.repair for p in problems if p.repair and p.repair.code is not None]
    if repairs:
        path = _write_new(folder, CODE_STEM, ".py", str(repairs[0].code))
        answers = {**answers, "model_code": joined([path, *repairs[0].beside_code])}
        messages.append(f"The code is in {path}: check it.")
    return UserError(messages, list(_ending(problems, command, answers)))


def _ending(problems: Sequence[Problem], command: Command, answers: Changes) -> Iterator[str]:
    names = command.names
    for when, other in (pair for p in problems if p.repair for pair in p.repair.otherwise):
        yield when
        yield command.line({**answers, **other})
        yield ""
    questions = [p.question for p in problems if p.question is not None and p.repair is None]
    wrong = [names.of(q) for q in dict.fromkeys(questions) if q not in answers]
    changed = [f"{names.of(question)}={value}" for question, value in answers.items() if value]
    dropped = [names.of(question) for question, value in answers.items() if not value]
    without = f" and without {listing(dropped)}" if dropped else ""
    if trust := answers.get("trust"):
        yield f"The line trusts {trust}: paste it only if you know who wrote the file."
    if wrong:
        yield f"Correct {listing(wrong)} as described above, and run it again:"
    elif changed:
        yield f"Run it again with {listing(changed)}{without}:"
    else:
        yield AGAIN
    first = dict.fromkeys(p.repair.first for p in problems if p.repair and p.repair.first)
    yield " && ".join([*first, command.line(answers)])


def write_beside(folder: Path, document: Any) -> str:
    """Write a features file into a folder and return its name; no file is overwritten."""
    return _write_new(folder, files.PROPOSED.stem, ".json", files.dumps(document))


def _write_new(folder: Path, stem: str, suffix: str, text: str) -> str:
    """Write a file into a folder and return its name; no file is overwritten."""
    for number in count(1):
        mark = "" if number == 1 else f"-{number}"
        path = folder / f"{stem}{mark}{suffix}"
        if not path.exists():
            files.write(path, text)
        elif path.read_text(encoding="utf-8", errors="replace") != text:
            continue
        return path.name
    raise AssertionError("count() has no end")
