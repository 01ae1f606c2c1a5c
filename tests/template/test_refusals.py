"""Invalid answers: all problems together, an exit status other than 0, and nothing left behind."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import EXAMPLE, PYTHON, ROOT, bake, environment

# (answers, words of the message)
REFUSED: list[tuple[dict[str, Any], list[str]]] = [
    ({"project_slug": "Loan"}, ["project_slug", "'Loan'", "lowercase letters"]),
    ({"project_slug": "1loan"}, ["project_slug", "a letter first"]),
    ({"project_slug": "loan-"}, ["project_slug", "no dash last"]),
    ({"project_slug": "l" * 31}, ["project_slug", "2 to 30"]),
    ({"project_slug": "../x"}, ["project_slug"]),
    ({"project_name": "Loan\napproval", "project_slug": "loan"}, ["project_name", "one line"]),
    ({"project_name": " ", "project_slug": "loan"}, ["project_name is empty"]),
    ({"project_name": "{{ 7*7 }}", "project_slug": "loan"}, ["project_name", "{{ 7*7 }}"]),
    ({"description": "{% if 1 %}x{% endif %}"}, ["description", "template expression"]),
    ({"description": "a\tb"}, ["description", "control characters"]),
    ({"model_path": "nowhere.pkl"}, ["model_path", "there is no file", "nowhere.pkl"]),
    ({"model_path": ""}, ["model_path is empty"]),
    ({"model_path": "."}, ["model_path", "is a folder"]),
    ({"features": "nowhere.json"}, ["features", "there is no file", "nowhere.json"]),
    ({"features": "broken.json"}, ["features", "not valid JSON"]),
    ({"features": "wrong.json"}, ["features", 'unknown member "typ"; did you mean type?']),
    ({"features": "a,b,a"}, ["features", "names a more than once"]),
    ({"features": "a,,b"}, ["features", "empty name"]),
    ({"features": "only_one"}, ["no feature 'only_one'", "'applicant_income' is missing"]),
    ({"sample_data": "nowhere.csv"}, ["sample_data", "there is no file"]),
    ({"sample_data": "empty.csv"}, ["sample_data", "is empty"]),
    ({"sample_data": "header.csv"}, ["has a header and no rows"]),
    ({"sample_data": "ragged.csv"}, ["line 3 has 11 cells and the header has 10"]),
    ({"sample_data": "twice.csv"}, ["no column 'applicant_income'"]),
    ({"sample_data": "binary.csv"}, ["is not a text file"]),
    ({"transformers": "nowhere.pkl"}, ["transformers", "there is no file"]),
    ({"model_code": "nowhere.py"}, ["model_code", "there is no file"]),
    ({"trust": "not a name"}, ["trust", "'not a name'"]),
    ({"python_version": "2.7"}, ["python_version", "'2.7'", "3.14"]),
    ({"python_version": "3.10"}, ["python_version", "scikit-learn 1.9.1", "3.11"]),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder, with files that are wrong in different ways."""
    contents = {
        "broken.json": b'["a", ',
        "wrong.json": json.dumps([{"name": "a", "typ": "number"}]).encode(),
        "empty.csv": b"",
        "header.csv": b"a,b\n",
        "ragged.csv": b"".join(
            [
                *(EXAMPLE / "sample.csv").read_bytes().splitlines(keepends=True)[:2],
                b"1,2,3,4,5,6,7,8,9,10,11\n",
            ]
        ),
        "twice.csv": b"a,a\n1,2\n",
        "binary.csv": b"\x00\x01\x02",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.mark.parametrize(("answers", "words"), REFUSED, ids=lambda value: str(value)[:40])
def test_an_invalid_answer_is_refused(
    answers: dict[str, Any], words: list[str], folder: Path
) -> None:
    before = sorted(folder.rglob("*"))
    result = bake(folder, **answers)
    assert result.status != 0
    for word in words:
        assert word in result.message, result.errors
    assert "Traceback" not in result.message
    assert sorted(folder.rglob("*")) == before


def test_all_invalid_answers_are_reported_together(folder: Path) -> None:
    result = bake(
        folder,
        project_slug="Bad Slug",
        model_path="nowhere.pkl",
        features="broken.json",
        sample_data="nowhere.csv",
        python_version="9.9",
    )
    assert result.status != 0
    assert result.message.count("\n  - ") == 5, result.errors
    assert not (folder / "Bad Slug").exists()


@pytest.mark.parametrize(
    "text",
    ['a"b', "a'b", "a\nb", "$(touch pwned)", "`touch pwned`", "../a", "~/a", "{{7*7}}", "日本"],
)
def test_hostile_text_is_refused_as_a_path_and_as_a_name(text: str, folder: Path) -> None:
    paths = ("model_path", "sample_data", "transformers", "model_code")
    asked = (*paths, "trust", "python_version")
    result = bake(folder, **dict.fromkeys(asked, text))
    assert "  - project_slug: " in bake(folder, project_slug=text).message
    assert result.status != 0
    for question in asked:
        assert f"  - {question}: " in result.message, result.errors
    assert not list(folder.rglob("pwned"))


def test_all_problems_of_the_model_are_reported_together(folder: Path) -> None:
    names = json.dumps(["applicant_incme", *[f"x{n}" for n in range(8)]])
    (folder / "names.json").write_text(names)
    result = bake(folder, features="names.json", python_version="3.10")
    assert result.status != 0
    assert "'applicant_incme'; did you mean applicant_income?" in result.message
    assert "has no wheels for Python 3.10" in result.message


def test_an_existing_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "loan-approval").mkdir()
    (tmp_path / "loan-approval" / "precious").write_text("mine")
    for options in ([], ["--overwrite-if-exists"]):
        result = bake(tmp_path, *options)
        assert result.status != 0
        assert [path.name for path in (tmp_path / "loan-approval").iterdir()] == ["precious"]
    assert "is not empty" in result.message


