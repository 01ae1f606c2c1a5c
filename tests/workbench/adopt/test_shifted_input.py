"""Code beside the model that does arithmetic on what it hands to the model gets a note."""

from __future__ import annotations

from pathlib import Path

import joblib
import pytest
from conftest import PYTHON
from sklearn.linear_model import LinearRegression

from workbench.adopt.answers import Answers
from workbench.adopt.decide import decide


@pytest.mark.parametrize(
    ("code", "is_noticed"),
    [
        ("rows = power.transform(np.array(values) + 1e-6)", True),
        ("print(model.predict(rows / 255))", True),
        ("print(model.predict(rows)[0] + 1)", False),
        ("print(model.predict(first + second))", False),
        ("print(frame.apply(rows + 1))", False),
    ],
)
def test_arithmetic_before_the_model_is_noticed(
    code: str, is_noticed: bool, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(f"import numpy as np\n{code}\n")
    joblib.dump(LinearRegression().fit([[1.0], [2.0]], [0.5, 1.0]), tmp_path / "model.pkl")
    given = {"model_path": "model.pkl", "features": "size", "python_version": PYTHON}
    notes = decide(Answers("A", "a", "A", folder=tmp_path, **given)).notes
    found = [
        note
        for note in notes
        if f"app.py changes values before it hands them on (line 2: {code})" in note
    ]
    assert len(found) == is_noticed
    assert all("model_code=FILE" in note for note in found)
