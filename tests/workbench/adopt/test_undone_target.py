"""Code beside the model that takes the exponential of a prediction gets a note."""

from __future__ import annotations

from pathlib import Path

import joblib
import pytest
from conftest import PYTHON
from sklearn.linear_model import LinearRegression, LogisticRegression

from workbench.adopt.answers import Answers
from workbench.adopt.decide import decide

ROWS, NUMBERS, CLASSES = [[1.0], [2.0], [3.0]], [0.5, 1.0, 1.5], [0, 1, 1]


@pytest.mark.parametrize(
    ("code", "factor"),
    [
        ("price = pipe.predict(query)[0] * 1e5", "100000"),
        ("print(round(100 * model.predict(rows)[0][0], 2))", "100"),
        ("print(model.predict(rows * 100))", None),
        ("print(weight * 100)", None),
    ],
)
def test_another_unit_is_noticed(code: str, factor: str | None, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(code)
    joblib.dump(LinearRegression().fit(ROWS, NUMBERS), tmp_path / "numbers.pkl")
    given = {"model_path": "numbers.pkl", "features": "size", "python_version": PYTHON}
    notes = decide(Answers("A", "a", "A", folder=tmp_path, **given)).notes
    found = [note for note in notes if '"multiply"' in note]
    assert len(found) == (factor is not None)
    assert factor is None or f'"transform": {{"multiply": {factor}, "add": 0}}' in found[0]


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("print(int(np.exp(pipe.predict(query)[0])))", "exp"),
        ("log_price = model.predict(rows)\nprice = np.expm1(log_price)[0]", "expm1"),
        ("def price(row):\n    return math.exp(model.predict([row]))", "exp"),
        ("weights = np.exp(scores)\nprint(model.predict(rows))", None),
        ("probability = 1 / (1 + np.exp(-x))", None),
    ],
)
def test_the_inverse_of_a_logarithm_is_noticed(code: str, name: str | None, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(code)
    joblib.dump(LinearRegression().fit(ROWS, NUMBERS), tmp_path / "numbers.pkl")
    joblib.dump(LogisticRegression().fit(ROWS, CLASSES), tmp_path / "classes.pkl")
    found = {}
    for model in ("numbers", "classes"):
        given = {"model_path": f"{model}.pkl", "features": "size", "python_version": PYTHON}
        answers = Answers("A", "a", "A", folder=tmp_path, **given)
        found[model] = [note for note in decide(answers).notes if '"transform"' in note]
    assert found["classes"] == []
    assert len(found["numbers"]) == (name is not None)
    if name is not None:
        assert f'"transform": "{name}"' in found["numbers"][0]
