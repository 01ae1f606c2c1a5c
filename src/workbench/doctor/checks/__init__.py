"""What the platform would refuse, or suffer from: each check looks at one thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from workbench.doctor.checks import app, measured, packages, repository
from workbench.doctor.findings import Finding, Result, error, ok, warning
from workbench.doctor.snapshot import Elsewhere, Snapshot
from workbench.errors import listing

Check = Callable[[Snapshot], Result]


def run_checks(snapshot: Snapshot) -> tuple[Finding, ...]:
    """Return a finding for each check, in the order of CHECKS."""
    results = ((name, check(snapshot)) for name, check in _checks(snapshot.elsewhere).items())
    return tuple(Finding(name, r.verdict, r.found, r.advice) for name, r in results)


def _checks(elsewhere: Elsewhere | None) -> Mapping[str, Check]:
    """Return the checks for a platform: without those of Heroku's build, with its own file."""
    if elsewhere is None:
        return CHECKS
    left_out = {"app.json", "jobs", "slug"}
    if elsewhere.platform.builds_image:
        left_out.add("package manager")
    kept = {name: check for name, check in CHECKS.items() if name not in left_out}
    return {"platform file": lambda _: _platform_file(elsewhere), **kept}


def _platform_file(elsewhere: Elsewhere) -> Result:
    command = f"make platform NAME={elsewhere.platform.name}"
    if elsewhere.lacking:
        title = elsewhere.platform.title
        found = f"{listing(elsewhere.lacking)}: missing, or without the lines that {title} needs"
        return error(found, command)
    if elsewhere.edited:
        return warning(
            f"{listing(elsewhere.edited)} is not as {command} writes it",
            f"If you edited it: ok. {command} shows the difference.",
        )
    return ok(f"as {command} writes it")


CHECKS: dict[str, Check] = {
    "package manager": packages.check_package_manager,
    "lock": packages.check_lock,
    "wheels": packages.check_wheels,
    "templates": repository.check_templates,
    "xgboost": packages.check_xgboost,
    "Python": packages.check_python,
    "app.json": app.check_app,
    "virtual environment": repository.check_virtual_environment,
    "git": repository.check_git,
    "Git LFS": repository.check_lfs,
    "file size": repository.check_file_size,
    "verified": app.check_verified,
    "API keys": app.check_keys,
    "jobs": app.check_jobs,
    "slug": measured.check_slug,
    "boot": measured.check_boot,
    "memory": measured.check_memory,
    "prediction": measured.check_prediction,
}
