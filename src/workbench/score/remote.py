"""What a worker of Dask, Ray or Spark runs: unpack the project, then score a part.

It travels by value (archive.portable_score), so nothing of ours has to be installed there: this
module imports the standard library only. The model's libraries must be there, in the manifest's
versions; the engine refuses others.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any


def score_remotely(archive: bytes, sha256: str, job: str, part: str) -> str:
    """Score a part in a process that may know nothing of the project."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    project = unpacked(archive, sha256)
    loaded = sys.modules.get("workbench")
    if loaded is not None and not str(loaded.__file__).startswith(str(project)):
        raise RuntimeError(
            "This worker has scored for another project or version; restart the workers."
        )
    if str(project) not in sys.path:
        sys.path.insert(0, str(project))
    work: Any = importlib.import_module("workbench.score.work")
    result: str = work.score_json(str(project), job, part)
    return result


def _write(folder: Path, name: str, content: bytes) -> None:
    """Write a member of the archive below a folder. Raises ValueError for any other place."""
    target = (folder / name).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise ValueError(f"the archive names {name}, which is outside of it")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def unpacked(archive: bytes, sha256: str) -> Path:
    """Return the folder of the project, which the first part on a machine unpacks."""
    owner = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"model-service-{owner}-{sha256}"
    if not folder.exists():
        staged = Path(tempfile.mkdtemp(prefix="model-service-"))  # for this user only
        with zipfile.ZipFile(BytesIO(archive)) as files:
            for name in files.namelist():
                _write(staged, name, files.read(name))
        try:
            staged.rename(folder)
        except OSError:  # another worker was faster
            if not folder.exists():
                raise
    if hasattr(os, "getuid") and folder.stat().st_uid != owner:
        raise RuntimeError(f"{folder} belongs to another user of this machine.")
    return folder
