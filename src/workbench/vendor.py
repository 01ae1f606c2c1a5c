"""The wheels in the project's vendor/: the engine, which the dyno runs, and these tools."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workbench import files
from workbench.errors import UserError

FOLDER = Path("vendor")
README = FOLDER / "README.md"
ENGINE = "cookiecutter-model-service-engine"
TOOLS = "cookiecutter-model-service-tools"

# https://packaging.python.org/en/latest/specifications/binary-distribution-format/
_FILE_NAME = re.compile(r"(?P<name>[A-Za-z0-9_.]+)-(?P<version>[^-/]+)-py3-none-any\.whl")
# As `sha256sum` prints it.
_HASH = re.compile(r"^ *(?P<sha256>[0-9a-f]{64})  (?P<file>\S+\.whl)$", re.M)
_HASHES = re.compile(r"(?:^ *[0-9a-f]{64}  \S+\.whl\n)+", re.M)


@dataclass(frozen=True)
class Wheel:
    """One wheel in vendor/."""

    path: Path
    name: str
    version: str

    @property
    def relative_path(self) -> str:
        """Return the path in the project, as git writes it."""
        return f"{FOLDER.as_posix()}/{self.path.name}"

    @property
    def line(self) -> str:
        """Return the line in a requirements file, relative to the project."""
        return f"./{self.relative_path}"

    @property
    def sha256(self) -> str:
        """Return the hash of the file's content."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def parse_line(line: str) -> tuple[str, str] | None:
    """Return name and version of a requirement such as ./vendor/….whl, or None for any other."""
    found = _FILE_NAME.fullmatch(line.rpartition("/")[2])
    if found is None or not line.startswith("./"):
        return None
    return found["name"].replace("_", "-").lower(), found["version"]


def wheels(project: Path) -> Iterator[Wheel]:
    """Yield our own wheels in vendor/: both, or only the tools after `make eject`."""
    return wheels_in(project / FOLDER)


def wheels_in(folder: Path) -> Iterator[Wheel]:
    """Yield our own wheels in a folder."""
    for path in sorted(folder.glob("*.whl")):
        wheel = parse_line(f"./{path.name}")
        if wheel is not None and wheel[0] in (ENGINE, TOOLS):
            yield Wheel(path, *wheel)


def lines(project: Path, name: str) -> tuple[str, ...]:
    """Return the line of a vendored wheel; none if the project has no such wheel."""
    return tuple(wheel.line for wheel in wheels(project) if wheel.name == name)


def altered(project: Path) -> list[str]:
    """Return the wheels that are not the files that vendor/README.md lists.

    Raises UserError if that cannot be read.
    """
    listed = {m["file"]: m["sha256"] for m in _HASH.finditer(files.read(project / README))}
    return [w.path.name for w in wheels(project) if listed.get(w.path.name) != w.sha256]


def write_readme(project: Path) -> None:
    """Write the hashes of the wheels as they are now into vendor/README.md. Raises UserError."""
    hashes = "".join(f"    {wheel.sha256}  {wheel.path.name}\n" for wheel in wheels(project))
    text, found = _HASHES.subn(lambda _: hashes, files.read(project / README), count=1)
    if not found:
        raise UserError(f"{README} lists no hashes; restore it: git checkout -- {README}")
    files.write(project / README, text)


def is_ejected(project: Path) -> bool:
    """Return whether the project holds the engine's source instead of its wheel."""
    return (project / "model_service").is_dir() and not lines(project, ENGINE)


def require_engine(project: Path) -> Wheel:
    """Return the engine's wheel. Raises UserError if it is not there, or not as listed."""
    for wheel in wheels(project):
        if wheel.name == ENGINE:
            if wheel.path.name in altered(project):
                raise UserError(
                    f"{wheel.path.name} is not the file that {README} lists; restore it: "
                    f"git checkout -- {FOLDER}"
                )
            return wheel
    raise UserError(f"{FOLDER}/ holds no wheel of the engine; restore it: git checkout -- {FOLDER}")
