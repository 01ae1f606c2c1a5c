"""Upgrade: take newer wheels from a clone or git URL of the template."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench import files, override, vendor
from workbench.errors import UserError
from workbench.lock import lock
from workbench.lock.environment import run

BUILDER = Path("hooks") / "wheels.py"
TEMPLATE_FOLDER = "{{cookiecutter.project_slug}}"
# The owner's files that the template writes without filling anything in.
COMPARED = (
    *("manage.py", "gunicorn.conf.py", "Procfile", "Makefile", "Dockerfile", ".dockerignore"),
    *(".gitignore", ".gitattributes", ".slugignore", "pyproject.toml"),
    *(".github/workflows/test.yml", ".github/dependabot.yml"),
)


def upgrade(project: Path, source: str) -> str:
    """Replace both wheels and their lines; return what changed and what the owner should look at.

    Raises UserError, having changed nothing.
    """
    if vendor.is_ejected(project):
        raise UserError(
            "The engine was ejected: model_service/ is yours, so there is no wheel to replace. To "
            "go back, delete model_service/ and restore from git, as before the eject, vendor/, "
            "requirements.in, requirements.txt and requirements-test.txt (make docs TOPIC=eject)."
        )
    before = {wheel.name: wheel for wheel in vendor.wheels(project)}
    if set(before) != {vendor.ENGINE, vendor.TOOLS}:
        raise UserError(f"{vendor.FOLDER}/ lacks a wheel; restore it: git checkout -- vendor")
    with _template(source) as template, tempfile.TemporaryDirectory() as folder:
        built = Path(folder)
        command = (sys.executable, "-B", template / BUILDER, built)
        run(command, what=f"Building the wheels of {source}")
        after = {wheel.name: wheel for wheel in vendor.wheels_in(built)}
        if set(after) != {vendor.ENGINE, vendor.TOOLS}:
            raise UserError(f"{source} builds other wheels than this project has.")
        lines = [_replace(project, before[name], wheel) for name, wheel in after.items()]
        vendor.write_readme(project)
        lines += [
            f"{path} differs from the template's{_missing(project, template, path)}"
            for path in COMPARED
            if _differs(project / path, template / TEMPLATE_FOLDER / path)
        ]
    lines += [
        f"{found.path}: the engine's own {found.page} has changed since it was copied"
        for found in override.outdated(project)
    ]
    return "\n".join([*lines, "Next: make verify, then commit."])


def _replace(project: Path, old: vendor.Wheel, new: vendor.Wheel) -> str:
    """Put a wheel in the place of an older one, in vendor/ and in the requirements files."""
    target = project / vendor.FOLDER / new.path.name
    shutil.copyfile(new.path, target)
    if old.path.name == new.path.name:
        return f"{new.name} {new.version}: unchanged"
    lock.replace_wheel(project, new.name, vendor.Wheel(target, new.name, new.version))
    old.path.unlink()
    return f"{new.name} {old.version} -> {new.version}"


@contextmanager
def _template(source: str) -> Iterator[Path]:
    """Yield the template's folder: the one that was named, or a clone of the URL."""
    if (folder := Path(source).expanduser()).is_dir():
        yield _require_builder(folder.resolve(), source)
        return
    with tempfile.TemporaryDirectory() as clone:
        run(
            ["git", "clone", "--quiet", "--depth", "1", "--", source, clone],
            what=f"Cloning {source}",
        )
        yield _require_builder(Path(clone), source)


def _require_builder(folder: Path, source: str) -> Path:
    if not (folder / BUILDER).is_file():
        raise UserError(
            f"FROM={source} is no clone of the template: it has no {BUILDER.as_posix()}.",
            (
                "Give a clone, or the git URL that the project came from:",
                "make upgrade FROM=https://github.com/OWNER/cookiecutter-model-service",
            ),
        )
    return folder


def _differs(own: Path, original: Path) -> bool:
    if not original.exists():
        return False
    return not own.exists() or own.read_bytes() != original.read_bytes()


def _missing(project: Path, template: Path, name: str) -> str:
    """Return the template's lines that the owner's file lacks, the first three of them."""
    own = files.read(project / name).splitlines() if (project / name).exists() else []
    original = files.read(template / TEMPLATE_FOLDER / name).splitlines()
    lacking = [line for line in original if line.strip() and line not in own]
    if not lacking:
        return ""
    more = f" and {len(lacking) - 3} lines more" if len(lacking) > 3 else ""
    return "; it lacks: " + " | ".join(line.strip() for line in lacking[:3]) + more
