"""After a retrain verify says how many answers of the model before change, and how."""

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
from conftest import EXAMPLE, adopted
from sklearn.linear_model import LinearRegression

from workbench.adopt.kept_answers import read_kept_answers
from workbench.adopt.retrain import AdoptOptions, adopt
from workbench.verify.prove import prove


@pytest.fixture
def project(proven: Path, tmp_path: Path) -> Path:
    """A copy of the loan example, adopted from its sample and proven."""
    return Path(shutil.copytree(proven, tmp_path / "copy"))


@pytest.fixture
def stricter(tmp_path: Path) -> Path:
    """The example's pipeline with another intercept: it rejects more, and approves no other."""
    native = joblib.load(EXAMPLE / "model.joblib")
    native[-1].intercept_ -= 1
    joblib.dump(native, tmp_path / "new.joblib")
    return tmp_path / "new.joblib"


def compared(report: str) -> str:
    """Return the sentence on the version before, or an empty text."""
    return next((line for line in report.splitlines() if line.startswith("Compared with")), "")


def sentence(before: list[Any], after: list[Any]) -> str:
    """Return what is to be said of these predictions, counted here without the tools."""
    changed = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    assert set(changed) == {("Y", "N")}
    return f"Compared with version 1, {len(changed)} of {len(before)} answers change, Y to N."


def test_a_retrain_says_how_many_answers_change_and_in_which_direction(
    project: Path, stricter: Path
) -> None:
    kept = read_kept_answers(project)
    assert kept is not None
    rows = pd.DataFrame(kept.golden.rows)
    assert len(rows) == 300
    before = [one["prediction"] for one in kept.golden.predictions]
    assert before == joblib.load(EXAMPLE / "model.joblib").predict(rows).tolist()
    adopt(project, AdoptOptions(model=str(stricter)))
    after = joblib.load(stricter).predict(rows).tolist()
    assert compared(prove(project)) == sentence(before, after)
    # The new answers are the ones that the next model is compared with.
    assert compared(prove(project)) == ""


def test_in_a_clone_the_golden_predictions_are_compared(project: Path, stricter: Path) -> None:
    shutil.rmtree(project / ".tools")
    golden = json.loads((project / "model" / "golden.json").read_text())
    before = [one["prediction"] for one in golden["predictions"]]
    adopt(project, AdoptOptions(model=str(stricter)))
    after = joblib.load(stricter).predict(pd.DataFrame(golden["rows"])).tolist()
    assert compared(prove(project)) == sentence(before, after)


def test_an_edit_that_was_accepted_is_counted_too(project: Path) -> None:
    features = project / "model" / "features.json"
    document = json.loads(features.read_text())
    document["output"] |= {"positive": "Y", "threshold": 0.9}
    other = project.parent / "features.json"
    other.write_text(json.dumps(document))
    model = str(project / "model" / "model.joblib")
    adopt(project, AdoptOptions(model=model, features=str(other), accept="answers"))
    said = r"Compared with version 1, [1-9]\d* of 300 answers change, Y to N\."
    assert re.fullmatch(said, compared(prove(project)))


def test_the_same_model_changes_none(project: Path) -> None:
    adopt(project, AdoptOptions(model=str(project / "model" / "model.joblib")))
    assert compared(prove(project)) == "Compared with version 1, none of 300 answers changes."


def test_numbers_change_by_so_much_and_rows_without_a_new_feature_do_not_fit(
    tmp_path: Path,
) -> None:
    frame = pd.DataFrame({"area": np.arange(40.0), "rooms": np.arange(40.0) % 7})
    frame.to_csv(tmp_path / "sample.csv", index=False)
    for name, columns, step in (("old", ["area"], 0), ("new", ["area"], 3), ("more", None, 0)):
        chosen = frame[columns or [*frame]]
        joblib.dump(LinearRegression().fit(chosen, frame["area"] + step), tmp_path / name)
    project = adopted(tmp_path, tmp_path / "old", sample_data="sample.csv")
    prove(project)
    adopt(project, AdoptOptions(model=str(tmp_path / "new")))
    said = "Compared with version 1, 40 of 40 answers change, by 3 on average and 3 at most."
    assert compared(prove(project)) == said
    sample = str(tmp_path / "sample.csv")
    adopt(project, AdoptOptions(str(tmp_path / "more"), sample=sample, accept="breaking"))
    said = "Compared with version 2, 40 of 40 rows do not fit any more (rooms of row 1 is missing)."
    assert compared(prove(project)) == said


def test_what_was_kept_is_only_for_a_report(project: Path, stricter: Path) -> None:
    (project / ".tools" / "answers.json").write_text("{")
    adopt(project, AdoptOptions(model=str(stricter)))
    assert "Compared with version 1, " in prove(project)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"version": 1, "sha256": "0", "rows": []}',
        '{"version": 1, "sha256": "0", "rows": [{}], "predictions": []}',
        '{"rows": [{}], "predictions": [{}]}',
    ],
)
def test_kept_answers_that_cannot_be_read_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / ".tools").mkdir()
    (tmp_path / ".tools" / "answers.json").write_text(text)
    assert read_kept_answers(tmp_path) is None
