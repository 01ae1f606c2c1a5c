"""make platform writes, says what, and never over what the owner edited."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import files
from tests.workbench.platforms.wanted import read

from workbench.__main__ import main
from workbench.platforms.command import platform
from workbench.platforms.registry import PLATFORMS


def run(project: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = main(["platform", *arguments], project)
    output = capsys.readouterr()
    return status, output.out + output.err


@pytest.mark.parametrize("name", PLATFORMS)
def test_it_writes_the_file_and_says_what_to_type_next(
    loan_copy: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    before = files(loan_copy)
    status, said = run(loan_copy, capsys, f"NAME={name}")
    after = files(loan_copy)
    changed = {path for path, content in after.items() if before.get(path) != content}
    assert status == 0
    assert changed
    for path in changed:
        assert f"{path} is {'changed:' if path in before else 'written.'}" in said
    assert f"make doctor PLATFORM={name}" in said
    texts = {path: (loan_copy / path).read_text() for path in {*changed, "Procfile", "Dockerfile"}}
    assert read(name, texts).proxies == PLATFORMS[name].proxies
    status, said = run(loan_copy, capsys, f"NAME={name}")
    assert (status, files(loan_copy)) == (0, after)
    assert "is already as" in said


def test_an_edited_file_is_shown_and_stays(
    loan_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    platform(loan_copy, "render")
    file = loan_copy / "render.yaml"
    written = file.read_text()
    file.write_text(written.replace("plan: starter", "plan: pro"))
    edited = files(loan_copy)
    status, said = run(loan_copy, capsys, "NAME=render")
    assert (status, files(loan_copy)) == (1, edited)
    assert "-    plan: pro" in said
    assert "+    plan: starter" in said
    assert said.splitlines()[-1] == "make platform NAME=render OVERWRITE=1"
    assert run(loan_copy, capsys, "NAME=render", "OVERWRITE=1")[0] == 0
    assert file.read_text() == written


def test_jobs_come_and_go_while_the_file_is_as_written(
    loan_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without = run(loan_copy, capsys, "NAME=fly")[1]
    status, said = run(loan_copy, capsys, "NAME=fly", "JOBS=on")
    assert status == 0
    assert "worker = " in (loan_copy / "fly.toml").read_text()
    assert "fly mpg attach" in said
    assert run(loan_copy, capsys, "NAME=fly", "JOBS=off")[0] == 0
    assert "worker" not in (loan_copy / "fly.toml").read_text()
    assert "fly mpg attach" not in without


@pytest.mark.parametrize("name", [n for n, p in PLATFORMS.items() if p.jobs.impossible])
def test_a_platform_without_a_second_process_says_so(
    loan_copy: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    before = files(loan_copy)
    status, said = run(loan_copy, capsys, f"NAME={name}", "JOBS=on")
    assert (status, files(loan_copy)) == (1, before)
    assert PLATFORMS[name].jobs.impossible in " ".join(said.split())
    assert said.splitlines()[-1] == f"make platform NAME={name}"


def test_jobs_are_on_or_off(loan_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = run(loan_copy, capsys, "NAME=render", "JOBS=2")
    assert status == 1
    assert "JOBS='2' is neither on nor off" in said


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("Render", "make platform NAME=render"),
        ("railways", "make platform NAME=railway"),
        ("heroku-for", "make platform NAME=heroku-fir"),
        ("aws", "make platform NAME=render"),
    ],
)
def test_an_unknown_platform_is_answered_with_the_nearest(
    loan_copy: Path, capsys: pytest.CaptureFixture[str], name: str, last: str
) -> None:
    before = files(loan_copy)
    status, said = run(loan_copy, capsys, f"NAME={name}")
    assert (status, files(loan_copy)) == (1, before)
    assert f"NAME={name!r} is no platform that is known here" in said
    assert all(known in said for known in PLATFORMS)
    assert said.splitlines()[-1] == last


@pytest.mark.parametrize(
    "text", ["{", "[]", json.dumps({"env": 1}), json.dumps({"healthchecks": []})]
)
def test_an_app_json_that_cannot_be_read_is_refused(
    loan_copy: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (loan_copy / "app.json").write_text(text)
    status, said = run(loan_copy, capsys, "NAME=dokku")
    assert status == 1
    assert "app.json cannot be read" in said
    assert (loan_copy / "app.json").read_text() == text
