"""What a rendered project is made of, whatever was answered."""

from __future__ import annotations

import ast
import csv
import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import joblib
import numpy as np
import pytest
import yaml
from conftest import EXAMPLE, PYTHON, SRC, TEMPLATE, bake, environment, files, git
from sklearn.tree import DecisionTreeClassifier

MODEL_FILES = {"model/card.md", "model/features.json", "model/manifest.json", "model/model.joblib"}
# Everything else that a project tracks, outside model/ and vendor/.
OWNED = {
    *("README.md", "AGENTS.md", "app.py", "manage.py", "gunicorn.conf.py"),
    "tests/test_service.py",
    *("requirements.in", "requirements.txt", "requirements-test.txt", ".python-version"),
    *("pyproject.toml", "Procfile", "app.json", "Dockerfile", ".dockerignore", "Makefile"),
    *(".gitignore", ".gitattributes", ".slugignore"),
    *(".github/dependabot.yml", ".github/workflows/test.yml"),
}
MAX_FILES, MAX_PYTHON_LINES, MAX_README_LINES = 28, 200, 120
HOSTILE = [
    'quo"ted',
    "it's",
    "back\\slash \\n",
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned #",
    "</title><script>alert(1)</script>",
    "#{pwned} %s %(x)s {0}",
    "日本 Ünïcode 🙂",
    '"""); import os; ("""',
]


def test_a_project_is_exactly_these_files(loan: Path) -> None:
    found = set(files(loan))
    wheels = {name for name in found if re.fullmatch(r"vendor/cookiecutter_\w+-\S+\.whl", name)}
    assert len(wheels) == 2
    assert found == OWNED | MODEL_FILES | wheels | {"vendor/README.md"}
    assert len(OWNED) <= MAX_FILES


def test_a_project_can_be_read_in_one_sitting(loan: Path) -> None:
    lines = {name: len((loan / name).read_text().splitlines()) for name in OWNED}
    assert sum(n for name, n in lines.items() if name.endswith(".py")) <= MAX_PYTHON_LINES
    assert lines["README.md"] <= MAX_README_LINES


