"""The versions of the model that git has: one is restored, and the next one gets a new number."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path

from workbench import files
from workbench.errors import UserError
from workbench.lock.environment import run

# A line that a commit added to the manifest.
_ADDED = re.compile(r'^\+ *"version": *(\d+)', re.MULTILINE)


def version_in(project: Path, commit: str) -> int | None:
    """Return the version of the model in a commit, or None if it has no manifest."""
    path = files.MANIFEST.as_posix()
    if not git(project, "ls-tree", "--name-only", commit, "--", path):
        return None
    return int(json.loads(git(project, "show", f"{commit}:./{path}"))["version"])


def last_commit_before(project: Path, present: int) -> str:
    """Return the last commit with an older version than HEAD's. Raises UserError.

    Only commits that touch the manifest are looked at. The last one with an older version comes
    right before the one that replaced it, and can have changed anything but the manifest.
    """
    next_commit, undone = "", ""
    log = ("log", "--first-parent", "--format=%H", "--", str(files.MANIFEST))
    for commit in git(project, *log).split():
        version = version_in(project, commit)
        if version is None:
            break
        if version < present:
            return git(project, "rev-parse", f"{next_commit}^").strip()
        if version > present and not undone:
            undone = f" To have version {version} again, type: git revert {next_commit[:10]}"
        next_commit = commit
    raise UserError(f"git has no older version of the model to go back to.{undone}")


def highest_version(project: Path) -> int:
    """Return the highest version of the model in git's history; 0 if there is no history."""
    changes = ""
    # The project need not be under git, and git need not be installed.
    with suppress(UserError, OSError):
        log = ("log", "--format=", "--patch", "--unified=0", "--no-ext-diff", "--no-color")
        changes = git(project, *log, "--", str(files.MANIFEST))
    return max(map(int, _ADDED.findall(changes)), default=0)


def git(project: Path, *arguments: str) -> str:
    """Run git in the project and return its output. Raises CommandError."""
    return run(["git", *arguments], what=f"git {arguments[0]}", cwd=project)
