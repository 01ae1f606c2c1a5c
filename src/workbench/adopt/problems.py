"""Problems with the answers, each with the question that it is about.

cookiecutter asks for `features`, and `make adopt` takes FEATURES=. A problem holds the question as
data, and `QuestionNames` holds what the user types for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from workbench.errors import UserError

Question = Literal[
    "project_name",
    "project_slug",
    "description",
    "model_path",
    "features",
    "sample_data",
    "transformers",
    "model_code",
    "trust",
    "python_version",
]
Changes = Mapping[str, str]  # answers by question
Notes = tuple[str, ...]  # sentences to show after a successful adoption


@dataclass(frozen=True)
class QuestionNames:
    """What the user types for the questions that messages mention."""

    model_path: str = "model_path"
    features: str = "features"
    sample_data: str = "sample_data"
    transformers: str = "transformers"
    model_code: str = "model_code"
    trust: str = "trust"

    def of(self, question: str) -> str:
        """Return the name of a question, its own if no field renames it."""
        name: str = getattr(self, question, question)
        return name


COOKIECUTTER = QuestionNames()
MAKE_ADOPT = QuestionNames("MODEL", "FEATURES", "SAMPLE", "TRANSFORMERS", "CODE", "TRUST")


@dataclass(frozen=True)
class Repair:
    """Answers to give instead, by question."""

    answers: Changes = field(default_factory=dict)
    # The content of a features file to write; its path is the answer to `features`.
    features: Any = None
    # The text of a .py file to write; its path is the answer to `model_code`.
    code: str | None = None
    # Files and folders to name after it: data that the code reads.
    beside_code: tuple[str, ...] = ()
    # Other answers that are as good, each with the sentence that says when.
    otherwise: tuple[tuple[str, Changes], ...] = ()
    # A command line that has to run before: it makes a file that these answers name.
    first: str = ""
    # Whether these answers are taken unasked, if nothing else is to be asked. The message then says
    # what is done, and `otherwise` has the answers that undo it.
    certain: bool = False


@dataclass(frozen=True)
class Problem:
    """Something that the user has to change; `question` is None if no single answer is wrong."""

    question: Question | None
    message: str
    repair: Repair | None = None

    def shown(self, names: QuestionNames) -> str:
        """Return the message for the terminal, after the name of the question."""
        if self.question is None:
            return self.message
        return f"{names.of(self.question)}: {self.message}"

    def __str__(self) -> str:
        return self.shown(COOKIECUTTER)


def merged_answers(problems: Sequence[Problem]) -> dict[str, str]:
    """Return the answers of the repairs; of several for one question the last knows the others."""
    found: dict[str, str] = {}
    for problem in problems:
        found.update(problem.repair.answers if problem.repair else {})
    return found


def proposed_features(problems: Sequence[Problem]) -> Any:
    """Return the features file of the repairs, or None; the last of several knows the others."""
    documents = [problem.repair.features for problem in problems if problem.repair]
    return next((document for document in reversed(documents) if document is not None), None)


class AnswerError(UserError):
    """The answers cannot be adopted; `found` holds every problem."""

    def __init__(self, found: Problem | Sequence[Problem]) -> None:
        self.found = (found,) if isinstance(found, Problem) else tuple(found)
        super().__init__([str(problem) for problem in self.found])


@contextmanager
def concerning(question: Question) -> Iterator[None]:
    """Turn a UserError of the block into an AnswerError about a question."""
    try:
        yield
    except AnswerError:
        raise
    except UserError as error:
        raise AnswerError([Problem(question, message) for message in error.problems]) from None
