"""What the README's "Make it yours" promises, done to a rendered and verified project."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Bake, environment

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("verified")]

ROUTE = """

@app.get("/branches")
def branches() -> dict[str, list[str]]:
    return {"branches": ["Berlin", "Madrid"]}
"""
OPEN_ROUTE = """

from model_service import policy

@app.get("/opening-hours")
@policy(needs_key=False, menu="Opening hours")
def opening_hours() -> str:
    return "Monday to Friday"
"""
BEFORE = """

from flask import abort, request

@app.before_request
def only_in_office_hours() -> None:
    if request.headers.get("X-Hour") == "23":
        abort(403, "Ask again in office hours.")
"""
ASK = """
import json, sys
from app import app
client = app.test_client()
answers = []
for method, path, headers in json.loads(sys.argv[1]):
    response = client.open(path, method=method, headers=headers)
    answers.append([response.status_code, response.get_data(as_text=True)])
print(json.dumps(answers))
"""


@pytest.fixture
def project(verified: Bake, tmp_path: Path) -> Path:
    """A copy of the verified project; its environment is the original's."""
    copy = tmp_path / verified.project.name
    shutil.copytree(verified.project, copy, ignore=shutil.ignore_patterns(".venv"))
    return copy


@pytest.fixture
def python(verified: Bake) -> Path:
    return verified.project / ".venv" / "bin" / "python"


def run(project: Path, *command: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=project,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def ask(
    project: Path, python: Path, *requests: tuple[str, str, dict[str, str]], **env: str
) -> list[Any]:
    result = run(project, python, "-c", ASK, json.dumps(requests), **env)
    assert result.returncode == 0, result.stderr
    answers: list[Any] = json.loads(result.stdout.splitlines()[-1])
    return answers


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def test_a_route_of_ones_own(project: Path, python: Path) -> None:
    append(project / "app.py", ROUTE)
    [(status, body)] = ask(project, python, ("GET", "/branches", {}))
    assert (status, json.loads(body)) == (200, {"branches": ["Berlin", "Madrid"]})


def test_a_route_with_a_policy_of_its_own(project: Path, python: Path) -> None:
    append(project / "app.py", ROUTE + OPEN_ROUTE)
    keys = {"API_KEYS": hashlib.sha256(b"secret").hexdigest()}
    paths = ("/branches", "/opening-hours", "/health")
    answers = ask(project, python, *(("GET", path, {}) for path in paths), **keys)
    assert [status for status, _ in answers] == [401, 200, 200]
    [(_, page)] = ask(project, python, ("GET", "/", {}))
    assert '"/opening-hours"' in page


def test_pages_are_left_out_by_deleting_a_line(project: Path, python: Path) -> None:
    lines = (project / "app.py").read_text().splitlines(keepends=True)
    kept = [line for line in lines if "pages.bp" not in line]
    assert len(kept) == len(lines) - 1
    (project / "app.py").write_text("".join(kept))
    answers = ask(project, python, ("GET", "/", {}), ("GET", "/model", {}), ("GET", "/health", {}))
    assert [status for status, _ in answers] == [404, 404, 200]


def test_a_page_is_overridden(project: Path, python: Path) -> None:
    result = run(project, sys.executable, "manage.py", "override", "PAGE=error.html")
    assert result.returncode == 0, result.stderr
    page = project / "templates" / "error.html"
    page.write_text(page.read_text().replace("<h1>", "<h1>Mine: "))
    [(status, body)] = ask(project, python, ("GET", "/nowhere", {"Accept": "text/html"}))
    assert (status, "<h1>Mine: " in body) == (404, True)


def test_a_page_extends_the_engines(project: Path, python: Path) -> None:
    (project / "templates").mkdir()
    (project / "templates" / "error.html").write_text(
        '{% extends "model_service/error.html" %}{% block title %}Mine{% endblock %}'
    )
    [(status, body)] = ask(project, python, ("GET", "/nowhere", {"Accept": "text/html"}))
    assert (status, "<title>Mine" in body) == (404, True)


def test_a_stylesheet_of_ones_own(project: Path, python: Path) -> None:
    (project / "static").mkdir()
    (project / "static" / "custom.css").write_text("body { color: teal }")
    page, own, engines = ask(
        project,
        python,
        *(("GET", path, {}) for path in ("/", "/static/custom.css", "/static/style.css")),
    )
    assert page[1].index("style.css") < page[1].index("custom.css")
    assert own == [200, "body { color: teal }"]
    assert engines[0] == 200


def test_a_check_before_each_request(project: Path, python: Path) -> None:
    append(project / "app.py", BEFORE)
    refused, answered = ask(
        project, python, ("GET", "/features", {"X-Hour": "23"}), ("GET", "/features", {})
    )
    assert refused[0] == 403
    assert json.loads(refused[1])["detail"] == "Ask again in office hours."
    assert answered[0] == 200


def test_verify_is_green_with_all_of_them_and_a_dependency(project: Path) -> None:
    append(project / "app.py", ROUTE + BEFORE)
    append(project / "requirements.in", "tabulate==0.9.0\n")
    (project / "static").mkdir()
    (project / "static" / "custom.css").write_text("body { color: teal }")
    assert run(project, sys.executable, "manage.py", "override", "PAGE=form.html").returncode == 0
    result = run(project, sys.executable, "manage.py", "verify")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "tabulate==0.9.0" in (project / "requirements.txt").read_text()
    found = run(project, ".venv/bin/python", "-c", "import tabulate; print(tabulate.__version__)")
    assert found.stdout == "0.9.0\n"


def test_the_contract_needs_no_flask(project: Path) -> None:
    (engine,) = (project / "vendor").glob("*engine*.whl")
    script = (
        f"import sys; sys.path.insert(0, {str(engine)!r})\n"
        "from model_service.contract.contract import Contract\n"
        "assert 'flask' not in sys.modules and 'numpy' not in sys.modules"
    )
    result = run(project, sys.executable, "-S", "-c", script)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("command", [["-m", "pytest", "-q", "tests"], ["-m", "flask", "routes"]])
def test_a_wrong_model_is_an_error_in_pytest_and_flask_and_not_an_exit(
    command: list[str], project: Path, python: Path
) -> None:
    with (project / "model" / "model.joblib").open("ab") as model:
        model.write(b"x")
    result = run(project, python, *command)
    shown = result.stdout + result.stderr
    assert result.returncode not in (0, 3)
    assert "StartError" in shown or "ModelError" in shown
    assert "is not the file that was adopted" in shown


def test_gunicorn_says_a_wrong_model_in_one_line_with_status_3(project: Path, python: Path) -> None:
    with (project / "model" / "model.joblib").open("ab") as model:
        model.write(b"x")
    result = run(project, python, "-m", "gunicorn", "--config", "gunicorn.conf.py")
    assert result.returncode == 3
    lines = [line for line in (result.stdout + result.stderr).splitlines() if "adopted" in line]
    assert len(lines) == 1
    assert "Traceback" not in result.stdout + result.stderr
