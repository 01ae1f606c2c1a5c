"""What the model's code leaves in the folder of the proof: read if it is a plain file only."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench import convert, files
from workbench.errors import UserError
from workbench.inspect import OldFile
from workbench.verify import verify
from workbench.verify.resource_limits import Limits
from workbench.verify.results import read_json_result, read_result

QUALITY = Path("model", "quality.json")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A folder outside of the proof's, with a file that the model must not show."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "quality.json").write_text('{"secret": 1}')
    return folder


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "proof"
    (folder / "model").mkdir(parents=True)
    return folder


def replace_parent(path: Path, secret: Path) -> None:
    path.parent.rmdir()
    path.parent.symlink_to(secret)


# What the model's code makes, of the path of a result and the folder with a secret
REPLACED: dict[str, Callable[[Path, Path], object]] = {
    "a link": lambda path, secret: path.symlink_to(secret / "quality.json"),
    "a link within": lambda path, secret: path.symlink_to("golden.json"),
    "a link to nothing": lambda path, secret: path.symlink_to(secret / "missing"),
    "a link as its folder": replace_parent,
    "a folder": lambda path, secret: path.mkdir(),
    "a pipe": lambda path, secret: os.mkfifo(path),
}


@pytest.mark.parametrize("what", REPLACED)
def test_only_a_plain_file_is_a_result(what: str, copy: Path, secret: Path) -> None:
    REPLACED[what](copy / QUALITY, secret)
    with pytest.raises(UserError, match=r"code has replaced model.quality\.json by a link"):
        read_result(copy, QUALITY)


def test_a_plain_file_is_read_and_a_missing_one_is_none(copy: Path) -> None:
    assert read_result(copy, QUALITY) is None
    assert read_result(copy, Path(".tools", "answers.json")) is None
    (copy / QUALITY).write_text("{}")
    assert read_result(copy, QUALITY) == b"{}"


@pytest.mark.parametrize(
    ("text", "output"), [('{"threshold": 1}', {"threshold": 1}), ("[]", None), ("{", None)]
)
def test_a_proposed_output_is_an_object(
    text: str, output: dict[str, object] | None, copy: Path
) -> None:
    assert read_json_result(copy, files.BETTER_OUTPUT) is None
    (copy / files.BETTER_OUTPUT).write_text(text)
    assert read_json_result(copy, files.BETTER_OUTPUT) == output


@pytest.mark.parametrize(
    ("name", "fails"), [("quality.json", False), ("output.proposed.json", True)]
)
def test_a_proof_that_leaves_a_link_fails(
    name: str, fails: bool, tmp_path: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a secret of the user's is in model/, and soon in git."""
    project = tmp_path / "project"
    (project / "model").mkdir(parents=True)
    (project / "model" / "golden.json").write_text("before")

    def hostile_proof(copy: Path, *_: object) -> str:
        (copy / "model" / name).symlink_to(secret / "quality.json")
        (copy / "model" / "golden.json").write_text("after")
        if fails:
            raise UserError("The proof failed.")
        return "The model predicts."

    monkeypatch.setattr(verify, "_prove", hostile_proof)
    with pytest.raises(UserError, match=f"replaced model.{name} by a link") as caught:
        verify.prove(project, Path("python"), Limits())
    assert not isinstance(caught.value, verify.AnswersDiffer)
    assert [path.name for path in (project / "model").iterdir()] == ["golden.json"]
    assert (project / "model" / "golden.json").read_text() == "before"


def test_a_conversion_that_leaves_a_link_fails(
    tmp_path: Path, copy: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "old.pkl", tmp_path / "new.pkl"
    source.write_bytes(pickle.dumps({}))

    def hostile_conversion(*_: object, cwd: Path, **__: object) -> None:
        (cwd / convert.NEW).symlink_to(secret / "quality.json")

    monkeypatch.setattr(convert, "run", hostile_conversion)
    old = OldFile("It is old.", "Convert it.", frozenset())
    with pytest.raises(UserError, match=r"replaced new\.joblib by a link"):
        convert._save_again(source, target, old, copy)
    assert not target.exists()
