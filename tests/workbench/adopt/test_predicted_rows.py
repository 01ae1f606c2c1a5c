"""Names of the columns in the author's code, for a model that was fitted on an array."""

from __future__ import annotations

import json
from pathlib import Path

import joblib
import numpy as np
import pytest
from conftest import PYTHON
from sklearn.linear_model import LinearRegression

from workbench.adopt.answers import Answers
from workbench.adopt.decide import Adoption, decide
from workbench.adopt.problems import AnswerError, Problem

ROWS = np.arange(30.0).reshape(10, 3)
NAMES = ["age", "income", "kids"]
# The code, and the names in it; None if it has none.
CODE: dict[str, tuple[str, list[str] | None]] = {
    "a list": ("model.predict([[age, income, kids]])", NAMES),
    "casts": ("model.predict([[float(age), int(income), float(kids)]])", NAMES),
    "an array": ("model.predict(np.array([age, income, kids]).reshape(1, -1))", NAMES),
    "a variable": ("row = [age, income, kids]\nmodel.predict([np.array(row)])", NAMES),
    "a scaler": (
        "rows = scaler.transform([[age, income, kids]])\nmodel.predict_proba(rows)",
        NAMES,
    ),
    "a form": (
        "model.predict([[form['age'], float(request.form['income']), data.get('kids')]])",
        NAMES,
    ),
    "a schema": ("model.predict([[person.age, person.income, form.kids.data]])", NAMES),
    "the same twice": ("model.predict([[age, income, kids]])\n" * 2, NAMES),
    "another order": (
        "model.predict([[age, income, kids]])\nmodel.predict([[kids, income, age]])",
        None,
    ),
    "another model": ("model.predict([[age, income]])", None),
    "a number": ("model.predict([[age, income, 1]])", None),
    "a name twice": ("model.predict([[age, age, kids]])", None),
    "a frame": ("model.predict(frame)", None),
    "itself": ("rows = rows[NAMES]\nmodel.predict(rows)", None),
}


def decided(folder: Path, code: str, **answers: str) -> Adoption:
    joblib.dump(LinearRegression().fit(ROWS, ROWS[:, 0]), folder / "model.pkl")
    (folder / "app.py").write_text(code)
    given = {"model_path": "model.pkl", "python_version": PYTHON, **answers}
    return decide(Answers("A", "a", "A", folder=folder, **given))


def refused(folder: Path, code: str, **answers: str) -> Problem:
    with pytest.raises(AnswerError) as caught:
        decided(folder, code, **answers)
    return caught.value.found[0]


@pytest.mark.parametrize(("code", "names"), CODE.values(), ids=CODE)
def test_the_names_are_those_that_the_app_predicts_with(
    code: str, names: list[str] | None, tmp_path: Path
) -> None:
    if names is None:
        assert "their names are not in the file" in refused(tmp_path, code).message
        return
    adoption = decided(tmp_path, code)
    assert list(adoption.contract.by_name) == names
    (problem,) = adoption.taken
    assert "app.py predicts with age, income, kids in this order" in problem.message
    assert problem.repair is not None
    ((_, undone),) = problem.repair.otherwise
    assert undone == {"features": "feature_1,feature_2,feature_3"}


@pytest.mark.parametrize(
    "line", ["age = 2026 - age", "age -= 18", "age = np.log(float(form['age']))"]
)
def test_what_the_app_computes_is_asked_for(line: str, tmp_path: Path) -> None:
    code = f"age = form['age']\n{line}\nmodel.predict([[age, income, kids]])"
    problem = refused(tmp_path, code)
    assert "It computes age before: callers send what it computes" in problem.message
    assert problem.repair is not None
    assert problem.repair.answers == {"features": "age,income,kids"}


def test_a_notebook_counts_if_no_app_predicts(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "source": ["model.predict([[a, b, c]])"]}
    (tmp_path / "train.ipynb").write_text(json.dumps({"cells": [cell]}))
    assert list(decided(tmp_path, "print(1)").contract.by_name) == ["a", "b", "c"]
    assert list(decided(tmp_path, CODE["a list"][0]).contract.by_name) == NAMES


def test_the_columns_of_the_sample_are_those_that_the_app_names(tmp_path: Path) -> None:
    header, rows = "Id,Kids,Income,Age,town", "1,0,10,20,York\n2,1,30,40,Hull\n"
    (tmp_path / "people.csv").write_text(f"{header}\n{rows}")
    adoption = decided(tmp_path, CODE["a list"][0], sample_data="people.csv")
    assert list(adoption.contract.by_name) == NAMES
    assert adoption.contract.by_name["age"].maximum == 40


def test_a_sample_that_lacks_what_the_app_names_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(
        "Id,Income,Age,town,street\n1,10,20,York,a\n2,3,4,Hull,b\n"
    )
    problem = refused(tmp_path, CODE["a list"][0], sample_data="people.csv")
    assert "people.csv has no kids, so it is not the sample." in problem.message
    assert problem.repair is not None
    assert problem.repair.answers == {"features": "age,income,kids", "sample_data": ""}
