"""The names of a nameless model's features in the author's code beside it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import PYTHON
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from workbench.adopt.answers import Answers
from workbench.adopt.code.names_in_code import WrittenNames, names_in_code
from workbench.adopt.code.source_files import parse_source
from workbench.adopt.decide import Adoption, decide
from workbench.adopt.problems import AnswerError

NAMES = ("age", "income", "debt")
CODE: dict[str, tuple[str, tuple[str, ...] | None]] = {
    "variables": ("def f(age, income, debt):\n    model.predict([[age, income, debt]])", NAMES),
    "numbers of texts": ("model.predict(np.array([[float(age), int(income), debt]]))", NAMES),
    "fields of a form": (
        'model.predict([[form["age"], float(form.get("income")), data.debt]])',
        NAMES,
    ),
    "a list that becomes an array": (
        "rows = [age, income, debt]\nrow = np.asarray(rows)\nmodel.predict(row.reshape(1, -1))",
        NAMES,
    ),
    "variables that say nothing": (
        'a = form["age"]\nval2 = float(form["income"])\nn3 = form["debt"]\n'
        "model.predict([[a, val2, n3]])",
        NAMES,
    ),
    "columns of a frame": (
        'frame = pd.DataFrame([[a, b, c]], columns=["age", "income", "debt"])\n'
        "model.predict(frame)",
        NAMES,
    ),
    "keys of a frame": (
        'row = {"age": [a], "income": [b], "debt": [c]}\nmodel.predict(pd.DataFrame(row))',
        NAMES,
    ),
    "selected for the training": (
        'COLUMNS = ["age", "income", "debt"]\nX_train, X_test = split(df[COLUMNS].values)\n'
        "model.fit(X_train, y)",
        NAMES,
    ),
    "a list that is called so": ('feature_names = ["age", "income", "debt"]', NAMES),
    "a list of something else": ('class_names = ["age", "income", "debt"]', None),
    "a ranking": ('top_features = ["debt", "income", "age"]', None),
    "left out": ('model.fit(df.drop(["age", "income", "debt"], axis=1), y)', None),
    "fewer": ("model.predict([[age, income]])", None),
    "values": ("model.predict([[5.1, 3.5, 1.4]])", None),
    "two models": (
        "one.predict([[age, income, debt]])\nother.predict([[debt, income, age]])",
        None,
    ),
    "one twice": ("model.predict([[age, income, income]])", None),
}


def found_in(code: str, count: int = 3) -> WrittenNames | None:
    source = parse_source(code, Path("app.py"), PurePosixPath("app.py"))
    return names_in_code(count, [source])


@pytest.mark.parametrize("name", CODE)
def test_code_names_the_columns(name: str) -> None:
    code, names = CODE[name]
    found = found_in(code)
    assert (found.names if found is not None else None) == names


def test_what_is_scaled_before_is_told() -> None:
    code = "row = scaler.transform([[age, income, debt]])\nmodel.predict(row)"
    found = found_in(code)
    assert found is not None
    assert found.is_transformed
    assert not found_in("model.predict([[age, income, debt]])").is_transformed  # type: ignore[union-attr]


ROWS = np.random.RandomState(0).randint(0, 90, (200, 3)).astype(float)
CLASSES = (ROWS[:, 0] > ROWS[:, 1]).astype(int)
APP = "def f(age, income, debt):\n    return model.predict([[age, income, debt]])"


def save(folder: Path, code: str, **files: Any) -> None:
    for name, value in files.items():
        joblib.dump(value, folder / f"{name}.pkl")
    (folder / "app.py").write_text(code)


def adoption(folder: Path, **given: str) -> Adoption:
    given = {"model_path": "model.pkl", "python_version": PYTHON, **given}
    return decide(Answers("A", "a", "A", folder=folder, **given))  # type: ignore[arg-type]


def names_of(found: Adoption) -> tuple[str, ...]:
    return tuple(feature.name for feature in found.contract.features)


def asked_with_names(folder: Path) -> str:
    """Return what is asked about the names in the code, which the answer to paste has."""
    with pytest.raises(AnswerError) as caught:
        adoption(folder)
    (problem,) = caught.value.found
    assert problem.repair is not None
    assert problem.repair.answers == {"features": "age,income,debt"}
    return problem.message


def test_the_names_of_the_app_are_taken_unasked(tmp_path: Path) -> None:
    save(tmp_path, APP, model=DecisionTreeClassifier(random_state=0).fit(ROWS, CLASSES))
    found = adoption(tmp_path)
    assert names_of(found) == NAMES
    assert found.taken_answers == {"features": "age,income,debt"}
    (problem,) = found.taken
    assert "app.py (line 2) gives the model 3 columns, as many as it takes" in problem.message


LOAD = "model = joblib.load('models/{}.pkl')\n"


@pytest.mark.parametrize(
    ("loads", "certain"), [((), False), (("model",), True), (("model", "heart"), False)]
)
def test_the_code_can_be_about_another_model(
    loads: tuple[str, ...], certain: bool, tmp_path: Path
) -> None:
    """Two models take as many columns, and the app gives them to one of the two."""
    model = DecisionTreeClassifier(random_state=0).fit(ROWS, CLASSES)
    heart = DecisionTreeClassifier(random_state=0).fit(ROWS[:, ::-1], CLASSES)
    save(tmp_path, "".join(map(LOAD.format, loads)) + APP, model=model, heart=heart)
    if certain:
        assert adoption(tmp_path).taken_answers == {"features": "age,income,debt"}
        return
    assert "but another model beside it takes as many" in asked_with_names(tmp_path)


def test_a_scaler_that_was_not_saved_is_asked_for(tmp_path: Path) -> None:
    """The app scales what it sends to the model, and no fitted scaler is there."""
    code = APP.replace("[[age, income, debt]]", "scaler.transform([[age, income, debt]])")
    scaler = StandardScaler().fit(ROWS)
    model = DecisionTreeClassifier(random_state=0).fit(scaler.transform(ROWS), CLASSES)
    save(tmp_path, code, model=model)
    with pytest.raises(AnswerError) as caught:
        adoption(tmp_path)
    assert "transforms them before that" in str(caught.value)
    save(tmp_path, code, model=model, scaler=scaler)
    found = adoption(tmp_path)
    assert names_of(found) == NAMES
    assert found.taken_answers == {"transformers": "scaler.pkl", "features": "age,income,debt"}


@pytest.mark.parametrize(
    ("columns", "code", "names"),
    [
        (("debt", "income", "age"), APP, NAMES),  # the order of the code, not of the file
        (("Debt", "Income", "Age"), APP, ("Age", "Income", "Debt")),  # as the sample spells them
        (("debts", "income", "age"), APP, ("debts", "income", "age")),
        (("debt", "age", "rent", "income"), APP, NAMES),
        (("Debt", "Age", "Rent", "Income"), APP, ("Age", "Income", "Debt")),
        (("debt", "income", "age"), "feature_list = ['age', 'income', 'debt']", None),
    ],
)
def test_with_a_sample_only_another_choice_or_order_counts(
    columns: tuple[str, ...], code: str, names: tuple[str, ...] | None, tmp_path: Path
) -> None:
    rows = pd.DataFrame(np.random.RandomState(1).rand(50, len(columns)), columns=columns)
    rows.to_csv(tmp_path / "train.csv", index=False)
    save(tmp_path, code, model=DecisionTreeClassifier(random_state=0).fit(ROWS / 90, CLASSES))
    assert names_of(adoption(tmp_path, sample_data="train.csv")) == (names or columns)


@pytest.mark.parametrize(
    "line",
    ["age = 2026 - int(age)", "age -= 18", "age = np.log(float(age))", "age = float(months / 12)"],
)
def test_what_the_code_computes_is_asked_for(line: str, tmp_path: Path) -> None:
    code = APP.replace("    return", f"    {line}\n    return")
    save(tmp_path, code, model=DecisionTreeClassifier(random_state=0).fit(ROWS, CLASSES))
    message = asked_with_names(tmp_path)
    assert "and computes age before that. If callers send what it computes" in message


def test_callers_send_what_the_code_names_and_the_sample_lacks(tmp_path: Path) -> None:
    """The sample spells the others differently."""
    save(tmp_path, APP, model=DecisionTreeClassifier(random_state=0).fit(ROWS, CLASSES))
    people = pd.DataFrame(ROWS[:, :2], columns=["Age", "Income"])
    people.assign(Id=range(200), town="York").to_csv(tmp_path / "people.csv", index=False)
    found = adoption(tmp_path, sample_data="people.csv")
    assert names_of(found) == ("Age", "Income", "debt")
    assert found.contract.by_name["Age"].maximum == 89
    assert "The model takes debt, which is not in people.csv" in found.taken[1].message
