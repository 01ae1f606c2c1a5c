"""Which column of the sample is taken for the target of a model without names."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import PYTHON
from sklearn.linear_model import LogisticRegression

from workbench.adopt.answers import Answers
from workbench.adopt.decide import decide
from workbench.adopt.problems import AnswerError

ROWS = 60
RANDOM = np.random.RandomState(0)
MARKS = pd.DataFrame({"first": RANDOM.rand(ROWS), "second": RANDOM.rand(ROWS)})
TRAINED = np.where(MARKS["first"] > 0.4, "Yes", "No")
MODEL = LogisticRegression().fit(
    np.column_stack([MARKS["first"], TRAINED == "Yes", MARKS["second"]]), RANDOM.randint(0, 2, ROWS)
)


@pytest.mark.parametrize(
    "results", [["Placed", "NotPlaced"], ["Placed", "NotPlaced", "NotPlace"]], ids=["two", "typo"]
)
def test_the_target_is_at_the_end_of_the_file(results: list[str], tmp_path: Path) -> None:
    """Another column of two texts is in the middle, and a typing error makes three of the last."""
    last = [results[n % len(results)] for n in range(ROWS)]
    frame = pd.DataFrame({"a": MARKS["first"], "b": TRAINED, "c": MARKS["second"], "d": last})
    frame.to_csv(tmp_path / "train.csv", index=False)
    joblib.dump(MODEL, tmp_path / "model.pkl")
    given = {"model_path": "model.pkl", "sample_data": "train.csv", "python_version": PYTHON}
    with pytest.raises(AnswerError) as caught:
        decide(Answers("A", "a", "A", folder=tmp_path, **given))
    (problem,) = caught.value.found
    repair = problem.repair
    assert repair is not None
    names = repair.answers.get("features", "").split(",")
    proposed = [entry["name"] for entry in (repair.features or {}).get("features", [])]
    assert (proposed or names) == ["a", "b", "c"], problem.message
