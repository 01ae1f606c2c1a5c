"""cruft: it renders the same project, and a later template comes in without a conflict."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import PYTHON, ROOT, TEMPLATE, completed, files, git

from workbench import vendor

CONTEXT = {"python_version": PYTHON, "verify": False}


def cruft(folder: Path, *arguments: str) -> str:
    result = completed([sys.executable, "-m", "cruft", *arguments], folder)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def commit(repository: Path, message: str) -> None:
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", message)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A repository with what is here, committed or not: cruft clones the template."""
    copy = tmp_path / "template"
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "benchmarks/")):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    git(copy, "init", "--quiet")
    commit(copy, "template")
    return copy


def create(template: Path, folder: Path, **context: Any) -> Path:
    extra = json.dumps({**CONTEXT, **context})
    folder.mkdir()
    cruft(folder, "create", str(template), "--no-input", "--extra-context", extra)
    (project,) = folder.iterdir()
    return project


def test_cruft_makes_the_same_project(loan: Path, template: Path, tmp_path: Path) -> None:
    made = files(create(template, tmp_path / "out"))
    assert made.pop(".cruft.json")
    assert made == files(loan)


@pytest.mark.slow
def test_an_update_brings_the_new_template_without_a_conflict(
    template: Path, tmp_path: Path
) -> None:
    project = create(template, tmp_path / "out")
    git(project, "init", "--quiet")
    for name, line in (("requirements.in", "sentry-sdk>=2\n"), ("app.py", "# mine\n")):
        path = project / name
        path.write_text(path.read_text() + line)
    commit(project, "mine")
    wheels = {wheel.path.name for wheel in vendor.wheels(project)}
    mine = files(project)

    module = template / "src" / "model_service" / "__init__.py"
    module.write_text(module.read_text() + "\n")
    procfile = template / TEMPLATE.name / "Procfile"
    procfile.write_text(procfile.read_text() + "worker: python -m model_service jobs\n")
    commit(template, "newer")
    cruft(project, "update", "--skip-apply-ask")

    updated = files(project)
    assert not [name for name in updated if name.endswith((".rej", ".orig"))]
    assert not any(b"<<<<<<<" in content for content in updated.values())
    assert b"worker: " in updated["Procfile"]
    skipped = {".python-version", "requirements.in", "requirements.txt", "requirements-test.txt"}
    for name in {*skipped, "app.py", *(n for n in mine if n.startswith(("model/", "vendor/")))}:
        assert updated[name] == mine[name], name
    assert {wheel.path.name for wheel in vendor.wheels(project)} == wheels
