"""Retraining: another model file replaces the one in the project."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import EXAMPLE, files, git
from running import adopt, workbench
from sklearn.linear_model import LogisticRegression

from workbench.adopt import retrain
from workbench.adopt.retrain import AdoptOptions
from workbench.verify.prove import prove
from workbench.verify.trial import ProofFailed


def manifest(project: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((project / "model" / "manifest.json").read_text())
    return document


@pytest.fixture
def retrained(tmp_path: Path) -> Path:
    """The example's pipeline fitted to other rows, saved by the user under another name."""
    frame = pd.read_csv(EXAMPLE / "sample.csv")
    native = joblib.load(EXAMPLE / "model.joblib")
    native.fit(frame.drop(columns="loan_status").head(300), frame["loan_status"].head(300))
    path = tmp_path / "new.pkl"
    joblib.dump(native, path)
    return path


def test_a_retrained_model_is_one_reviewable_change(loan_copy: Path, retrained: Path) -> None:
    status, output = adopt(loan_copy, f"MODEL={retrained}")
    assert status == 0, output
    assert "Version 2" in output
    assert manifest(loan_copy)["version"] == 2
    assert (loan_copy / "model" / "model.pkl").read_bytes() == retrained.read_bytes()
    changed = set(git(loan_copy, "status", "--porcelain").split())
    assert changed == {"D", "M", "??"} | {
        f"model/{name}" for name in ("model.joblib", "model.pkl", "manifest.json")
    }


def test_edits_of_the_contract_are_kept(loan_copy: Path, retrained: Path) -> None:
    path = loan_copy / "model" / "features.json"
    document = json.loads(path.read_text())
    document["features"][0] |= {"description": "Mine", "maximum": 123456, "strict": True}
    document["output"]["labels"] = {"N": "no", "Y": "yes"}
    path.write_text(json.dumps(document))
    status, output = adopt(loan_copy, f"MODEL={retrained}")
    assert status == 0, output
    after = json.loads(path.read_text())
    assert after["features"][0]["description"] == "Mine"
    assert after["features"][0]["maximum"] == 123456
    assert after["output"]["labels"] == {"N": "no", "Y": "yes"}


def test_added_requirements_are_kept(loan_copy: Path, retrained: Path) -> None:
    path = loan_copy / "requirements.in"
    path.write_text(path.read_text() + "sentry-sdk>=2\n")
    status, output = adopt(loan_copy, f"MODEL={retrained}")
    assert status == 0, output
    assert path.read_text().splitlines()[-1] == "sentry-sdk>=2"
    assert path.read_text().count("scikit-learn") == 1


def test_breaking_changes_are_refused_without_accept(loan_copy: Path, tmp_path: Path) -> None:
    frame = pd.DataFrame({"applicant_income": [1.0, 2.0] * 20, "age": np.arange(40.0)})
    model = tmp_path / "other.joblib"
    joblib.dump(LogisticRegression().fit(frame, ["A", "B"] * 20), model)
    features = "FEATURES=applicant_income,age"
    before = files(loan_copy)

    status, output = adopt(loan_copy, f"MODEL={model}", features)
    assert status == 1
    for sentence in (
        "feature dependents is gone",
        "feature age is new, and every row must have it: callers do not send it today",
        "the classes were ['N', 'Y'], now ['A', 'B']",
        "ACCEPT=breaking",
    ):
        assert sentence in output
    assert files(loan_copy) == before

    status, output = adopt(loan_copy, f"MODEL={model}", features, "ACCEPT=breaking")
    assert status == 0, output
    assert manifest(loan_copy)["classes"] == ["A", "B"]


def test_other_features_are_adopted_with_accept(loan_copy: Path, tmp_path: Path) -> None:
    names = ["applicant_income", "age"]
    frame = pd.DataFrame({"applicant_income": [1.0, 2.0] * 20, "age": np.arange(40.0)})
    model = tmp_path / "other.joblib"
    joblib.dump(LogisticRegression().fit(frame, ["N", "Y"] * 20), model)
    status, output = adopt(loan_copy, f"MODEL={model}")
    assert status == 1
    assert "feature age is new, and every row must have it: callers do not send" in output
    assert "ACCEPT=breaking, or give FEATURES=" in output
    assert output.splitlines()[-1] == f"make adopt MODEL={model} ACCEPT=breaking"
    status, output = adopt(loan_copy, f"MODEL={model}", "ACCEPT=breaking")
    assert status == 0, output
    features = json.loads((loan_copy / "model" / "features.json").read_text())
    assert [feature["name"] for feature in features["features"]] == names
    assert features["features"][0]["unit"] == "USD a month"
    assert features["output"]["labels"] == {"N": "rejected", "Y": "approved"}


