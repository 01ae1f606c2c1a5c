"""How the workbench refuses: one readable sentence or two for each problem."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class UserError(Exception):
    """Something that the user has to change; `problems` has one message each."""

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class CannotVerify(UserError):
    """The model cannot be verified here and now: no such Python, or a package cannot be had."""


def bullets(problems: Iterable[str]) -> str:
    """Return the problems as a list for the terminal, long lines left to it."""
    return "\n".join(f"  - {problem}" for problem in problems)


def listing(names: Sequence[str], most: int = 10) -> str:
    """Return some of the names, and how many there are when that is not all."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown}, … ({len(names)} in all)"
