"""docs/how-to/move-an-old-project.md, typed as it stands there into a project of the old layout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import joblib
import pytest
from conftest import EXAMPLE, PYTHON, ROOT, Bake, adopted, environment, files, git
from markdown_pages import read_page

PAGE = read_page("docs/how-to/move-an-old-project.md")
WRITE_ANSWERS, RENDER, SHOW_CHANGES, VERIFY_AND_COMMIT = (
    block for block in PAGE.blocks if block.language == "console"
)
TITLE = 'Ada\'s "loans", 2024'
OLD_CODE = (
    "service/__init__.py",
    "service/templates/form.html",
    "workbench/__main__.py",
    "tests/conftest.py",
    "tests/test_boot.py",
    "serve_granian.py",
)
OLD_FILES = {
    **dict.fromkeys(OLD_CODE, "# old\n"),
    "Procfile": 'web: gunicorn --config gunicorn.conf.py "service:create_app()"\n',
    "README.md": "# Old\n",
}


def old_project(folder: Path, model: Path) -> Path:
    """Commit a project of the layout before version 1.0, with the model/ of an adopted one."""
    project = folder / "work" / "loans"
    shutil.copytree(model, project / "model")
    manifest = json.loads((project / "model" / "manifest.json").read_text(encoding="utf-8"))
    manifest["plan"] = {"serves": "native", "reason": "It was never verified."}
    manifest.pop("fast_path", None)
    (project / "model" / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    for name in ("requirements.in", "requirements.txt", "requirements-test.txt", ".python-version"):
        shutil.copy(model.parent / name, project / name)
    for name, content in OLD_FILES.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(content, encoding="utf-8")
    lines = (project / "requirements.in").read_text(encoding="utf-8").splitlines(keepends=True)
    ours = [line for line in lines if not line.startswith("./vendor/")]
    (project / "requirements.in").write_text("".join([*ours, "tabulate==0.9.0\n"]), "utf-8")
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "old")
    return project


def type_in(project: Path, *commands: str) -> str:
    printed = ""
    for command in commands:
        result = subprocess.run(
            ["sh", "-c", command.replace("gh:OWNER/cookiecutter-model-service", str(ROOT))],
            cwd=project,
            env=environment(PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        printed += result.stdout
    return printed


def move(project: Path) -> None:
    (answers,), (render,) = WRITE_ANSWERS.commands, RENDER.commands
    type_in(project, answers, render)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The loan model as a member of a file that holds more."""
    path = tmp_path / "bundle.joblib"
    joblib.dump({"model": joblib.load(EXAMPLE / "model.joblib"), "trained": "2024"}, path)
    return path


def test_two_commands_render_the_project_anew_and_keep_model_and_history(
    loan: Path, bundle: Path, tmp_path: Path
) -> None:
    answers = {"project_name": TITLE, "project_slug": "loans", "description": "It's 100% old."}
    features = str(EXAMPLE / "features.json")
    model = adopted(tmp_path, bundle, features=features, **answers) / "model"
    project = old_project(tmp_path, model)
    before, head = files(project / "model"), git(project, "rev-parse", "HEAD")
    move(project)

    assert files(project / "model") == before
    assert git(project, "rev-parse", "HEAD") == head
    layout = {name for name in files(loan) if not name.startswith("model/")}
    assert {name for name in files(project) if not name.startswith("model/")} == layout
    assert (project / "Procfile").read_bytes() == (loan / "Procfile").read_bytes()
    assert (project / ".python-version").read_text(encoding="utf-8") == f"{PYTHON}\n"
    app = json.loads((project / "app.json").read_text(encoding="utf-8"))
    assert (app["name"], app["description"]) == (TITLE, "It's 100% old.")
    assert (project / "README.md").read_text(encoding="utf-8").startswith(f"# {TITLE}\n")
    # The owner's own line is named.
    named, *_ = SHOW_CHANGES.commands
    assert type_in(project, named) == "tabulate==0.9.0\n"
    type_in(project, *SHOW_CHANGES.commands)
    # The tools read the old manifest.
    assert "curl http://localhost:8000/predict" in type_in(project, "make curl")


@pytest.mark.slow
@pytest.mark.xdist_group("verified")
def test_the_moved_project_reproduces_its_golden_predictions(
    verified: Bake, tmp_path: Path
) -> None:
    project = old_project(tmp_path, verified.project / "model")
    move(project)
    python = verified.project / ".venv" / "bin" / "python"
    printed = type_in(project, f"{python} -m model_service check")
    golden = json.loads((project / "model" / "golden.json").read_text(encoding="utf-8"))
    assert f"all {len(golden['rows'])} are reproduced" in printed
