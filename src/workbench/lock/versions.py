"""Versions of the libraries that write model files."""

from __future__ import annotations

import re
from dataclasses import dataclass

from workbench.inspect.refused_file import PROPER_NAMES
from workbench.lock.pins import NoPins

_FINAL = re.compile(
    r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:\.post(\d+))?(?:\+[a-z0-9.]+)?", re.IGNORECASE
)
_CANDIDATE = re.compile(r"v?(\d+\.\d+\.\d+)(rc\d+)", re.IGNORECASE)
_PRERELEASE = re.compile(r"v?\d+(\.\d+)*[._-]?(a|b|c|rc|alpha|beta|pre|dev)\d*.*", re.IGNORECASE)


@dataclass(frozen=True, order=True)
class Version:
    """A final version: 1.4.1.post1 is (1, 4, 1, 0, 1), CatBoost's 1.2.1.1 is (1, 2, 1, 1, 0)."""

    major: int
    minor: int
    patch: int
    micro: int
    post: int

    @property
    def minor_release(self) -> tuple[int, int]:
        """Return what a version shares with its bug-fix releases."""
        return self.major, self.minor

    def __str__(self) -> str:
        """Return the version as package indexes write it."""
        micro = f".{self.micro}" if self.micro else ""
        post = f".post{self.post}" if self.post else ""
        return f"{self.major}.{self.minor}.{self.patch}{micro}{post}"


def parse_version(text: str, library: str = "scikit-learn") -> Version:
    """Parse a final version; a local part is dropped, because no index has it. Raises NoPins."""
    match = _FINAL.fullmatch(text.strip())
    if match:
        return Version(*(int(number or 0) for number in match.groups()))
    name = PROPER_NAMES[library]
    if _PRERELEASE.fullmatch(text.strip()):
        raise NoPins(
            f"{name} {text} is not a final release, and nothing can be pinned to it. "
            "Retrain the model with, or re-save it from, a final release."
        )
    article = "an" if name[0] == "X" else "a"
    raise NoPins(f"{text!r} is not {article} {name} version. Give one like 1.9.1.")


def split_candidate(text: str) -> tuple[str, str]:
    """Split a release candidate into its version and its mark: 1.3.0rc1 is 1.3.0 and rc1."""
    match = _CANDIDATE.fullmatch(text.strip())
    return (match[1], match[2].lower()) if match else (text, "")


def bug_fix_range(version: str) -> str:
    """Return the range of a version's bug-fix releases: >=2.4,<2.5 for 2.4.6."""
    major, minor = version.split(".")[:2]
    return f">={major}.{minor},<{major}.{int(minor) + 1}"
