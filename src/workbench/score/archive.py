"""The project as an archive: what a worker on another machine needs, byte for byte the same."""

from __future__ import annotations

import hashlib
import io
import runpy
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import model_service
import workbench
from workbench import files

# The first moment that a ZIP file can hold: the archive has no clock in it.
EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Archive:
    """A ZIP of model/ and of both packages, as this process runs them."""

    content: bytes
    sha256: str

    @classmethod
    def of(cls, project: Path) -> Archive:
        """Return the archive of a project."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in _contents(project):
                archive.writestr(zipfile.ZipInfo(name, EPOCH), content)
        content = buffer.getvalue()
        return cls(content, hashlib.sha256(content).hexdigest())


# From an archive, its SHA-256, a job and a part to a result: all as bytes or JSON text.
Score = Callable[[bytes, str, str, str], str]


def portable_score() -> Score:
    """Return remote.score_remotely as a function of no module, which picklers carry by value."""
    namespace = runpy.run_module("workbench.score.remote", run_name="__main__")
    score: Score = namespace["score_remotely"]
    return score


def _contents(project: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted((project / files.MODEL).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(project).as_posix(), path.read_bytes()
    for package in (model_service, workbench):
        yield from _modules(Path(str(package.__file__)).parent)


def _modules(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a package in a folder or, as manage.py runs it, in a wheel."""
    wheel = next((path for path in folder.parents if path.is_file()), None)
    if wheel is not None:
        with zipfile.ZipFile(wheel) as archive:
            for name in sorted(archive.namelist()):
                if name.startswith(f"{folder.name}/"):
                    yield name, archive.read(name)
        return
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(folder.parent).as_posix(), path.read_bytes()
