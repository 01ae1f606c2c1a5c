"""The questions as a person at a terminal sees them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

from conftest import ROOT, bake, environment

QUESTIONS = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
ASKED = [name for name in QUESTIONS if not name.startswith("_")]


def typed_at_a_terminal(folder: Path, answers: list[str]) -> str:
    """Answer cookiecutter's questions line by line; return what the terminal showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cookiecutter", str(ROOT)],
        cwd=folder,
        env=environment(COLUMNS="200", TERM="dumb"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(ours)
    process.wait(timeout=60)
    return shown.decode()


def test_every_question_has_a_sentence_of_help() -> None:
    prompts = QUESTIONS["__prompts__"]
    assert list(prompts) == ASKED
    assert all(len(prompt.split()) >= 4 for prompt in prompts.values())


def test_the_files_of_the_folder_are_listed_above_their_questions(tmp_path: Path) -> None:
    for name in ("churn.pkl", "old.JOBLIB", "train.csv", "notes.md"):
        (tmp_path / name).touch()
    # The fourth answer is wrong, so that nothing is rendered.
    shown = typed_at_a_terminal(tmp_path, ["", "", "", "nowhere.pkl", *[""] * (len(ASKED) - 4)])
    for kind, names, number in [
        ("Model files", "churn.pkl, old.JOBLIB", 4),
        ("Data files", "train.csv", 6),
    ]:
        before, after = shown.split(f"  {kind} here: {names}\r\n")
        assert before.count("/11]") == number - 1
        assert f"[{number}/11]" in after.splitlines()[0]
    assert "there is no file" in shown
    assert "notes.md" not in shown


def test_without_a_terminal_nothing_is_listed(tmp_path: Path) -> None:
    (tmp_path / "churn.pkl").touch()
    baked = bake(tmp_path, model_path="nowhere.pkl")
    assert baked.status != 0
    assert "here:" not in baked.output
