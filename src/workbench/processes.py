"""Commands that run in the project's own .venv: the server, the tests, the start check."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from workbench import files, smoke
from workbench.errors import UserError
from workbench.lock.environment import BIN, COMPLETE, VENV, environ
from workbench.lock.requirements import LOCK, TEST_LOCK
from workbench.verify import verify


def serve(project: Path, port: str) -> NoReturn:
    """Replace this process by the server, which serves as the dyno does. Raises UserError."""
    if sys.platform == "win32":
        raise UserError(
            "gunicorn does not run on Windows; serve there with: "
            rf"{VENV}\{BIN}\python -m flask --app app run --port {port}"
        )
    python = environment(project)
    address = f"http://localhost:{port}"
    print(f"Open {address} in a browser (Ctrl-C stops the service), or send it a request:\n")
    print(smoke.curl(project, address, key=bool(os.environ.get("API_KEYS"))), "\n", flush=True)
    command = [str(python), "-m", "gunicorn", "--config", "gunicorn.conf.py"]
    os.chdir(project)
    os.execve(python, command, {**environ(), "PORT": port})


def test(project: Path) -> int:
    """Run the owner's tests and the tools' own; return pytest's exit status."""
    return _call(project, ["-m", "pytest", *verify.TESTS])


def check(project: Path) -> int:
    """Run the engine's start check; return its exit status."""
    return _call(project, ["-m", "model_service", "check"])


def environment(project: Path) -> Path:
    """Return the interpreter of .venv, made anew if a requirements file is newer than it.

    Raises UserError.
    """
    complete = project / COMPLETE
    sources = [project / name for name in (LOCK, TEST_LOCK, files.PYTHON_VERSION)]
    if not complete.exists() or any(
        path.exists() and path.stat().st_mtime > complete.stat().st_mtime for path in sources
    ):
        print(f"Making {VENV} from the requirements files …", flush=True)
        verify.setup(project)
    return (project / VENV / BIN / "python").absolute()


def _call(project: Path, arguments: Sequence[str]) -> int:
    command = [str(environment(project)), *arguments]
    return subprocess.run(command, cwd=project, env=environ(), check=False).returncode
