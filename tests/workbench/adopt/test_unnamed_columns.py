"""A model without names and a CSV with more columns: which ones are proposed, and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import PYTHON
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from workbench.adopt.answers import Answers
from workbench.adopt.decide import decide
from workbench.adopt.problems import AnswerError, Problem
from workbench.inspect import first_scalings, read_document

RANDOM = np.random.RandomState(0)
N = 240
FRAME = pd.DataFrame(
    {
        "area": RANDOM.uniform(30, 200, N),
        "rooms": RANDOM.randint(1, 7, N),
        "year": RANDOM.randint(1950, 2020, N),
        "distance": RANDOM.exponential(5, N),
        "noise": RANDOM.uniform(40, 80, N),
    }
)
PRICE = 3000 * FRAME.area + 9000 * FRAME.rooms - 4000 * FRAME.distance
DEAR = (PRICE.median() < PRICE).astype(int)
SOLD = FRAME.assign(price=PRICE.round(2))
# The second class comes after the first one: the first rows say little of all.
SORTED = FRAME.assign(dear=DEAR, flag=DEAR).sort_values("dear")


def proposal(model: Any, sample: pd.DataFrame, folder: Path) -> Problem:
    joblib.dump(model, folder / "model.joblib")
    sample.to_csv(folder / "sample.csv", index=False)
    answers = {"sample_data": "sample.csv", "python_version": PYTHON}
    with pytest.raises(AnswerError) as caught:
        decide(Answers("Name", "name", "About.", "model.joblib", folder, **answers))
    (problem,) = caught.value.found
    return problem


def scaled(scaler: Any, names: Sequence[str]) -> Any:
    return make_pipeline(scaler, LogisticRegression()).fit(FRAME[[*names]].to_numpy(), DEAR)


CASES: dict[str, tuple[Sequence[str], str]] = {
    "all": (["area", "rooms", "year", "distance", "noise"], "the scaler was fitted on such"),
    "the first ones": (["area", "rooms", "year"], "the scaler was fitted on such"),
    "others": (["rooms", "year", "noise"], "the scaler was fitted on such"),
}


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler(), RobustScaler()])
@pytest.mark.parametrize(("names", "reason"), CASES.values(), ids=list(CASES))
def test_a_scaler_knows_its_columns(
    names: Sequence[str], reason: str, scaler: Any, tmp_path: Path
) -> None:
    problem = proposal(scaled(scaler, names), SORTED, tmp_path)
    assert reason in problem.message
    assert problem.repair is not None
    assert problem.repair.answers == {"features": ",".join(names)}


# (the scaler, the scaling of a column of 2, 4, 6, 8 and 90; None if the file does not have its
# usual place and spread)
SCALINGS: list[tuple[Any, tuple[float, float, float, float] | None]] = [
    (StandardScaler(), (22, 34.06, 0, 1)),
    (StandardScaler(with_mean=False), (22, 34.06, 0.646, 1)),
    (StandardScaler(with_std=False), None),
    (RobustScaler(), (6, 4, 0, 1)),
    (RobustScaler(with_centering=False), None),
    (RobustScaler(with_scaling=False), None),
]


@pytest.mark.parametrize(("scaler", "expected"), SCALINGS)
def test_what_a_scaler_says_about_a_column(
    scaler: Any, expected: tuple[float, float, float, float] | None, tmp_path: Path
) -> None:
    values = [2.0, 4.0, 6.0, 8.0, 90.0]
    scaler.fit(np.array([values]).T)
    joblib.dump(scaler, tmp_path / "scaler.joblib")
    (scaling,) = first_scalings(read_document(tmp_path / "scaler.joblib").root)
    multiply, add = scaling.inverse
    assert scaler.transform([[3.0]])[0, 0] * multiply + add == pytest.approx(3)
    assert scaling.is_evidence is (expected is not None)
    if expected is None:
        assert scaling.was_applied(values) is None
        assert not scaling.is_of_others([1e9])
    else:
        found = (scaling.centre, scaling.spread, scaling.new_centre, scaling.new_spread)
        assert found == pytest.approx(expected, rel=1e-3)


def test_a_forest_knows_its_columns(tmp_path: Path) -> None:
    names = ["rooms", "year", "noise"]
    model = RandomForestClassifier(20, random_state=0).fit(FRAME[names].to_numpy(), DEAR)
    problem = proposal(model, SORTED, tmp_path)
    assert "compares its columns with are among theirs" in problem.message
    assert problem.repair is not None
    assert problem.repair.answers == {"features": ",".join(names)}


def test_a_linear_model_fits_the_target_with_its_columns(tmp_path: Path) -> None:
    names = ["area", "rooms", "distance"]
    model = LinearRegression().fit(FRAME[names].to_numpy(), PRICE)
    problem = proposal(model, SOLD, tmp_path)
    assert "its predictions are closest to price" in problem.message
    assert problem.repair is not None
    assert problem.repair.answers == {"features": ",".join(names)}


def test_without_evidence_it_is_called_a_guess(tmp_path: Path) -> None:
    other = pd.DataFrame(RANDOM.normal(-1e6, 1, (N, 3)))
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(other.to_numpy(), DEAR)
    problem = proposal(model, SORTED, tmp_path)
    assert "It is a guess" in problem.message
