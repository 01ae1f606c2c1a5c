"""Override: copy one of the engine's templates into the project, where it takes precedence."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workbench import files, vendor
from workbench.errors import UserError, listing

FOLDER = Path("templates")
_INSIDE = "model_service/web/templates/"
_ORIGIN = re.compile(r"\{# Copied from the engine's (?P<page>\S+), sha256 (?P<sha256>[0-9a-f]{64})")


@dataclass(frozen=True)
class Outdated:
    """A template of the project whose original in the engine has changed since it was copied."""

    path: Path
    page: str


def override(project: Path, page: str) -> str:
    """Copy a template and record its original's hash in its first line. Raises UserError."""
    pages = _pages(project)
    if page not in pages:
        raise UserError(
            f"PAGE={page!r} is none of the engine's: {listing(sorted(pages), 20)}.",
            ("For example:", "make override PAGE=form.html"),
        )
    target = project / FOLDER / page
    if target.exists():
        raise UserError(f"{FOLDER / page} exists; delete it to copy the engine's again.")
    content = pages[page]
    head = f"{{# Copied from the engine's {page}, sha256 {_sha256(content)} #}}\n"
    files.write(target, head.encode() + content)
    return (
        f"{FOLDER / page} takes the place of the engine's {page}. Edit it, then make run.\n"
        "make upgrade and make doctor name it when the engine's own changes."
    )


def overridden(project: Path) -> list[Path]:
    """Return the project's templates that take the place of one of the engine's.

    Raises UserError if the engine's are not there.
    """
    names = [FOLDER / page for page in sorted(_pages(project))]
    return [name for name in names if (project / name).exists()]


def outdated(project: Path) -> Iterator[Outdated]:
    """Yield the copied templates whose original is not the one that they were copied from."""
    pages = _pages(project)
    for path in sorted((project / FOLDER).rglob("*.html")):
        origin = _ORIGIN.match(files.read(path))
        if origin and _sha256(pages.get(origin["page"], b"")) != origin["sha256"]:
            yield Outdated(path.relative_to(project), origin["page"])


def _pages(project: Path) -> dict[str, bytes]:
    """Return the engine's templates by name, from its wheel or from its ejected source."""
    if vendor.is_ejected(project):
        folder = project / _INSIDE
        return {path.name: path.read_bytes() for path in folder.glob("*.html")}
    with zipfile.ZipFile(vendor.require_engine(project).path) as archive:
        names = [name for name in archive.namelist() if name.startswith(_INSIDE)]
        return {name.removeprefix(_INSIDE): archive.read(name) for name in names}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
