"""What the doctor reports: one result for each check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Result:
    """What a check found and, unless all is well, what to do about it."""

    verdict: Verdict
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Finding:
    """The result of a named check: one row of the table."""

    check: str
    verdict: Verdict
    found: str
    advice: str = ""


def ok(found: str) -> Result:
    """Return that nothing needs to be done."""
    return Result("ok", found)


def warning(found: str, advice: str) -> Result:
    """Return that the push works, but something should be looked at."""
    return Result("warning", found, advice)


def error(found: str, advice: str) -> Result:
    """Return that the push would fail, or the service after it."""
    return Result("error", found, advice)
