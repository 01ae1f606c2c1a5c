"""make score: start a run in the project's environment, with what it needs beside the service.

Standard library only: whoever runs manage.py may have nothing else.
"""

from __future__ import annotations

import glob
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from workbench import files, processes
from workbench.lock.environment import TOOLS, environ, find_uv, run
from workbench.lock.requirements import LOCK, exact_pins
from workbench.lock.table import PYARROW
from workbench.score.suffixes import PARQUET_SUFFIXES

# What an engine's client is installed as. Ray does not declare typing_extensions.
ENGINES = {"dask": ("distributed",), "ray": ("ray[client]", "typing_extensions")}
# Each process computes in one thread: JOBS says how many of them there are.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_NUM_THREADS"), "1")
COMPLETE = ".complete"


def score(project: Path, options: Mapping[str, str]) -> int:
    """Score the files of the options; return the exit status of the run. Raises UserError."""
    paths = {name: _absolute(options[name]) for name in ("INPUT", "OUTPUT")}
    python = processes.environment(project)
    folders = [
        _installed(project, python, name, requirements)
        for name, requirements in _needed(paths, options.get("ENGINE", "")).items()
    ]
    arguments = [f"{name}={value}" for name, value in {**options, **paths}.items()]
    return subprocess.run(
        [str(python), "-m", "workbench.score", *arguments],
        cwd=project,
        env={**environ(), **ONE_THREAD, "PYTHONPATH": os.pathsep.join(map(str, folders))},
        check=False,
    ).returncode


def _absolute(path: str) -> str:
    """Return a path as seen from here, with its / at the end: the run has the project's folder."""
    return os.path.abspath(path) + ("/" if path.endswith("/") else "")  # noqa: PTH100  # keeps links


def _needed(paths: Mapping[str, str], engine: str) -> dict[str, tuple[str, ...]]:
    """Return what is to be installed beside the service, by the folder's name."""
    scheme = engine.partition("://")[0]
    needed = {scheme: ENGINES[scheme]} if scheme in ENGINES else {}
    return {"parquet": (), **needed} if _has_parquet(paths) else needed


def _has_parquet(paths: Mapping[str, str]) -> bool:
    found = Path(paths["INPUT"])
    inputs = found.rglob("*") if found.is_dir() else glob.iglob(paths["INPUT"], recursive=True)  # noqa: PTH207
    names = [paths["OUTPUT"].rstrip("/"), *map(str, inputs)]
    return any(name.endswith(PARQUET_SUFFIXES) for name in names)


def _installed(project: Path, python: Path, name: str, requirements: tuple[str, ...]) -> Path:
    """Return a folder with packages that go with the locked ones; install them if they are not.

    They are no part of the service: neither its requirements nor the slug have them. Raises
    UserError.
    """
    version = files.python_version(project)
    requirements = requirements or (f"pyarrow=={PYARROW.get(version, PYARROW['newest'])}",)
    # By this name the guard around the model knows a folder of libraries.
    folder = (project / TOOLS / "score" / f"{name}-{version}" / "site-packages").absolute()
    pins = "\n".join(exact_pins((project / LOCK).read_text(encoding="utf-8"), ()))
    state = "\n".join([*requirements, pins])
    complete = folder / COMPLETE
    if complete.exists() and complete.read_text(encoding="utf-8") == state:
        return folder
    print(
        f"Installing {' and '.join(requirements)} into {TOOLS}/, apart from the service …",
        flush=True,
    )
    uv = find_uv(project)
    pip: list[str | Path] = (
        [uv, "pip", "install", "--quiet", "--python", python]
        if uv
        else [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    )
    with tempfile.TemporaryDirectory(prefix="score-") as temporary:
        constraints = Path(temporary) / "constraints.txt"
        constraints.write_text(pins, encoding="utf-8")
        options: list[str | Path] = [
            "--target",
            folder,
            "--constraint",
            constraints,
            "--only-binary",
            ":all:",
        ]
        run([*pip, *options, *requirements], what=f"Installing {requirements[0]}")
    complete.write_text(state, encoding="utf-8")
    return folder
