"""How the tools refuse: one readable message for each problem."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class UserError(Exception):
    """Something that the user has to change; `problems` has one message each.

    `ending` are the lines to print after them; the last one is the command to type next.
    """

    def __init__(self, problems: str | Sequence[str], ending: Sequence[str] = ()) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        self.ending = tuple(ending)
        super().__init__("\n".join(self.problems))

    @property
    def shown(self) -> str:
        """The problems as a list, and the command to type next."""
        return "\n".join([bullets(self.problems), *(["", *self.ending] if self.ending else [])])


class CannotVerify(UserError):
    """The model cannot be verified on this machine: no such Python, or no package to install."""


def bullets(problems: Iterable[str]) -> str:
    """Return the problems as a list, without wrapping: the terminal wraps long lines."""
    return "\n".join(f"  - {problem}" for problem in problems)


def listing(names: Sequence[str], max_names: int = 10) -> str:
    """Return the first names separated by commas and, if that is not all, how many there are."""
    shown = ", ".join(names[:max_names])
    return shown if len(names) <= max_names else f"{shown}, … ({len(names)} in all)"
