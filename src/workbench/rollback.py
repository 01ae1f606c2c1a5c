"""Roll back: take the model before from git."""

from __future__ import annotations

import json
from pathlib import Path

from workbench import files, vendor
from workbench.errors import UserError
from workbench.lock import lock
from workbench.lock.environment import run
from workbench.lock.requirements import FILES


def rollback(project: Path) -> str:
    """Restore the model before from git; return a report. Raises UserError.

    An adoption that is not committed is undone. Otherwise the files come from the last commit with
    another version of the model.
    """
    present = files.read_manifest(project).about.version
    committed = _version_in(project, "HEAD")
    edited = _git(project, "status", "--porcelain", "--", str(files.MODEL)).strip()
    if committed == present and edited:
        raise UserError(f"{files.MODEL}/ has changes that git does not have; commit them first.")
    for commit in _git(project, "log", "--format=%H", "--", str(files.MANIFEST)).split():
        version = _version_in(project, commit)
        if version == present:
            continue
        paths = [str(path) for path in (files.MODEL, files.PYTHON_VERSION, *FILES)]
        _git(project, "rm", "-r", "--quiet", "--force", "--ignore-unmatch", "--", str(files.MODEL))
        _git(project, "clean", "--quiet", "--force", "--", str(files.MODEL))
        _git(project, "checkout", commit, "--", *paths)
        _list_present_wheels(project)
        # Its rows belong to the model that is given up.
        (project / files.KEPT_SAMPLE).unlink(missing_ok=True)
        return (
            f"Version {version} of {commit[:10]} is back, instead of {present}. "
            "Next: make verify, git diff --staged, git commit."
        )
    raise UserError("git has no other version of the model to go back to.")


def _list_present_wheels(project: Path) -> None:
    """Keep the wheels in vendor/: the requirements files of the older commit may list others."""
    wheels = {wheel.name: wheel for wheel in vendor.wheels(project)}
    for distribution in (vendor.ENGINE, vendor.TOOLS):
        lock.replace_wheel(project, distribution, wheels.get(distribution))
    _git(project, "add", "--", *map(str, FILES))


def _version_in(project: Path, commit: str) -> int:
    text = _git(project, "show", f"{commit}:./{files.MANIFEST.as_posix()}")
    return int(json.loads(text)["version"])


def _git(project: Path, *arguments: str) -> str:
    return run(["git", *arguments], what=f"git {arguments[0]}", cwd=project)
