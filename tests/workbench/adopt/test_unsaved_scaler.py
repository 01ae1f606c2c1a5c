"""Code beside a linear model that scales gets a note if no fitted scaler was saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import pytest
from conftest import PYTHON
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from workbench.adopt.answers import Answers
from workbench.adopt.decide import decide

ROWS, CLASSES = [[1.0], [2.0], [3.0], [4.0]], [0, 0, 1, 1]
SCALES = (
    "from sklearn.preprocessing import StandardScaler\nrows = StandardScaler().fit_transform(x)"
)


@pytest.mark.parametrize(
    ("model", "shift", "code", "is_noticed"),
    [
        (LogisticRegression(), 0, SCALES, True),
        (LogisticRegression(), 0, "print(1)", False),
        (DecisionTreeClassifier(), 0, SCALES, False),
        (DecisionTreeClassifier(), -3, SCALES, True),
        (DecisionTreeClassifier(), -100, SCALES, False),
        (make_pipeline(StandardScaler(), LogisticRegression()), 0, SCALES, False),
    ],
    ids=["linear", "no scaler", "tree", "tree of scaled values", "far from 0", "pipeline"],
)
def test_a_scaler_of_the_code_is_noticed(
    model: Any, shift: float, code: str, is_noticed: bool, tmp_path: Path
) -> None:
    rows = [[value + shift for value in row] for row in ROWS]
    joblib.dump(model.fit(rows, CLASSES), tmp_path / "model.pkl")
    (tmp_path / "train.py").write_text(code)
    given = {"model_path": "model.pkl", "features": "size", "python_version": PYTHON}
    notes = decide(Answers("A", "a", "A", folder=tmp_path, **given)).notes
    found = [note for note in notes if "train.py scales with a StandardScaler (line 2)" in note]
    assert bool(found) == is_noticed
