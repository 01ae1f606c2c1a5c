"""Other programs: Python interpreters, uv, and the project's virtual environment."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from workbench import files
from workbench.errors import UserError
from workbench.lock.requirements import LOCK, TEST_LOCK

VENV = Path(".venv")
# uv is installed here if the machine has none: apart from the project's own environment.
TOOLS = Path(".tools")
# The last file that is written into .venv: the environment is complete.
COMPLETE = VENV / ".complete"
# Not the link in a virtual environment: that may be the very `.venv` which is made anew.
_THIS_PYTHON = Path(sys.executable).resolve()
BIN = "Scripts" if os.name == "nt" else "bin"
# Of the environment: where programs and libraries are, and how text is written.
_NEEDED = frozenset(
    "PATH LANG LANGUAGE TZ LD_LIBRARY_PATH DYLD_LIBRARY_PATH SYSTEMROOT SYSTEMDRIVE WINDIR PATHEXT "
    "COMSPEC NUMBER_OF_PROCESSORS".split()
)
_MAX_OUTPUT = 3000  # characters of a failed command's output in a message


class CommandError(UserError):
    """Another program failed; the message ends with what it printed."""


class TimedOut(CommandError):
    """Another program took too long and was ended."""


def environ() -> dict[str, str]:
    """Return the environment for other programs, without this interpreter's own variables."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    # uv would download a Python without a word, for minutes: which one to use is the user's choice.
    return {**kept, "UV_PYTHON_DOWNLOADS": "never"}


def environ_without_secrets(home: Path) -> dict[str, str]:
    """Return the little that Python and its libraries need; nothing of what the user has set."""
    kept = {k: v for k, v in os.environ.items() if k in _NEEDED or k.startswith("LC_")}
    return kept | dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP"), str(home))


def run(
    command: Sequence[str | Path],
    *,
    what: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_seconds: float | None = None,
) -> str:
    """Run a command and return its output. Raises CommandError, which begins with `what`."""
    try:
        result = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env=environ() if env is None else env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds,
        )
    except subprocess.TimeoutExpired:
        raise TimedOut(f"{what} took more than {timeout_seconds} seconds and was ended.") from None
    if result.returncode != 0:
        output = (result.stderr.strip() or result.stdout.strip())[-_MAX_OUTPUT:]
        raise CommandError(f"{what} failed ({_ending(result.returncode)}):\n{output}")
    return result.stdout


def _ending(status: int) -> str:
    return f"exit status {status}" if status >= 0 else f"ended by {signal.Signals(-status).name}"


def find_python(version: str) -> Path | None:
    """Return an interpreter of a version such as "3.13" that really starts, or None."""
    for candidate in _candidates(version):
        if _version_of(candidate) == version:
            return candidate
    return None


def _candidates(version: str) -> Iterator[Path]:
    # The cheap ones first: to ask uv takes a third of a second.
    yield _THIS_PYTHON
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    yield from sorted(pyenv.glob(f"{version}.*/bin/python"), key=_patch, reverse=True)
    if on_path := shutil.which(f"python{version}"):
        yield Path(on_path)
    if uv := find_uv(Path()):
        found = subprocess.run(
            [uv, "python", "find", version],
            env=environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if found.returncode == 0:
            yield Path(found.stdout.strip())


def _patch(python: Path) -> int:
    patch = python.parent.parent.name.split(".")[-1]
    return int(patch) if patch.isdigit() else -1


def _version_of(python: Path) -> str | None:
    """Return the version that an interpreter prints, or None: a pyenv shim can be dead."""
    if python == _THIS_PYTHON:
        return f"{sys.version_info.major}.{sys.version_info.minor}"
    code = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        result = subprocess.run(
            [python, "-c", code],
            env=environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def find_uv(project: Path) -> Path | None:
    """Return uv: the machine's own, or the one that was installed for this project."""
    if on_path := shutil.which("uv"):
        return Path(on_path)
    own = (project / TOOLS / BIN / "uv").absolute()
    return own if own.exists() else None


def install_uv(project: Path, python: Path) -> Path:
    """Install uv into an environment of its own and return it. Raises CommandError."""
    from workbench.lock.table import UV_VERSION  # noqa: PLC0415  # compiled only if it is needed

    tools = project / TOOLS
    run([python, "-m", "venv", "--clear", tools], what=f"Making {TOOLS}/ for uv")
    pip = ["-m", "pip", "install", "--quiet", f"uv=={UV_VERSION}"]
    run([tools / BIN / "python", *pip], what="Installing uv")
    return (tools / BIN / "uv").absolute()


def make_environment(project: Path, python: Path) -> Path:
    """Make `.venv` anew from exactly the requirements files; return its interpreter.

    Wheels only: a build from source would not be what the dyno gets. Raises CommandError.
    """
    venv, own = project / VENV, (project / VENV / BIN / "python").absolute()
    arguments = [part for name in (LOCK, TEST_LOCK) for part in ("-r", str(name))]
    locked = all("--hash=" in files.read(project / name) for name in (LOCK, TEST_LOCK))
    options = ["--only-binary", ":all:", *(["--require-hashes"] if locked else [])]
    if uv := find_uv(project):
        make = ["venv", "--quiet", "--clear", "--no-project", "--python", str(python), str(venv)]
        run([uv, *make], what=f"Making {VENV}")
        pip = [str(uv), "pip", "install", "--quiet", "--python", str(own)]
    else:
        run([python, "-m", "venv", "--clear", venv], what=f"Making {VENV}")
        pip = [str(own), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # In the project: the lines of the vendored wheels are relative to the working directory.
    run([*pip, *options, *arguments], what="Installing the requirements", cwd=project)
    (project / COMPLETE).touch()
    return own
