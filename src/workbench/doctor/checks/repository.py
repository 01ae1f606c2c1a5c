"""What git has, and what a push carries."""

from __future__ import annotations

from workbench import heroku
from workbench.doctor.findings import Result, error, ok, warning
from workbench.doctor.snapshot import Snapshot
from workbench.errors import listing

# GitHub refuses larger files: https://docs.github.com/repositories/working-with-files
GITHUB_MEGABYTES = 100
COMMIT = "git add --all && git commit"


def check_templates(snapshot: Snapshot) -> Result:
    """Report templates of the owner that were copied from an older page of the engine."""
    templates = snapshot.templates
    if isinstance(templates, Result):
        return templates
    if not templates.outdated:
        return ok(f"{templates.overridden} overridden" if templates.overridden else "none")
    path, page = next(iter(templates.outdated.items()))
    return warning(
        f"the engine's page has changed since it was copied: {listing([*templates.outdated], 3)}",
        f"Move {path} away, make override PAGE={page}, and repeat your changes in the new copy.",
    )


def check_virtual_environment(snapshot: Snapshot) -> Result:
    for name in (".venv", "venv"):
        if f"{name}/pyvenv.cfg" in snapshot.tracked:
            advice = f"git rm -r --cached {name}, and a line {name}/ in .gitignore."
            return error(f"{name}/ is in the repository; the build fails", advice)
    return ok("not in the repository")


def check_git(snapshot: Snapshot) -> Result:
    if snapshot.repository is None:
        return error("no repository", f"git init && {COMMIT}")
    if absent := [name for name in snapshot.served if name not in snapshot.tracked]:
        advice = (
            f"git check-ignore --verbose {absent[0]} shows the rule that ignores it: delete it. "
            f"Or restore the file: git checkout -- {absent[0]}"
        )
        return error(f"{listing(absent, 3)}: ignored or missing", advice)
    if prefix := snapshot.repository.prefix:
        found = "a folder of a larger repository, of which Heroku builds the top"
        return warning(found, f"git subtree push --prefix {prefix} heroku main")
    uncommitted = snapshot.repository.uncommitted
    needed = [*snapshot.served, *(wheel.relative_path for wheel in snapshot.vendor.wheels)]
    if changed := [name for name in needed if name in uncommitted]:
        found = f"not committed: {listing(changed, 3)}"
        return error(found, f"{COMMIT}; git pushes only what is committed.")
    if uncommitted:
        found = f"not committed: {listing(sorted(uncommitted), 3)}"
        return warning(found, f"{COMMIT}, if it is meant to be pushed.")
    return ok("everything is committed")


def check_lfs(snapshot: Snapshot) -> Result:
    filtered = snapshot.repository.lfs_filtered if snapshot.repository else ()
    if filtered:
        advice = (
            "Heroku gets the pointer only: delete filter=lfs from .gitattributes, then "
            "git add --renormalize . && git commit"
        )
        return error(listing(filtered, 3), advice)
    if pointers := snapshot.lfs_pointers:
        advice = "git lfs pull, git lfs untrack it, then git add --renormalize . && git commit"
        return error(f"a pointer only: {listing(pointers, 3)}", advice)
    return ok("not used")


def check_file_size(snapshot: Snapshot) -> Result:
    sizes = snapshot.tracked
    largest = max(sizes, key=lambda name: sizes[name], default="no file")
    megabytes = sizes.get(largest, 0) / heroku.MEGABYTE
    if megabytes <= GITHUB_MEGABYTES:
        return ok(f"{megabytes:.2f} MB at most")
    on_github = snapshot.repository is not None and snapshot.repository.on_github
    return Result(
        "error" if on_github else "warning",
        f"{largest} has {megabytes:.0f} MB; GitHub takes {GITHUB_MEGABYTES}",
        "Heroku takes it: push there only, or keep the repository elsewhere. Or save the model "
        "smaller (joblib.dump(model, path, compress=3)) and make adopt. Not with Git LFS.",
    )