def test_paths_are_relative_to_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "my model.PKL").write_bytes((EXAMPLE / "model.joblib").read_bytes())
    result = bake(tmp_path, model_path="my model.PKL", project_slug="mine")
    assert result.status == 0, result.errors
    assert (result.project / "model" / "model.pkl").exists()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let Ctrl-C end processes: those of a background job inherit that they ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_leaves_one_line_and_no_half_project(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cookiecutter", str(ROOT), "--no-input"]
    rendering = subprocess.Popen(
        [*command, f"python_version={PYTHON}"],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert rendering.stdout is not None
    first = rendering.stdout.readline()  # the next step has begun: it locks, or installs
    os.killpg(rendering.pid, signal.SIGINT)
    output = first + rendering.communicate(timeout=60)[0]
    assert "Inspecting the model file" in first
    assert rendering.returncode != 0
    assert "Stopped; nothing was left behind." in output
    assert "Traceback" not in output
    assert list(tmp_path.iterdir()) == []


def test_the_example_beside_a_model_file_names_the_command_for_it(tmp_path: Path) -> None:
    (tmp_path / "churn.pkl").write_bytes(b"")
    rendered = bake(tmp_path, python_version=PYTHON)
    last = rendered.output.splitlines()[-1]
    assert last.startswith("cookiecutter ")
    assert "model_path=churn.pkl" in last


def test_the_last_line_is_the_command_with_the_answers_and_the_repair(folder: Path) -> None:
    shutil.copy(EXAMPLE / "model.joblib", folder / "our loans.joblib")
    features = str(EXAMPLE / "features.json")
    given = {"project_name": "Our loans", "model_path": "our loans.jobib", "features": features}
    refused = bake(folder, **given)
    *_, before, last = refused.errors.strip().splitlines()
    assert before == "Run it again with model_path=our loans.joblib:"
    program, *words = shlex.split(last)
    repaired = {**given, "model_path": "our loans.joblib", "verify": "false"}
    assert [program, *words] == [
        *("cookiecutter", str(ROOT), "--no-input"),
        *(f"{name}={value}" for name, value in repaired.items()),
    ]
    assert "Traceback" not in refused.output
    assert refused.output.strip() == ""  # what cookiecutter logs after a refused hook
    assert bake(folder, **repaired).status == 0
