"""The project's requirements files as text: their entries, and vendored wheels in them."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from workbench import vendor

SOURCE = Path("requirements.in")
LOCK = Path("requirements.txt")
TEST_LOCK = Path("requirements-test.txt")
FILES = (SOURCE, LOCK, TEST_LOCK)
# An entry such as ./vendor/….whl, with the lines that continue it.
_VENDORED = re.compile(r"^(?P<line>\./[^\s;]+)(?:.*\\\n)*.*\n?", re.M)


@dataclass(frozen=True)
class Requirement:
    """One entry of a requirements file; a line that is no exact pin has no version."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]  # SHA-256, in hexadecimal
    vendored: bool = False


def parse_requirements(text: str) -> tuple[Requirement, ...]:
    """Return the entries of a requirements file."""
    lines = (line.strip() for line in text.replace("\\\n", " ").splitlines())
    return tuple(_parse_entry(line) for line in lines if line and not line.startswith("#"))


def _parse_entry(line: str) -> Requirement:
    entry, *options = (part.strip() for part in line.split("--hash="))
    hashes = tuple(option.removeprefix("sha256:") for option in options)
    if wheel := vendor.parse_line(entry):
        return Requirement(*wheel, marker="", hashes=hashes, vendored=True)
    pin, _, marker = entry.partition(";")
    name, _, version = pin.partition("==")
    return Requirement(distribution_of(name), version.strip(), marker.strip(), hashes)


def exact_pins(text: str, without_version: Collection[str]) -> list[str]:
    """Return the exact pins of a requirements file, without hashes and vendored wheels.

    The packages in `without_version` get none: another file decides it.
    """
    return [
        (entry.name if entry.name in without_version else f"{entry.name}=={entry.version}")
        + (f" ; {entry.marker}" if entry.marker else "")
        for entry in parse_requirements(text)
        if entry.version and not entry.vendored
    ]


def without_wheels(text: str) -> str:
    """Return a requirements file without vendored wheels.

    uv accepts no unnamed requirement as a constraint.
    """
    return _VENDORED.sub("", text)


def replace_wheel(text: str, distribution: str, wheel: vendor.Wheel | None) -> str:
    """Return a requirements file with a wheel, or none, as its vendored entry of a distribution.

    A file without such an entry stays as it is. The new entry carries a hash if any entry of the
    file does.
    """
    entry = ""
    if wheel is not None:
        hashed = any(requirement.hashes for requirement in parse_requirements(text))
        hash_option = f" \\\n    --hash=sha256:{wheel.sha256}" if hashed else ""
        entry = f"{wheel.line}{hash_option}\n"

    def replaced(found: re.Match[str]) -> str:
        listed = vendor.parse_line(found["line"])
        return entry if listed is not None and listed[0] == distribution else found.group()

    return _VENDORED.sub(replaced, text)


def distribution_of(line: str) -> str:
    """Return the normalised name at the beginning of a line, or an empty text."""
    found = re.match(r"[A-Za-z0-9._-]+", line.strip())
    return re.sub(r"[-_.]+", "-", found.group().lower()) if found else ""
