"""Columns that the ColumnTransformer of a model drops are no features, and may be sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import PYTHON, adopted, rows_of
from flask.testing import FlaskClient
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from werkzeug.test import EnvironBuilder

from model_service.contract.contract import ContractError
from model_service.contract.schema import parse_contract
from model_service.model.loading import load_model
from model_service.web.app import create_app
from workbench.adopt.answers import Answers
from workbench.adopt.decide import Adoption, decide
from workbench.inspect import inspect, read_document
from workbench.inspect.estimators.unused_columns import unused_columns
from workbench.verify.prove import prove

RANDOM = np.random.default_rng(0)
PASSENGERS = pd.DataFrame(
    {
        "PassengerId": range(1, 121),
        "Pclass": RANDOM.integers(1, 4, 120),
        "Name": [f"Passenger {number}" for number in range(120)],
        "Sex": RANDOM.choice(["female", "male"], 120),
        "Age": np.where(np.arange(120) % 9, RANDOM.integers(1, 80, 120), np.nan),
        "Ticket": [f"A/{7 * number}" for number in range(120)],
    }
)
SURVIVED = ((PASSENGERS["Sex"] == "female") ^ (PASSENGERS["Pclass"] == 3)).astype(int)
USED, UNUSED = ["Pclass", "Sex", "Age"], ["PassengerId", "Name", "Ticket"]


def columns(*more: tuple[str, str, list[str]]) -> ColumnTransformer:
    words = OneHotEncoder(handle_unknown="ignore")
    parts = [("numbers", SimpleImputer(), ["Age"]), ("words", words, ["Pclass", "Sex"])]
    return ColumnTransformer([*parts, *more])


def forest() -> RandomForestClassifier:
    return RandomForestClassifier(10, random_state=0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the model of a course and its CSV."""
    model = make_pipeline(columns(), forest()).fit(PASSENGERS, SURVIVED)
    joblib.dump(model, tmp_path / "model.pkl")
    PASSENGERS.assign(Survived=SURVIVED).to_csv(tmp_path / "titanic.csv", index=False)
    return tmp_path


def decided(folder: Path, **answers: str) -> Adoption:
    given = {"python_version": PYTHON, "sample_data": "titanic.csv", **answers}
    return decide(Answers("A", "a", "About.", "model.pkl", folder, **given))


def served(project: Path) -> FlaskClient:
    return create_app(load_model(project / "model")).test_client()


@pytest.mark.parametrize(
    ("model", "unused"),
    [
        (make_pipeline(columns(), forest()), UNUSED),
        (GridSearchCV(make_pipeline(columns(), forest()), {}, cv=2), UNUSED),
        (make_pipeline("passthrough", columns(), forest()), UNUSED),
        (make_pipeline(make_pipeline(columns()), forest()), UNUSED),
        (TransformedTargetRegressor(make_pipeline(columns(), Ridge())), UNUSED),
        (make_pipeline(columns(("not", "drop", ["Name", "Age"])), forest()), UNUSED),
        (
            make_pipeline(columns(("id", "passthrough", ["PassengerId"])), forest()),
            ["Name", "Ticket"],
        ),
        # Another member, or an earlier step, can look at a column that the first one drops.
        (VotingClassifier([("a", make_pipeline(columns(), forest()))]), []),
        (make_pipeline(FunctionTransformer(), columns(), forest()), []),
    ],
)
def test_what_a_model_drops_is_read_from_its_file(
    model: Any, unused: list[str], tmp_path: Path
) -> None:
    joblib.dump(model.fit(PASSENGERS, SURVIVED), tmp_path / "model.pkl")
    assert inspect(tmp_path / "model.pkl").unused == tuple(unused)


def test_a_search_that_holds_itself_has_an_end(tmp_path: Path) -> None:
    search = GridSearchCV(forest(), {})
    search.best_estimator_ = search
    joblib.dump(search, tmp_path / "model.pkl")
    assert unused_columns(read_document(tmp_path / "model.pkl").root) == ()


def test_nobody_is_asked_for_them(folder: Path) -> None:
    adoption = decided(folder)
    assert [feature.name for feature in adoption.contract.features] == USED
    assert list(adoption.contract.unused) == UNUSED
    assert adoption.manifest.columns == tuple(PASSENGERS)
    (note,) = [note for note in adoption.notes if "drops" in note]
    assert note.startswith("PassengerId, Name, Ticket: the model was given them in the training")


@pytest.mark.parametrize("proven", [False, True], ids=["unverified", "proven"])
def test_rows_with_and_without_them_get_the_answers_of_the_model(
    folder: Path, proven: bool
) -> None:
    project = adopted(folder, folder / "model.pkl", sample_data="titanic.csv")
    if proven:
        prove(project)
    client = served(project)
    expected = joblib.load(folder / "model.pkl").predict_proba(PASSENGERS)
    for names in ([*PASSENGERS], USED, [*reversed(USED), "Name"]):
        rows = rows_of(PASSENGERS[names])
        answers = client.post("/predict", json={"rows": rows}).json["predictions"]
        assert [list(a["probabilities"].values()) for a in answers] == expected.tolist()
        alone = client.post("/predict", json=rows[3]).json
        assert list(alone["probabilities"].values()) == expected[3].tolist()
        sent = PASSENGERS[names].to_csv(index=False)
        answer = client.post("/predict", data=sent, content_type="text/csv")
        found = answer.text.splitlines()
        assert [float(line.split(",")[-1]) for line in found[1:]] == expected[:, 1].tolist()
        assert found[0].startswith(",".join(names))


