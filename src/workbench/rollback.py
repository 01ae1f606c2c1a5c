"""Roll back: take the model before from git."""

from __future__ import annotations

from pathlib import Path

from workbench import files, vendor
from workbench.committed_versions import git, last_commit_before, version_in
from workbench.errors import UserError
from workbench.lock import lock
from workbench.lock.requirements import FILES


def rollback(project: Path) -> str:
    """Restore the model before from git; return a report. Raises UserError.

    An adoption that is not committed is undone. Otherwise the files come from the last commit with
    an older version of the model.
    """
    present = files.read_manifest(project).about.version
    commit = _commit_to_restore(project, present)
    version = version_in(project, commit)
    paths = [str(path) for path in (files.MODEL, files.PYTHON_VERSION, *FILES)]
    git(project, "rm", "-r", "--quiet", "--force", "--ignore-unmatch", "--", str(files.MODEL))
    git(project, "clean", "--quiet", "--force", "--", str(files.MODEL))
    git(project, "checkout", commit, "--", *paths)
    _list_present_wheels(project)
    # Its rows belong to the model that is given up.
    (project / files.KEPT_SAMPLE).unlink(missing_ok=True)
    return (
        f"Version {version} of {commit[:10]} is back, instead of {present}. "
        "Next: make verify, git diff --staged, git commit."
    )


def _commit_to_restore(project: Path, present: int) -> str:
    """Return HEAD before an adoption is committed, else the last commit of an older version."""
    committed = version_in(project, "HEAD")
    if committed is not None and committed != present:
        return git(project, "rev-parse", "HEAD").strip()
    if git(project, "status", "--porcelain", "--", str(files.MODEL)).strip():
        raise UserError(f"{files.MODEL}/ has changes that git does not have; commit them first.")
    return last_commit_before(project, present)


def _list_present_wheels(project: Path) -> None:
    """Keep the wheels in vendor/: the requirements files of the older commit may list others."""
    wheels = {wheel.name: wheel for wheel in vendor.wheels(project)}
    for distribution in (vendor.ENGINE, vendor.TOOLS):
        lock.replace_wheel(project, distribution, wheels.get(distribution))
    git(project, "add", "--", *map(str, FILES))