def test_the_template_folder_is_clean() -> None:
    """Whatever lies there is copied into every project."""
    junk = {"__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".venv", ".DS_Store"}
    assert [str(path) for path in TEMPLATE.rglob("*") if path.name in junk] == []


def test_no_template_expression_is_left(loan: Path) -> None:
    left = {
        name: found
        for name, content in files(loan).items()
        if not name.startswith((".github/", "model/model.", "vendor/"))
        if (found := re.findall(rb"\{\{.*?\}\}|\{%.*?%\}|cookiecutter\.\w+", content))
    }
    assert left == {}


def test_there_is_no_template_expression_in_python() -> None:
    found = [
        str(path)
        for path in TEMPLATE.rglob("*.py")
        if re.search(r"\{\{ *cookiecutter|\{%", path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_every_data_file_parses(loan: Path) -> None:
    for name, content in files(loan).items():
        if name.endswith(".json"):
            json.loads(content)
        elif name.endswith(".yml"):
            assert yaml.safe_load(content)
        elif name.endswith(".toml"):
            tomllib.loads(content.decode())
        elif name.endswith(".py"):
            ast.parse(content)


def test_the_platform_finds_what_it_wants(loan: Path) -> None:
    assert re.fullmatch(r"3\.\d+\n", (loan / ".python-version").read_text())
    assert (loan / "Procfile").read_text() == (
        "web: gunicorn --config gunicorn.conf.py\n"
        "release: python -m model_service check\n"
        "worker: python -m model_service jobs\n"
    )
    for name in ("runtime.txt", "Pipfile", "poetry.lock", "uv.lock", "pdm.lock"):
        assert not (loan / name).exists()
    app = json.loads((loan / "app.json").read_text())
    assert app["name"] == "Loan approval"
    assert "env" not in app
    ignored = (loan / ".slugignore").read_text().split()
    kept = ("!", "test", "model", "vendor", "app.py", "static", "templates")
    assert not any(word in line for line in ignored for word in kept)


@pytest.mark.parametrize(
    ("name", "is_ignored"),
    [
        ("__pycache__/app.cpython-313.pyc", True),
        ("model/code/__pycache__/clean.cpython-313.pyc", True),
        (".env", True),
        ("model/.env", True),
        ("model/.model.joblib.new", True),
        ("model/code/clean.py", False),
        ("model/model.joblib", False),
        ("vendor/engine.whl", False),
    ],
)
def test_git_ignores_caches_and_secrets_and_keeps_the_model(
    name: str, is_ignored: bool, tmp_path: Path
) -> None:
    git(tmp_path, "init", "--quiet")
    shutil.copy(TEMPLATE / ".gitignore", tmp_path)
    everything = tmp_path / "global"
    everything.write_text("*.joblib\n*.whl\n*.pyc\n")  # as a person's own gitignore can be
    command = ["git", "-c", f"core.excludesFile={everything}", "check-ignore", "--quiet", name]
    found = subprocess.run(command, cwd=tmp_path, check=False)
    assert found.returncode == (0 if is_ignored else 1)


def test_only_what_is_the_services_own_is_bumped(loan: Path) -> None:
    """The model loads with exactly its own libraries; `packaging` belongs to some of these."""
    config = yaml.safe_load((loan / ".github" / "dependabot.yml").read_text())
    table = json.loads((SRC / "workbench" / "lock" / "pins.json").read_text())
    models = {name for found in table["sets"] for pins in found.values() for name in pins}
    own = {*table["service"]["pins"], *table["tests"]["pins"]} - models
    by_ecosystem = {update["package-ecosystem"]: update for update in config["updates"]}
    assert set(by_ecosystem) == {"uv", "github-actions"}
    assert {entry["dependency-name"] for entry in by_ecosystem["uv"]["allow"]} == own


def test_the_workflow_tests_examines_and_audits(loan: Path) -> None:
    workflow = yaml.safe_load((loan / ".github" / "workflows" / "test.yml").read_text())
    assert workflow["permissions"] == {"contents": "read"}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert {"make test", "make doctor"} <= {step.get("run") for step in steps}
    (audit,) = (step for step in steps if "pip-audit" in step.get("uses", ""))
    assert audit["with"] == {"inputs": "requirements.txt", "require-hashes": True}


def test_an_advisory_does_not_keep_the_sbom_from_being_uploaded() -> None:
    workflow = yaml.safe_load((TEMPLATE / ".github" / "workflows" / "test.yml").read_text())
    steps = [step.get("uses", step.get("run")) for step in workflow["jobs"]["audit"]["steps"]]
    made, uploaded, audited = (
        next(number for number, step in enumerate(steps) if word in step)
        for word in ("manage.py sbom", "upload-artifact", "pip-audit")
    )
    assert made < uploaded < audited


def test_it_is_a_repository_with_one_clean_commit_on_main(loan: Path) -> None:
    assert git(loan, "branch", "--show-current") == "main\n"
    assert git(loan, "rev-list", "--count", "HEAD") == "1\n"
    assert git(loan, "status", "--porcelain") == ""
    tracked = git(loan, "ls-files").split()
    assert set(tracked) == set(files(loan))


def test_two_renders_have_the_same_bytes(loan: Path, tmp_path: Path) -> None:
    again = bake(tmp_path / "again", python_version=PYTHON)
    assert files(again.project) == files(loan)


def test_without_an_identity_all_is_staged_and_the_missing_command_is_named(tmp_path: Path) -> None:
    anonymous = {k: v for k, v in environment().items() if not k.startswith(("GIT_A", "GIT_C"))}
    anonymous |= {"GIT_CONFIG_GLOBAL": str(tmp_path / "config"), "GIT_CONFIG_SYSTEM": os.devnull}
    (tmp_path / "config").write_text("[user]\n\tuseConfigOnly = true\n")
    result = bake(tmp_path / "out", env=anonymous, python_version=PYTHON)
    assert result.status == 0, result.errors
    assert "git config --global user.email" in result.output
    assert f"git -C {result.project.name} commit" in result.output
    assert git(result.project, "branch", "--show-current") == "main\n"
    staged = git(result.project, "diff", "--cached", "--name-only").split()
    assert set(staged) == set(files(result.project))


def test_the_model_is_pushed_whatever_the_users_own_git_settings_say(tmp_path: Path) -> None:
    (tmp_path / "ignore").write_text("*.joblib\n*.json\nmodel/\n")
    (tmp_path / "attributes").write_text("*.joblib filter=lfs diff=lfs merge=lfs -text\n")
    (tmp_path / "config").write_text(
        f"[core]\n\texcludesFile = {tmp_path}/ignore\n\tattributesFile = {tmp_path}/attributes\n"
        '\tautocrlf = true\n[filter "lfs"]\n\tclean = false\n\trequired = true\n'
    )
    env = {**environment(), "GIT_CONFIG_GLOBAL": str(tmp_path / "config")}
    result = bake(tmp_path / "out", env=env, python_version=PYTHON)
    assert result.status == 0, result.errors
    committed = subprocess.check_output(
        ["git", "show", "HEAD:model/model.joblib"], cwd=result.project, env=environment()
    )
    assert committed == (EXAMPLE / "model.joblib").read_bytes()


@pytest.mark.parametrize(("features", "line"), [(3, "  curl http://"), (300, "  make curl\n")])
def test_a_request_that_would_fill_the_terminal_is_not_printed(
    features: int, line: str, tmp_path: Path
) -> None:
    numbers = np.random.default_rng(0).normal(size=(20, features))
    joblib.dump(DecisionTreeClassifier().fit(numbers, [0, 1] * 10), tmp_path / "wide.joblib")
    names = ",".join(f"sensor_{number}" for number in range(features))
    result = bake(tmp_path, model_path="wide.joblib", features=names, python_version=PYTHON)
    assert f"\n{line}" in result.output


def test_the_last_line_names_the_model(tmp_path: Path) -> None:
    result = bake(tmp_path, python_version=PYTHON)
    last = result.output.strip().splitlines()[-2:]
    assert "Pipeline (ColumnTransformer, LogisticRegression)" in last[0]
    assert "examples/loan_model/model.joblib" in last[0]
    assert "9 features" in last[1]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_literal_in_every_file(text: str, tmp_path: Path) -> None:
    result = bake(
        tmp_path,
        project_name=text,
        project_slug="hostile",
        description=f"About {text}",
        python_version=PYTHON,
    )
    assert result.status == 0, result.errors
    project = result.project
    assert not list(tmp_path.rglob("pwned"))
    app = json.loads((project / "app.json").read_text(encoding="utf-8"))
    assert (app["name"], app["description"]) == (text, f"About {text}")
    manifest = json.loads((project / "model" / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["title"], manifest["description"]) == (text, f"About {text}")
    readme = (project / "README.md").read_text(encoding="utf-8")
    assert readme.startswith(f"# {text}\n\nAbout {text}\n")
    for name, content in files(project).items():
        if name.endswith(".py"):
            ast.parse(content)
    plain = bake(tmp_path / "plain", project_slug="hostile", python_version=PYTHON).project
    changed = {n for n, content in files(project).items() if files(plain)[n] != content}
    assert changed == {"README.md", "app.json", "model/manifest.json"}


def test_hostile_names_of_features_are_literal_in_every_file(tmp_path: Path) -> None:
    model = DecisionTreeClassifier().fit(np.eye(len(HOSTILE)), np.arange(len(HOSTILE)) % 2)
    joblib.dump(model, tmp_path / "model.joblib")
    names = ",".join('"{}"'.format(text.replace('"', '""')) for text in HOSTILE)
    asked = {"project_slug": "hostile", "model_path": tmp_path / "model.joblib"}
    result = bake(tmp_path / "out", features=names, python_version=PYTHON, **asked)
    assert result.status == 0, result.errors
    assert not list(tmp_path.rglob("pwned"))
    contract = json.loads((result.project / "model" / "features.json").read_text(encoding="utf-8"))
    assert [feature["name"] for feature in contract["features"]] == HOSTILE
    names = ",".join(f"x{n}" for n in range(len(HOSTILE)))
    plain = bake(tmp_path / "plain", features=names, python_version=PYTHON, **asked).project
    changed = {n for n, content in files(result.project).items() if files(plain)[n] != content}
    assert changed == {"model/features.json", "model/manifest.json"}


def test_the_sample_of_the_example_is_a_csv_of_the_features() -> None:
    with (EXAMPLE / "sample.csv").open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file))
    features = json.loads((EXAMPLE / "features.json").read_text(encoding="utf-8"))["features"]
    assert header[:-1] == [feature["name"] for feature in features]
