"""What is wrong with a request: single problems, and all of them within bounds.

Standard library only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Literal, get_args, overload

# Why a row is refused, in one word: the label of a counter.
Reason = Literal["type", "null", "range", "category", "missing", "unknown", "model", "form"]
REASONS: tuple[Reason, ...] = get_args(Reason)

# A small request can have a million problems: each of 1,000 rows can lack 1,000 features.
MAX_LISTED_PROBLEMS = 1000
# On a page, in a cell of a CSV and in a log line, where people read them.
MAX_SHOWN_PROBLEMS = 20


class Invalid(ValueError):
    """A value does not fit its feature; the message completes "<feature> …"."""

    def __init__(self, message: str, reason: Reason = "type") -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Problem:
    """One mistake in a request. Rows count from 1."""

    row: int | None  # None for a mistake in the file as a whole
    feature: str | None
    message: str
    line: int | None = None  # of a file, where the row begins
    reason: Reason = "form"

    def to_json(self) -> dict[str, object]:
        """Return the member of `errors` in a problem+json response."""
        line = {"line": self.line} if self.line is not None else {}
        return {"row": self.row, **line, "feature": self.feature, "message": self.message}


# How many problems there are, by reason and feature; "" stands for no feature.
ProblemCounts = Counter[tuple[Reason, str]]


class Problems(Sequence[Problem]):
    """The problems of a request: the first MAX_LISTED_PROBLEMS as objects, all of them as counts.

    As a sequence it holds the listed ones. `counts` are by reason and feature. A name that the
    contract does not know is counted without the name, so that no request can fill the memory.
    """

    def __init__(self, problems: Iterable[Problem] = ()) -> None:
        self._listed: list[Problem] = []
        self.counts: ProblemCounts = Counter()
        self.is_complete = True  # whether all of the request has been checked
        for problem in problems:
            self.add(problem)

    @overload
    def __getitem__(self, place: int) -> Problem: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Problem]: ...
    def __getitem__(self, place: int | slice) -> Problem | Sequence[Problem]:
        return self._listed[place]

    def __len__(self) -> int:
        return len(self._listed)

    @property
    def is_full(self) -> bool:
        """Whether further problems are only counted: their messages need not be made."""
        return len(self._listed) >= MAX_LISTED_PROBLEMS

    @property
    def total(self) -> int:
        """How many problems there are, with those that are not listed."""
        return self.counts.total()

    def add(self, problem: Problem) -> None:
        """Count a problem, and list it unless the list is full."""
        feature = problem.feature if problem.reason != "unknown" else None
        self.counts[problem.reason, feature or ""] += 1
        if not self.is_full:
            self._listed.append(problem)

    def sort(self, key: Callable[[Problem], int]) -> None:
        """Sort the listed problems."""
        self._listed.sort(key=key)

    def extend(self, others: Problems) -> None:
        """Add the problems of another part of the request."""
        self.counts.update(others.counts)
        self._listed += others[: MAX_LISTED_PROBLEMS - len(self)]
        self.is_complete = self.is_complete and others.is_complete

    def add_unlisted(self, reason: Reason, features: Iterable[str]) -> None:
        """Count a problem of each feature without listing it; "" stands for no feature."""
        if reason == "unknown":
            self.counts[reason, ""] += sum(1 for _ in features)
        else:
            self.counts.update(zip(repeat(reason), features))  # repeat has no end

    @property
    def summary(self) -> str:
        """How many problems there are, in words: the detail of a response."""
        count = "1 problem" if self.total == 1 else f"{self.total} problems"
        count = count if self.is_complete else f"more than {count}"
        hidden = f" (the first {len(self)} are listed)" if self.total > len(self) else ""
        return count + hidden


def shown_problems(problems: Problems) -> tuple[Sequence[Problem], int]:
    """Return the problems that people see, and how many there are besides."""
    shown = problems[:MAX_SHOWN_PROBLEMS]
    return shown, problems.total - len(shown)
