"""Lock both requirements files with hashes, by uv."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from workbench import files, vendor
from workbench.errors import UserError
from workbench.lock.environment import find_python, find_uv, install_uv, run
from workbench.lock.pins import imported_as
from workbench.lock.requirements import (
    FILES,
    LOCK,
    SOURCE,
    TEST_LOCK,
    exact_pins,
    parse_requirements,
    without_wheels,
)
from workbench.lock.requirements import replace_wheel as replace_in_text

# What Heroku's stacks are: x86_64 and a glibc of 2.28 or later.
PLATFORM = "x86_64-manylinux_2_28"
# Pythons that can install uv, if the machine has neither uv nor the project's Python.
UV_PYTHONS = ("3.12", "3.11")


def is_current(project: Path) -> bool:
    """Return whether both locks were made from requirements.in and .python-version as they are.

    Raises UserError if one of the files cannot be read.
    """
    return all(
        files.read(project / name).startswith(lock_head(project, name))
        for name in (LOCK, TEST_LOCK)
    )


def lock_head(project: Path, name: Path) -> str:
    """Return the first lines of a current lock. Raises UserError.

    Dependabot takes a file for a lock if it names itself as an output file. In any other file it
    looks for the projects behind paths such as ./vendor/….whl, and gives up.
    """
    digest = hashlib.sha256(files.read(project / SOURCE).encode()).hexdigest()
    version = files.python_version(project)
    return (
        f"# Locked by `make lock` for Python {version} on {PLATFORM}.\n"
        f"# requirements.in sha256: {digest}\n"
        f"# The command: uv pip compile --output-file {name}\n"
    )


def lock(project: Path) -> None:
    """Replace both requirements files by full locks with hashes. Raises UserError.

    Versions in the files are kept as long as they fit: a lock adds hashes and what is missing.
    """
    version = files.python_version(project)
    python = find_python(version)
    uv = find_uv(project) or _install_uv(project, python, version)
    with tempfile.TemporaryDirectory() as folder:
        target, test_target = Path(folder) / LOCK, Path(folder) / TEST_LOCK
        # uv prefers the versions in an output file that exists.
        shutil.copyfile(project / LOCK, target)
        shutil.copyfile(project / TEST_LOCK, test_target)
        compile_ = [
            *(str(uv), "pip", "compile", "--quiet", "--no-header", "--no-annotate"),
            *("--generate-hashes", "--only-binary", ":all:"),
            *("--python-version", version, "--python-platform", PLATFORM),
            *(("--python", str(python)) if python else ()),
        ]
        # In the project: the lines of the vendored wheels are relative to the working directory.
        what = "Resolving requirements.in"
        run([*compile_, "--output-file", target, SOURCE], what=what, cwd=project)
        locked = files.read(target)
        # The test requirements: at the service's versions where both need a package.
        service = {entry.name for entry in parse_requirements(locked)}
        direct = exact_pins(files.read(project / TEST_LOCK), without_version=service)
        test_source, constraints = Path(folder) / "tests.in", Path(folder) / "constraints.txt"
        lines = [*vendor.lines(project, vendor.TOOLS), *direct]
        files.write(test_source, "".join(f"{line}\n" for line in lines))
        files.write(constraints, without_wheels(locked))
        compile_ += ["--constraint", str(constraints), "--output-file", str(test_target)]
        run([*compile_, test_source], what="Resolving the test requirements", cwd=project)
        for name, made in ((LOCK, target), (TEST_LOCK, test_target)):
            files.write(project / name, lock_head(project, name) + files.read(made))


def _install_uv(project: Path, python: Path | None, version: str) -> Path:
    """Install uv with the project's Python, or with another one. Raises UserError."""
    installer = python or next(filter(None, map(find_python, UV_PYTHONS)), None)
    if installer is None:
        raise UserError(f"Locking needs uv, or Python {version} to install it with.")
    return install_uv(project, installer)


def replace_wheel(project: Path, distribution: str, wheel: vendor.Wheel | None) -> None:
    """Let all requirements files that list a vendored distribution list this wheel, or none.

    Locks stay locks: their entry carries the wheel's hash, their head that of the new
    requirements.in. Nothing is resolved anew, because our wheels require nothing. Raises UserError.
    """
    current = is_current(project)
    for name in FILES:
        files.write(
            project / name, replace_in_text(files.read(project / name), distribution, wheel)
        )
    if current:
        for name in (LOCK, TEST_LOCK):
            head = lock_head(project, name)
            body = files.read(project / name).split("\n", head.count("\n"))[-1]
            files.write(project / name, head + body)


def locked_versions(project: Path) -> dict[str, str]:
    """Return the version of each library in requirements.txt, by the name of its distribution.

    xgboost-cpu counts as xgboost. Raises UserError.
    """
    entries = parse_requirements(files.read(project / LOCK))
    return {imported_as(e.name): e.version for e in entries if e.version and not e.vendored}