@pytest.mark.parametrize("proven", [False, True], ids=["unverified", "proven"])
def test_a_preprocessor_beside_the_model_drops_them_too(folder: Path, proven: bool) -> None:
    preprocessor = columns().fit(PASSENGERS)
    model = forest().fit(preprocessor.transform(PASSENGERS), SURVIVED)
    joblib.dump(preprocessor, folder / "preprocessor.pkl")
    joblib.dump(model, folder / "model.pkl")
    answers = {"sample_data": "titanic.csv", "transformers": "preprocessor.pkl"}
    project = adopted(folder, folder / "model.pkl", **answers)
    if proven:
        prove(project)
    client = served(project)
    features = client.get("/features").json
    assert ([f["name"] for f in features["features"]], features["unused"]) == (USED, UNUSED)
    expected = model.predict_proba(preprocessor.transform(PASSENGERS))
    for names in ([*PASSENGERS], USED):
        answers = client.post("/predict", json={"rows": rows_of(PASSENGERS[names])}).json
        found = [[*answer["probabilities"].values()] for answer in answers["predictions"]]
        assert found == expected.tolist()
    if proven:
        explained = client.post("/explain", json=rows_of(PASSENGERS)[0]).json["explanation"]
        assert {entry["feature"] for entry in explained["features"]} == {*USED}


def test_their_values_are_not_looked_at_and_other_names_are_refused(folder: Path) -> None:
    client = served(adopted(folder, folder / "model.pkl", sample_data="titanic.csv"))
    row = rows_of(PASSENGERS[USED])[0]
    plain = client.post("/predict", json=row).json
    for value in (None, -5, "x" * 1000, [1, {"a": 2}]):
        assert client.post("/predict", json={**row, "Ticket": value}).json == plain
    refused = client.post("/predict", json={**row, "Tickets": 1})
    assert (refused.status_code, refused.json["errors"][0]["feature"]) == (422, "Tickets")
    assert "Ticket" not in client.get("/", headers={"Accept": "text/html"}).text
    schema = client.get("/openapi.json").json["components"]["schemas"]["Row"]
    assert schema["required"] == USED
    assert list(schema["properties"]) == [*USED, *UNUSED]


def test_a_row_with_them_takes_the_fast_lane(folder: Path) -> None:
    project = adopted(folder, folder / "model.pkl", sample_data="titanic.csv")
    prove(project)
    app = create_app(load_model(project / "model"))

    def is_fast(row: dict[str, Any]) -> bool:
        builder = EnvironBuilder("/predict", method="POST", content_type="application/json")
        return app.answers_inline(builder.get_environ(), json.dumps(row).encode())

    row = rows_of(PASSENGERS)[0]
    assert is_fast(row)
    assert is_fast({name: row[name] for name in USED})
    assert not is_fast({**row, "Tickets": 1})
    assert not is_fast({name: row[name] for name in UNUSED})


def test_explanations_are_of_the_features(folder: Path) -> None:
    project = adopted(folder, folder / "model.pkl", sample_data="titanic.csv")
    prove(project)
    answer = served(project).post("/explain", json=rows_of(PASSENGERS)[0]).json
    assert {entry["feature"] for entry in answer["explanation"]["features"]} == {*USED}


def test_a_sample_may_lack_them(folder: Path) -> None:
    PASSENGERS[USED].to_csv(folder / "titanic.csv", index=False)
    assert [feature.name for feature in decided(folder).contract.features] == USED


def test_an_answer_that_names_one_makes_it_a_feature(folder: Path) -> None:
    contract = decided(folder, features="Pclass,Sex,Age,Ticket").contract
    assert list(contract.by_name) == [*USED, "Ticket"]
    assert contract.unused == ("PassengerId", "Name")


def test_the_columns_that_prepare_makes_are_not_left_out(folder: Path) -> None:
    (folder / "code.py").write_text("def prepare(frame):\n    return frame.assign(Ticket='')\n")
    adoption = decided(folder, model_code="code.py", features="PassengerId,Pclass,Name,Sex,Age")
    assert adoption.contract.unused == ()
    assert adoption.manifest.columns == tuple(PASSENGERS)


@pytest.mark.parametrize(
    ("unused", "words"),
    [
        ("Name", '"unused" must be a list of names, not "Name"'),
        (["Name", 1], '"unused" must be a list of names'),
        (["Age"], '"unused" names Age, which is a feature'),
        (["Name", "Name"], '"unused" names a column twice'),
    ],
)
def test_a_wrong_edit_is_refused(unused: Any, words: str) -> None:
    with pytest.raises(ContractError, match=words):
        parse_contract({"features": [{"name": "Age"}], "unused": unused})
