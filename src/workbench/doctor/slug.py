"""Estimate the slug's size: the locked packages in `.venv`, compressed as Heroku does it."""

from __future__ import annotations

import os
import platform
import re
import zlib
from collections.abc import Collection, Iterable, Mapping
from importlib import metadata
from pathlib import Path

from workbench import heroku
from workbench.doctor.snapshot import Slug
from workbench.lock.environment import VENV
from workbench.lock.requirements import Requirement

# Of a large file one block in sixteen is compressed: the rest compresses about as well.
BLOCK, STRIDE = 1 << 16, 1 << 20
# As in real builds: Heroku's Python itself, compressed, and the compressed size of the bytecode
# that pip adds, in times that of the sources.
PYTHON_MEGABYTES = 24
BYTECODE = 2.2
SHOWN_PACKAGES = 3


def installed(project: Path) -> dict[str, metadata.Distribution]:
    """Return the packages in `.venv` by name."""
    pattern = "Lib/site-packages" if os.name == "nt" else "lib/python*/site-packages"
    folders = [str(folder) for folder in (project / VENV).glob(pattern)]
    return {
        re.sub(r"[-_.]+", "-", name.lower()): found
        for found in metadata.distributions(path=folders)
        if (name := found.metadata["Name"])  # the rest of a removed package has none
    }


def difference(
    locked: Collection[Requirement], installed: Mapping[str, metadata.Distribution]
) -> str | None:
    """Return the first difference between `.venv` and the lock, or None.

    A vendored wheel's version holds a hash of its content, so that it differs like any other.
    """
    if not installed:
        return f"there is no {VENV}"
    for entry in locked:
        # A package with a marker can be for other machines.
        found = installed[entry.name].version if entry.name in installed else None
        if found != entry.version and not (found is None and entry.marker):
            return f"{VENV} has {entry.name} {found or 'not'}, requirements.txt {entry.version}"
    return None


def estimate(
    project: Path,
    locked: Collection[Requirement],
    installed: Mapping[str, metadata.Distribution],
    tracked: Iterable[str],
) -> Slug:
    """Compress a part of each package that the dyno installs, and of the project's own files."""
    sizes = {e.name: _package_bytes(installed[e.name]) for e in locked if e.name in installed}
    own = _compressed_bytes([project / name for name in tracked])
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:SHOWN_PACKAGES]
    return Slug(
        PYTHON_MEGABYTES + (sum(sizes.values()) + own) / heroku.MEGABYTE,
        tuple((name, size / heroku.MEGABYTE) for name, size in largest),
        (platform.system(), platform.machine()) == ("Linux", "x86_64"),
    )


def _package_bytes(distribution: metadata.Distribution) -> float:
    paths = [Path(str(file.locate())) for file in distribution.files or ()]
    sources = [path for path in paths if path.suffix == ".py"]
    others = [path for path in paths if path.suffix not in (".py", ".pyc")]
    return (1 + BYTECODE) * _compressed_bytes(sources) + _compressed_bytes(others)


def _compressed_bytes(paths: Iterable[Path]) -> float:
    """Estimate how many bytes the files take in a compressed archive."""
    archive, size, read, written = zlib.compressobj(), 0, 0, 0
    for path in paths:
        if not path.is_file():
            continue
        with path.open("rb") as file:
            length = os.fstat(file.fileno()).st_size
            size += length
            for offset in range(0, length, STRIDE):
                file.seek(offset)
                block = file.read(BLOCK)
                read += len(block)
                written += len(archive.compress(block))
    written += len(archive.flush())
    return size * written / read if read else 0.0
