"""An edit that changes answers is refused with what it changes, until that is accepted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import EXAMPLE, adopted
from sklearn.linear_model import LinearRegression

from workbench.verify.prove import prove
from workbench.verify.trial import ProofFailed

Edit = Callable[[dict[str, Any]], object]


def edit(project: Path, change: Edit) -> None:
    path = project / "model" / "features.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def content(project: Path, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((project / "model" / name).read_text())
    return document


@pytest.fixture
def loans(tmp_path: Path) -> Path:
    """The loan example, proven, with the notebook's answers for 300 rows."""
    frame = pd.read_csv(EXAMPLE / "sample.csv").drop(columns="loan_status").head(300)
    native = joblib.load(EXAMPLE / "model.joblib")
    frame["expected"] = native.predict(frame)
    frame.to_csv(tmp_path / "sample.csv", index=False)
    project = adopted(
        tmp_path,
        EXAMPLE / "model.joblib",
        features=str(EXAMPLE / "features.json"),
        sample_data="sample.csv",
    )
    prove(project)
    return project


def stricter(document: dict[str, Any]) -> None:
    document["output"] |= {"positive": "Y", "threshold": 0.9}


def test_a_threshold_is_changed_by_an_edit_and_one_command(loans: Path) -> None:
    edit(loans, stricter)
    before = {p: p.read_bytes() for p in (loans / "model").iterdir() if p.is_file()}
    with pytest.raises(ProofFailed) as refusal:
        prove(loans)
    message = str(refusal.value)
    assert " of 300 expected answers change, Y to N" in message
    assert message.splitlines()[-1] == "make verify ACCEPT=answers"
    assert {p: p.read_bytes() for p in before} == before

    report = prove(loans, accepts_answers=True)
    assert " of 300 expected answers change, Y to N." in report
    expected = content(loans, "expected.json")["predictions"]
    assert {one["prediction"] for one in expected} == {"N", "Y"}
    for _ in range(2):
        assert "gives the 300 answers" in prove(loans)


def test_nothing_to_accept_is_said(loans: Path) -> None:
    golden = content(loans, "golden.json")
    assert "No answer changes." in prove(loans, accepts_answers=True)
    assert content(loans, "golden.json") == golden


def test_rows_that_an_edit_refuses_are_counted(loans: Path) -> None:
    edit(loans, lambda document: document["features"][0].update(maximum=6000, strict=True))
    with pytest.raises(
        ProofFailed, match=r"\d+ of \d+ recorded rows do not fit any more \(applicant_"
    ):
        prove(loans)
    assert "rows with an expected answer" in prove(loans, accepts_answers=True)
    assert len(content(loans, "expected.json")["rows"]) < 300


def test_labels_are_words_that_change_no_answer(loans: Path) -> None:
    edit(loans, lambda document: document["output"].update(labels={"N": "no", "Y": "yes"}))
    assert "reproduces" in prove(loans)
    assert {p["label"] for p in content(loans, "golden.json")["predictions"]} <= {"no", "yes"}


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    """A model of the logarithm, proven without saying so."""
    frame = pd.DataFrame({"area": np.arange(40.0, 140.0), "rooms": np.arange(100.0) % 7})
    native = LinearRegression().fit(frame, np.log1p(1000 * frame["area"] + frame["rooms"]))
    joblib.dump(native, tmp_path / "model.joblib")
    frame.to_csv(tmp_path / "sample.csv", index=False)
    project = adopted(tmp_path, tmp_path / "model.joblib", sample_data="sample.csv")
    prove(project)
    return project


def test_numbers_change_by_so_much(prices: Path) -> None:
    edit(prices, lambda document: document["output"].update(transform="expm1"))
    message = (
        r"^The model does not .* now, 24 of 24 recorded answers change, by [0-9,.]+ on average and"
    )
    with pytest.raises(ProofFailed, match=message):
        prove(prices)
    assert "24 of 24 recorded answers change, by " in prove(prices, accepts_answers=True)