def test_a_new_sample_adds_categories(loan_copy: Path, tmp_path: Path) -> None:
    """A new sample replaces derived fields of the contract, and no edited ones."""
    frame = pd.read_csv(EXAMPLE / "sample.csv")
    frame.loc[:50, "property_area"] = "Coast"
    native = joblib.load(EXAMPLE / "model.joblib")
    native.fit(frame.drop(columns="loan_status"), frame["loan_status"])
    joblib.dump(native, tmp_path / "new.joblib")
    frame.to_csv(tmp_path / "new.csv", index=False)
    path = loan_copy / "model" / "features.json"
    document = json.loads(path.read_text())
    manifest_path = loan_copy / "model" / "manifest.json"
    derived = json.loads(manifest_path.read_text())
    for feature in document["features"]:  # as if the categories were derived
        if "categories" in feature:
            derived["derived"][feature["name"]]["categories"] = feature["categories"]
    manifest_path.write_text(json.dumps(derived))
    options = f"MODEL={tmp_path / 'new.joblib'}", f"SAMPLE={tmp_path / 'new.csv'}"
    status, output = adopt(loan_copy, *options)
    assert status == 0, output
    assert "feature property_area has the new categories Coast" in output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["MODEL=nowhere.pkl"], "there is no file"),
        (["MODEL=Makefile"], "  - MODEL: "),
        (["MODEL=model/model.joblib", "SAMPLE=Makefile"], "  - SAMPLE: "),
    ],
)
def test_a_refusal_changes_nothing(loan_copy: Path, options: list[str], words: str) -> None:
    before = files(loan_copy)
    status, output = adopt(loan_copy, *options)
    assert status == 1
    assert words in output
    assert "Traceback" not in output
    assert files(loan_copy) == before


def test_requirements_that_cannot_be_read_are_refused_first(
    loan_copy: Path, retrained: Path
) -> None:
    """An editor that does not save UTF-8 wrote the comment."""
    path = loan_copy / "requirements.in"
    path.write_bytes(path.read_bytes() + "# für\n".encode("cp1252"))
    before = files(loan_copy)
    status, output = adopt(loan_copy, f"MODEL={retrained}")
    assert status == 1
    assert "requirements.in cannot be read" in output
    assert "Traceback" not in output
    assert files(loan_copy) == before


def test_what_the_adoption_before_left_behind_is_deleted(loan_copy: Path, retrained: Path) -> None:
    stale = ("custom_code.py", "custom_code/lib/a.py", "transformers/01-scaler.pkl", "golden.json")
    for name in stale:
        path = loan_copy / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    status, output = adopt(loan_copy, f"MODEL={retrained}")
    assert status == 0, output
    names = {path.name for path in (loan_copy / "model").iterdir()}
    assert not names & {"custom_code.py", "custom_code", "transformers", "golden.json"}
    assert "model.joblib" not in names


@pytest.mark.parametrize("committed", [False, True])
def test_rollback_restores_the_previous_model(
    committed: bool, loan_copy: Path, retrained: Path
) -> None:
    before = files(loan_copy)
    assert workbench(loan_copy, "rollback") == (
        1,
        "make rollback:\n  - git has no older version of the model to go back to.\n",
    )
    assert adopt(loan_copy, f"MODEL={retrained}")[0] == 0
    if committed:
        git(loan_copy, "add", "--all")
        git(loan_copy, "commit", "--quiet", "--message", "Retrain")
    status, output = workbench(loan_copy, "rollback")
    assert status == 0, output
    assert "Version 1" in output
    assert files(loan_copy) == before


def commit_version(project: Path, version: int, threshold: str) -> str:
    """Commit a version of the model with a line of its own, and return the commit."""
    path = project / "model" / "manifest.json"
    path.write_text(re.sub('"version": [0-9]+', f'"version": {version}', path.read_text()))
    with (project / "requirements.in").open("a") as file:
        file.write(f"# {threshold}\n")
    git(project, "commit", "--quiet", "--all", "--message", f"version {version}, {threshold}")
    return git(project, "rev-parse", "HEAD").strip()


# (versions of the commits, which of them is restored; None if none is)
HISTORIES: list[tuple[list[int], int | None]] = [
    ([1, 2, 3], 1),
    ([1, 1, 1, 2], 2),  # the last commit of the older version
    ([1, 1, 2, 2], 1),
    ([1, 2, 3, 2], 0),  # after a rollback to 2: not 3, which was given up
    ([1, 2, 3, 2, 4], 3),
    ([1, 2, 1], None),
]


@pytest.mark.parametrize(("versions", "restored"), HISTORIES)
def test_rollback_goes_to_the_last_commit_of_an_older_version(
    versions: list[int], restored: int | None, loan_copy: Path
) -> None:
    commits = [commit_version(loan_copy, v, f"edit {n}") for n, v in enumerate(versions)]
    status, output = workbench(loan_copy, "rollback")
    if restored is None:
        assert status == 1
        assert (
            "git has no older version of the model to go back to. To have version 2 again, type: "
            f"git revert {commits[-1][:10]}"
        ) in output
        return
    assert status == 0, output
    assert f"Version {versions[restored]} of {commits[restored][:10]} is back" in output
    assert git(loan_copy, "diff", "--staged", commits[restored], "--", "requirements.in") == ""


def test_rollback_ends_at_a_commit_without_a_model(loan_copy: Path) -> None:
    """The folder had another project before."""
    commit_version(loan_copy, 1, "another project")
    git(loan_copy, "rm", "-r", "--quiet", "--cached", "model")
    git(loan_copy, "commit", "--quiet", "--message", "removed")
    git(loan_copy, "add", "--all")
    commit_version(loan_copy, 2, "this one")
    status, output = workbench(loan_copy, "rollback")
    assert status == 1
    assert "git has no older version" in output


