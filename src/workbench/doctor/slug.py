"""How large the slug will be: the locked packages in `.venv`, compressed as the platform does."""

from __future__ import annotations

import os
import platform
import re
import zlib
from collections.abc import Collection, Iterable, Mapping
from importlib import metadata
from pathlib import Path

from workbench import heroku
from workbench.doctor.checks import Slug, Unmeasured
from workbench.lock.environment import VENV
from workbench.lock.lock import Requirement

# One block in sixteen of a large file shows how well the rest compresses.
BLOCK, STRIDE = 1 << 16, 1 << 20
# Heroku's Python itself, compressed, and what pip's bytecode adds to its sources, compressed too:
# both as in real builds.
PYTHON_MEGABYTES = 24
BYTECODE = 2.2
LARGEST = 3


def installed(project: Path) -> dict[str, metadata.Distribution]:
    """Return the packages in `.venv` by name."""
    pattern = "Lib/site-packages" if os.name == "nt" else "lib/python*/site-packages"
    folders = [str(folder) for folder in (project / VENV).glob(pattern)]
    return {
        re.sub(r"[-_.]+", "-", name.lower()): found
        for found in metadata.distributions(path=folders)
        if (name := found.metadata["Name"])  # what is left of a removed package has none
    }


def difference(
    locked: Collection[Requirement], present: Mapping[str, metadata.Distribution]
) -> str | None:
    """Say in what `.venv` is not what is locked, or return None."""
    if not present:
        return f"there is no {VENV}"
    for entry in locked:
        # What has a marker may be for another machine.
        found = present[entry.name].version if entry.name in present else None
        if found != entry.version and not (found is None and entry.marker):
            return f"{VENV} has {entry.name} {found or 'not'}, requirements.txt {entry.version}"
    return None


def estimate(
    project: Path,
    locked: Collection[Requirement],
    present: Mapping[str, metadata.Distribution],
    pushed: Iterable[str],
) -> Slug | Unmeasured:
    """Compress some of each package that the dyno gets, and the project's own files."""
    sizes = {entry.name: _package(present[entry.name]) for entry in locked if entry.name in present}
    own = _compressed([project / name for name in pushed])
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:LARGEST]
    return Slug(
        PYTHON_MEGABYTES + (sum(sizes.values()) + own) / heroku.MEGABYTE,
        tuple((name, size / heroku.MEGABYTE) for name, size in largest),
        (platform.system(), platform.machine()) == ("Linux", "x86_64"),
    )


def _package(distribution: metadata.Distribution) -> float:
    paths = [Path(str(file.locate())) for file in distribution.files or ()]
    sources = [path for path in paths if path.suffix == ".py"]
    others = [path for path in paths if path.suffix not in (".py", ".pyc")]
    return (1 + BYTECODE) * _compressed(sources) + _compressed(others)


def _compressed(paths: Iterable[Path]) -> float:
    """Return about how many bytes the files have in a compressed archive."""
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
