"""Hand-coded preprocessing: recognised, proposed, accepted, and the answers stay the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import PYTHON, bake
from running import ask, make, served
from sklearn.linear_model import LogisticRegression

from model_service.contract.parsing import parse_rows
from model_service.contract.schema import parse_contract
from model_service.model.loading import load_model
from model_service.model.manifest import Manifest
from model_service.web.app import create_app
from workbench.adopt.answers import Answers
from workbench.adopt.csv.sample_rows import decoded_values
from workbench.adopt.decide import Adoption, decide
from workbench.adopt.problems import AnswerError
from workbench.adopt.write import write
from workbench.errors import UserError
from workbench.verify import prove

RANDOM = np.random.RandomState(0)
# As people say it, and as the author's app hands it to the model.
HUMAN = pd.DataFrame(
    {
        "Income": RANDOM.randint(1000, 9000, 200),
        "Area": RANDOM.choice(["Rural", "Semiurban", "Urban"], 200),
        "Married": RANDOM.choice(["no", "yes"], 200),
        "Gender": RANDOM.choice(["Male", "other"], 200),
    }
)
RAW = pd.get_dummies(HUMAN, columns=["Area"], drop_first=True, dtype=int).assign(
    Married=(HUMAN["Married"] == "yes").astype(int),
    Gender_Male=(HUMAN["Gender"] == "Male").astype(int),
)
RAW = RAW[["Income", "Married", "Area_Semiurban", "Area_Urban", "Gender_Male"]]
TARGET = ((HUMAN["Area"] == "Urban") ^ (HUMAN["Married"] == "yes")).astype(int)
AREA = {
    "name": "Area",
    "type": "category",
    "categories": ["Semiurban", "Urban", "other"],
    "one_hot": {"Semiurban": "Area_Semiurban", "Urban": "Area_Urban"},
}
GENDER = {
    "name": "Gender",
    "type": "category",
    "categories": ["Male", "other"],
    "one_hot": {"Male": "Gender_Male"},
}
MARRIED = {
    "name": "Married",
    "type": "category",
    "categories": ["no", "yes"],
    "encode": {"no": 0, "yes": 1},
}


def fitted(raw: pd.DataFrame = RAW, target: Any = TARGET) -> Any:
    return LogisticRegression(max_iter=5000).fit(raw / 1, target)


def decided(model: Any, folder: Path, sample: pd.DataFrame | None, **answers: str) -> Adoption:
    folder.mkdir(exist_ok=True)
    joblib.dump(model, folder / "model.joblib")
    if sample is not None:
        sample.to_csv(folder / "sample.csv", index=False)
        answers["sample_data"] = "sample.csv"
    options: dict[str, Any] = {"python_version": PYTHON, **answers}
    return decide(Answers("Name", "name", "About.", "model.joblib", folder, **options))


def proposed(adoption: Adoption) -> dict[str, Any]:
    """Return the features of the proposal by name; what is proposed must be a contract."""
    if adoption.proposed is None:
        assert not any("proposed" in note for note in adoption.notes)
        return {}
    document = adoption.proposed.document
    parse_contract(document)
    return {feature["name"]: feature for feature in document["features"]}


def test_columns_that_an_app_encodes_are_proposed_as_features(tmp_path: Path) -> None:
    adoption = decided(fitted(), tmp_path, RAW)
    assert [f.name for f in adoption.contract.features] == list(RAW.columns)
    assert not any(f.encoded for f in adoption.contract.features)
    (note,) = adoption.notes
    assert note == (
        "Area_Semiurban, Area_Urban look like the category Area; Gender_Male looks like the "
        "category Gender; Married is only 0 or 1. model/features.proposed.json describes "
        "them in people's words: check and edit it, then accept it with make adopt "
        "MODEL=model/model.joblib FEATURES=model/features.proposed.json ACCEPT=breaking"
    )
    features = proposed(adoption)
    assert list(features) == ["Income", "Married", "Area", "Gender"]
    assert features["Area"] == AREA
    assert features["Gender"] == GENDER
    assert features["Married"] == MARRIED
    income = HUMAN["Income"]
    assert features["Income"] == {
        "name": "Income",
        "type": "number",
        "minimum": income.min(),
        "maximum": income.max(),
    }


def frame(**columns: list[Any]) -> pd.DataFrame:
    rows = max(map(len, columns.values()))
    return pd.DataFrame({name: (cells * rows)[:rows] for name, cells in columns.items()})


A, B, NONE = [1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]
# (columns of the sample, one_hot by feature, the features that are yes or no)
GROUPS: dict[str, tuple[pd.DataFrame, dict[str, list[str]], list[str]]] = {
    "no base category": (frame(x_a=[1, 0], x_b=[0, 1]), {"x": ["a", "b"]}, []),
    "a base category": (frame(x_a=A, x_b=B), {"x": ["a", "b", "other"]}, []),
    "a category called Other": (
        frame(x_Other=A, x_b=B),
        {"x": ["Other", "b", "none of these"]},
        [],
    ),
    "booleans, as pandas makes them": (
        frame(x_a=[True, False, False], x_b=[False, True, False]),
        {"x": ["a", "b", "other"]},
        [],
    ),
    "floats": (frame(x_a=[1.0, 0, 0], x_b=[0, 1.0, 0]), {"x": ["a", "b", "other"]}, []),
    "odd separators": (
        frame(**{"e_ Not Graduate": A, "d=1": A, "d=3+": B, "n a.m. x": A, "n a.m. y": B}),
        {"e": ["Not Graduate", "other"], "d": ["1", "3+", "other"], "n a.m": ["x", "y", "other"]},
        [],
    ),
    "the longest name that all share": (
        frame(p_area_a=A, p_area_b=B, p_type_a=B, p_type_b=A, p_size=[3, 4, 5, 6]),
        {"p_area": ["a", "b", "other"], "p_type": ["a", "b", "other"]},
        [],
    ),
    "a rare category that the sample lacks": (
        frame(x_a=A, x_b=B, x_c=NONE),
        {"x": ["a", "b", "c", "other"]},
        [],
    ),
    "both in one row": (frame(x_a=[1, 1, 0], x_b=[0, 1, 1]), {}, ["x_a", "x_b"]),
    "more than two values": (frame(x_a=[0, 1, 2], x_b=[0, 1, 2]), {}, []),
    "a single column that is no category": (frame(Credit_History=A), {}, ["Credit_History"]),
    "questions of their own": (frame(has_car=A, has_house=B), {}, ["has_car", "has_house"]),
    "a name that is taken": (frame(x_a=A, x_b=B, x=[1, 2, 3, 4]), {}, ["x_a", "x_b"]),
    "always the same": (frame(a=[1, 1], b=[0, 0]), {}, []),
    "a flag that is missing": (frame(a=[1, 0, None, 1]), {}, ["a"]),
    "dummies that are missing": (frame(x_a=[1, 0, None, 0], x_b=B), {}, ["x_a", "x_b"]),
    "booleans stay booleans": (frame(a=[True, False]), {}, []),
}


@pytest.mark.parametrize("case", GROUPS)
def test_encoded_columns_are_recognised_in_a_sample(case: str, tmp_path: Path) -> None:
    sample, groups, flags = GROUPS[case]
    rest = np.arange(len(sample)) + 0.5
    data = sample.fillna(0).assign(rest=rest)
    model = LogisticRegression().fit(data, np.arange(len(data)) % 2)
    features = proposed(decided(model, tmp_path, sample.assign(rest=rest)))
    hot = {name: f["categories"] for name, f in features.items() if "one_hot" in f}
    assert hot == groups
    assert [name for name, f in features.items() if "encode" in f] == flags
    if features:
        columns = [c for f in features.values() for c in f.get("one_hot", {"": f["name"]}).values()]
        assert sorted(columns) == sorted(data.columns)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["Area_Semiurban", "Area_Urban", "Income"], {"Area": ["Semiurban", "Urban", "other"]}),
        (
            ["Dependents_1", "Dependents_2", "Dependents_3+"],
            {"Dependents": ["1", "2", "3+", "other"]},
        ),
        (["Gender_Male", "Income"], {"Gender": ["Male", "other"]}),
        (["Loan_Amount", "Loan_Term"], {}),
        (["Applicant_Male", "Applicant_Income"], {}),
        (["sepal length (cm)", "sepal width (cm)"], {}),
        (["x_1", "x_2"], {}),
        (["Credit_History", "Married"], {}),
    ],
)
def test_without_a_sample_only_unambiguous_names_are_recognised(
    names: list[str], found: dict[str, list[str]], tmp_path: Path
) -> None:
    data = pd.DataFrame(np.eye(len(names)), columns=names)
    features = proposed(
        decided(LogisticRegression().fit(data, [0] * (len(names) - 1) + [1]), tmp_path, None)
    )
    assert {n: f["categories"] for n, f in features.items() if "one_hot" in f} == found


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (["x_a", "x_b", "n"], ["x", "n"]),
        (["n", "x_b", "x_a"], ["n", "x"]),
        (["x_a", "n", "x_b"], ["x_a", "n", "x_b"]),
    ],
)
def test_only_neighbouring_columns_are_grouped_for_a_model_without_names(
    columns: list[str], names: list[str], tmp_path: Path
) -> None:
    data = frame(x_a=A, x_b=B, n=[3, 4, 5, 6])[columns]
    model = LogisticRegression().fit(data.to_numpy(), [0, 1, 0, 1])
    assert list(proposed(decided(model, tmp_path, data))) == names


def test_declared_columns_are_not_guessed(tmp_path: Path) -> None:
    declared = [{"name": name} for name in RAW]
    declared[1] |= {"categories": [0, 1]}  # type: ignore[dict-item]
    declared[2] |= {"type": "number"}
    declared[4] |= {"description": "Of the applicant."}
    (tmp_path / "features.json").write_text(json.dumps(declared))
    features = proposed(decided(fitted(), tmp_path, RAW, features="features.json"))
    assert features["Married"]["categories"] == [0, 1]
    assert "Area_Semiurban" in features
    assert features["Gender"] == GENDER


def test_the_command_repeats_the_trusted_names(tmp_path: Path) -> None:
    (note,) = decided(fitted(), tmp_path, RAW, trust="mylib.Scorer").notes
    assert note.endswith("ACCEPT=breaking TRUST=mylib.Scorer")


@pytest.mark.parametrize("trust", ["mylib.*", "__main__.train.<locals>.clean"])
def test_a_shell_does_not_expand_the_trusted_names(trust: str, tmp_path: Path) -> None:
    (note,) = decided(fitted(), tmp_path, RAW, trust=trust).notes
    assert note.endswith(f"ACCEPT=breaking TRUST='{trust}'")


def test_a_sample_of_peoples_values_makes_the_features(tmp_path: Path) -> None:
    """The author's data has Area, and the author's app makes Area_Semiurban of it."""
    native = fitted()
    adoption = decided(native, tmp_path, HUMAN)
    features = {feature.name: feature for feature in adoption.contract.features}
    assert list(features) == ["Income", "Married", "Area", "Gender"]
    assert features["Area"].categories == ("Rural", "Semiurban", "Urban")
    assert features["Area"].one_hot == AREA["one_hot"]
    assert features["Gender"].categories == ("Male", "other")
    assert features["Married"].encode == MARRIED["encode"]
    assert "Area_Semiurban, Area_Urban are made of Area; all of them are 0 for Rural." in (
        adoption.notes
    )
    project = tmp_path / "project"
    write(adoption, project)
    prove.prove(project)
    model = load_model(project / "model")
    batch = parse_rows(model.contract, HUMAN.to_dict("records"))
    assert not batch.problems
    served = [list(answer["probabilities"].values()) for answer in model.predict(batch)]
    assert served == native.predict_proba(RAW / 1).tolist()


def test_the_base_of_dummy_columns_is_asked_for_if_the_sample_has_more_categories(
    tmp_path: Path,
) -> None:
    sample = HUMAN.assign(Area=HUMAN["Area"].where(HUMAN.index > 9, "Coast"))
    with pytest.raises(AnswerError) as caught:
        decided(fitted(), tmp_path, sample)
    (problem,) = caught.value.found
    assert "no column Area_Semiurban, Area_Urban, but Area, of which" in problem.message
    assert problem.repair is not None
    document = problem.repair.features["features"]
    assert document[2]["categories"] == ["Coast", "Rural", "Semiurban", "Urban"]
    (tmp_path / "features.json").write_text(json.dumps(document))
    decided(fitted(), tmp_path, sample, features="features.json")


def test_a_model_with_other_columns_keeps_the_accepted_features(tmp_path: Path) -> None:
    (tmp_path / "features.json").write_text(json.dumps([{"name": "Income"}, MARRIED, AREA, GENDER]))
    joblib.dump(fitted(RAW.assign(Age=RAW["Income"] / 100)), tmp_path / "model.joblib")
    answers = Answers(
        *("Name", "name", "About.", "model.joblib", tmp_path),
        features="features.json",
        python_version=PYTHON,
        accept_other_features=True,
    )
    contract = decide(answers).contract
    assert [f.name for f in contract.features] == ["Income", "Married", "Area", "Gender", "Age"]
    assert [f.name for f in contract.features if f.encoded] == ["Married", "Area", "Gender"]
    joblib.dump(fitted(RAW.drop(columns="Area_Urban")), tmp_path / "model.joblib")
    contract = decide(answers).contract
    names = ["Income", "Married", "Area_Semiurban", "Gender"]
    assert [f.name for f in contract.features] == names


def test_a_sample_with_unrelated_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no column 'Area_Semiurban'"):
        decided(fitted(), tmp_path, HUMAN.assign(Area="Coast"))


CONTRACT = parse_contract(
    {
        "features": [
            {"name": "n"},
            {"name": "Size", "categories": [1, 2], "encode": {"1": 10, "2": 20}},
            {"name": "Area", "categories": ["R", "S", "NA"], "one_hot": {"S": "A_S", "NA": "A_N"}},
        ]
    }
)


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"n": "1", "Size": "10", "A_S": "0", "A_N": "1"}, {"Size": 1, "Area": "NA"}),
        ({"n": 1, "Size": 20.0, "A_S": 1, "A_N": 0}, {"Size": 2, "Area": "S"}),
        ({"Size": "2.0", "A_S": "False", "A_N": "False"}, {"Area": "R"}),
        ({"Size": 1, "A_S": True, "A_N": False}, {"Area": "S"}),
        ({"Size": "", "A_S": "", "A_N": None}, {"Area": None}),
        ({"Size": "30", "A_S": "1", "A_N": "1"}, {"Area": "S and NA"}),
        ({"Size": None, "A_S": "1"}, {}),
        ({"Size": "x", "Area": "R", "A_S": "1", "A_N": "0"}, {}),
    ],
)
def test_a_row_of_model_columns_is_decoded(row: dict[str, Any], found: dict[str, Any]) -> None:
    assert decoded_values(row, CONTRACT) == found


@pytest.mark.parametrize("form", ["raw", "human", "raw json", "human json", "previous"])
def test_an_accepted_proposal_predicts_the_same(form: str, tmp_path: Path) -> None:
    native = fitted()
    answers = native.predict(RAW).tolist()
    first = decided(native, tmp_path, RAW.assign(expected=answers))
    project = tmp_path / "project"
    write(first, project)
    accepted = {"features": str(project / "model" / "features.proposed.json")}
    human = HUMAN.replace({"Area": {"Rural": "other"}})
    data = (human if form.startswith("human") else RAW).assign(expected=answers)
    if form.endswith("json"):
        (tmp_path / "rows.json").write_text(json.dumps(data.to_dict("records")))
        accepted["sample_data"] = "rows.json"
    if form == "previous":
        prove.prove(project)
        answers_again = Answers(
            *("Name", "name", "About.", "model.joblib", tmp_path), python_version=PYTHON, **accepted
        )
        manifest = json.loads((project / "model" / "manifest.json").read_text())
        expected = json.loads((project / "model" / "expected.json").read_text())
        second = decide(answers_again, Manifest.from_json(manifest), expected)
    else:
        second = decided(native, tmp_path, None if form.endswith("json") else data, **accepted)
    write(second, project)
    assert not (project / "model" / "features.proposed.json").exists()
    assert [f.name for f in second.contract.features] == ["Income", "Married", "Area", "Gender"]
    examples = second.manifest.examples
    assert len(examples) >= 20  # of mixed values, each row once
    assert {row["Area"] for row in examples} == {"Semiurban", "Urban", "other"}
    assert {row["Married"] for row in examples} == {"no", "yes"}
    assert f"The model gives the {len(RAW)} answers that you expected" in prove.prove(project)

    client = create_app(load_model(project / "model")).test_client()
    rows = human.to_dict("records")
    answer = client.post("/predict", json={"rows": rows}).json
    assert answer is not None
    probabilities = [list(p["probabilities"].values()) for p in answer["predictions"]]
    assert probabilities == native.predict_proba(RAW / 1).tolist()
    wrong = client.post("/predict", json={**rows[0], "Area": "Coast"})
    assert "must be one of Semiurban, Urban, other" in wrong.text


@pytest.mark.slow
def test_a_proposal_is_accepted_in_the_project_and_verified(tmp_path: Path) -> None:
    native = fitted()
    joblib.dump(native, tmp_path / "loan.pkl")
    RAW.assign(expected=native.predict(RAW)).to_csv(tmp_path / "train.csv", index=False)
    result = bake(
        tmp_path / "out",
        model_path=tmp_path / "loan.pkl",
        sample_data=tmp_path / "train.csv",
        verify="true",
        python_version=PYTHON,
    )
    assert result.status == 0, result.errors
    assert f"The model gives the {len(RAW)} answers that you expected." in result.output
    command = next(line for line in result.output.splitlines() if "make adopt " in line)
    assert "only 0 or 1" in make(result.project, "adopt", "MODEL=model/model.pkl")
    output = make(result.project, "adopt", *command.split("make adopt ")[1].split())
    assert "feature Gender_Male is gone" in output
    assert "feature Married was a number and is a category" in output
    assert "proposed" not in make(result.project, "adopt", "MODEL=model/model.pkl")
    output = make(result.project, "verify")
    assert f"The model gives the {len(RAW)} answers that you expected." in output
    human = HUMAN.replace({"Area": {"Rural": "other"}}).head(50).to_dict("records")
    with served(result.project) as (_, port):
        status, answer = ask(port, "/predict", {"rows": human})
    assert status == 200, answer
    probabilities = [list(p["probabilities"].values()) for p in answer["predictions"]]
    expected = native.predict_proba(RAW.head(50) / 1)
    assert probabilities == [pytest.approx(row, rel=1e-12) for row in expected.tolist()]