def test_a_model_after_a_rollback_has_a_number_that_git_does_not_have(
    loan_copy: Path, retrained: Path
) -> None:
    for number, version in enumerate((2, 3)):
        commit_version(loan_copy, version, f"edit {number}")
    assert workbench(loan_copy, "rollback")[0] == 0
    assert manifest(loan_copy)["version"] == 2
    git(loan_copy, "commit", "--quiet", "--all", "--message", "rollback")
    status, output = adopt(loan_copy, f"MODEL={retrained}")
    assert status == 0, output
    assert manifest(loan_copy)["version"] == 4


def test_rollback_refuses_with_uncommitted_edits(loan_copy: Path) -> None:
    path = loan_copy / "model" / "features.json"
    path.write_text(path.read_text().replace("approved", "granted"))
    before = files(loan_copy)
    status, output = workbench(loan_copy, "rollback")
    assert status == 1
    assert "has changes that git does not have; commit them first" in output
    assert files(loan_copy) == before


def test_the_file_in_the_project_can_be_adopted_again(loan_copy: Path) -> None:
    status, output = adopt(loan_copy, "MODEL=model/model.joblib")
    assert status == 0, output
    assert "nothing: it is the same file" in output
    assert (loan_copy / "model" / "model.joblib").exists()


def features_file(project: Path, folder: Path, **output: Any) -> Path:
    """Return a copy of the contract with another output."""
    document = json.loads((project / "model" / "features.json").read_text())
    document["output"] |= output
    path = folder / "edited.json"
    path.write_text(json.dumps(document))
    return path


THRESHOLD = {"positive": "Y", "threshold": 0.75}


@pytest.mark.parametrize("accept", ["answers", "breaking", "breaking,answers"])
def test_other_answers_of_the_same_file_are_accepted_first(
    loan_copy: Path, tmp_path: Path, accept: str
) -> None:
    options = [
        "MODEL=model/model.joblib",
        f"FEATURES={features_file(loan_copy, tmp_path, **THRESHOLD)}",
    ]
    before = files(loan_copy)
    status, output = adopt(loan_copy, *options)
    assert status == 1
    assert "the threshold was none and is 0.75 for Y" in output
    assert output.splitlines()[-1] == " ".join(["make adopt", *options, "ACCEPT=answers"])
    assert files(loan_copy) == before
    status, output = adopt(loan_copy, *options, f"ACCEPT={accept}")
    assert status == 0, output
    assert "the threshold was none and is 0.75 for Y" in output


def test_an_unknown_accept_is_refused(loan_copy: Path) -> None:
    status, output = adopt(loan_copy, "MODEL=model/model.joblib", "ACCEPT=all")
    assert status == 1
    assert "give ACCEPT=breaking, ACCEPT=answers or ACCEPT=breaking,answers" in output


def test_the_command_to_paste_keeps_all_that_was_typed(loan_copy: Path, tmp_path: Path) -> None:
    frame = pd.DataFrame({"applicant_income": [1.0, 2.0] * 20, "age": np.arange(40.0)})
    model = tmp_path / "a new.joblib"
    joblib.dump(LogisticRegression().fit(frame, ["N", "Y"] * 20), model)
    sample = tmp_path / "new.csv"
    frame.to_csv(sample, index=False)
    _, output = adopt(loan_copy, f"MODEL={model}", f"SAMPLE={sample}")
    assert output.splitlines()[-1] == f"make adopt MODEL='{model}' SAMPLE={sample} ACCEPT=breaking"


def test_the_answers_of_the_same_model_have_to_hold(tmp_path: Path, proven: Path) -> None:
    """An edit is not recorded in silence because the file was adopted again."""
    project = tmp_path / "copy"
    shutil.copytree(proven, project)
    path = project / "model" / "features.json"
    document = json.loads(path.read_text())
    document["output"] |= {"positive": "Y", "threshold": 0.97}
    path.write_text(json.dumps(document))
    retrain.adopt(project, AdoptOptions(model=str(project / "model" / "model.joblib")))
    assert (project / "model" / "golden.json").exists()
    with pytest.raises(ProofFailed, match=r"recorded answers change, Y to N"):
        prove(project)


def test_null_is_not_lost_because_a_sample_has_none(tmp_path: Path, proven: Path) -> None:
    project = tmp_path / "copy"
    shutil.copytree(proven, project)
    sample = tmp_path / "complete.csv"
    pd.read_csv(EXAMPLE / "sample.csv").dropna().to_csv(sample, index=False)
    features = project / "model" / "features.json"
    before = json.loads(features.read_text())["features"]
    model = str(project / "model" / "model.joblib")
    output = retrain.adopt(project, AdoptOptions(model=model, sample=str(sample)))
    assert "null\n" not in output
    prove(project)
    after = json.loads(features.read_text())["features"]
    assert [f["nullable"] for f in after] == [f["nullable"] for f in before]
