"""manage.py and make: options, help, exit statuses, and that a bare Python is enough."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import environment

from workbench.__main__ import COMMANDS, main, usage
from workbench.lock.environment import find_python


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


def manage(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(project, sys.executable, "manage.py", *arguments)


def test_help_lists_every_command(loan: Path) -> None:
    for arguments in ([], ["help"], ["--help"]):
        result = manage(loan, *arguments)
        assert result.returncode == 0
        assert {line.split()[0] for line in result.stdout.splitlines()[2:]} == set(COMMANDS)


def test_make_and_manage_have_the_same_commands(loan: Path) -> None:
    makefile = (loan / "Makefile").read_text()
    (names,) = re.findall(r"^(help setup[^:]*):", makefile.replace("\\\n", " "), re.M)
    assert set(names.split()) == {"help", *COMMANDS}
    assert run(loan, "make", "help").stdout.strip() == usage()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["adpot"], "There is no command 'adpot'; did you mean adopt?"),
        (["adopt", "MODL=x"], "adopt has no option 'MODL=x'; did you mean MODEL?"),
        (["adopt", "--model", "x"], "adopt has no option '--model'; did you mean MODEL?"),
        (["adopt"], "adopt needs MODEL=…; for example: make adopt MODEL=…"),
        (["adopt", "MODEL="], "adopt needs MODEL=…"),
        (["verify", "now"], "verify has no option 'now'"),
        (["smoke"], "smoke needs URL=…"),
    ],
)
def test_a_wrong_call_is_refused_with_the_right_one(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments, tmp_path) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "value", ["a b.pkl", 'a"b.pkl', "a'b.pkl", "$(touch pwned)", "a;b", "日本"]
)
def test_make_passes_values_on_as_they_are(value: str, loan_copy: Path) -> None:
    result = run(loan_copy, "make", "adopt", f"MODEL={value.replace('$', '$$')}")
    assert f"there is no file {loan_copy / value};" in result.stderr
    assert result.returncode == 2
    assert not (loan_copy / "pwned").exists()


def test_a_variable_of_the_environment_is_no_option(loan: Path) -> None:
    result = run(loan, "make", "adopt", MODEL="model/model.joblib")
    assert "adopt needs MODEL=…" in result.stderr


def test_a_refusal_has_status_1_and_no_traceback(loan_copy: Path) -> None:
    result = manage(loan_copy, "adopt", "MODEL=nowhere.pkl")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("make adopt:\n  - MODEL: there is no file")


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13", "3.14"])
def test_a_bare_python_is_enough(version: str, loan_copy: Path) -> None:
    """-S: without site-packages there is nothing but the standard library and the wheels."""
    python = find_python(version)
    if python is None:
        pytest.skip(f"Python {version} is not on this machine")
    for arguments in (["help"], ["curl"], ["key"], ["docs"], ["adopt", "MODEL=model/model.joblib"]):
        result = run(loan_copy, python, "-S", "manage.py", *arguments)
        assert result.returncode == 0, result.stderr


def test_an_old_python_is_refused_in_one_line(loan: Path) -> None:
    python = find_python("3.8") or find_python("3.9")
    if python is None:
        pytest.skip("no Python before 3.10 is on this machine")
    result = run(loan, python, "manage.py", "help")
    assert result.returncode == 1
    assert result.stderr == (
        "manage.py needs Python 3.10 or later, for example: python3.12 manage.py help\n"
    )


def test_commands_work_from_any_folder(loan: Path, tmp_path: Path) -> None:
    result = run(tmp_path, sys.executable, loan / "manage.py", "curl", "PORT=1234")
    assert result.stdout.startswith("curl http://localhost:1234/predict ")
    assert list(tmp_path.iterdir()) == []
