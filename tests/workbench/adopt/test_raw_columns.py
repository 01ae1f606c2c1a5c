"""The columns of a sample and those of the model: targets, indexes, texts, dummies, codes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import PYTHON
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from workbench.adopt.answers import Answers
from workbench.adopt.decide import Adoption, decide
from workbench.adopt.problems import AnswerError, Problem

RANDOM = np.random.RandomState(0)
N = 120
X = pd.DataFrame({"a": RANDOM.randint(0, 9, N), "b": RANDOM.uniform(0, 9, N)})
FLAG = np.arange(N) % 2
WORDS = np.where(FLAG, "yes", "no")


def decided(model: Any, sample: pd.DataFrame, folder: Path, **answers: str) -> Adoption:
    joblib.dump(model, folder / "model.joblib")
    sample.to_csv(folder / "sample.csv", index=False)
    options = {"sample_data": "sample.csv", "python_version": PYTHON, **answers}
    return decide(Answers("Name", "name", "About.", "model.joblib", folder, **options))


def refused(model: Any, sample: pd.DataFrame, folder: Path, **answers: str) -> list[Problem]:
    with pytest.raises(AnswerError) as caught:
        decided(model, sample, folder, **answers)
    return list(caught.value.found)


def classifier(target: Any) -> Any:
    return LogisticRegression(max_iter=500).fit(X.to_numpy(), target)


REGRESSION = LinearRegression().fit(X.to_numpy(), X.b)
# (the model, more columns of the sample, the features, or None if it is refused)
TARGETS: dict[str, tuple[Any, dict[str, Any], list[str] | None]] = {
    "its values are the classes": (classifier(WORDS), {"left": WORDS}, ["a", "b"]),
    "labels of codes": (classifier(FLAG), {"Churn": WORDS}, ["a", "b"]),
    "a usual name": (REGRESSION, {"price": X.b}, ["a", "b"]),
    "a name of a target": (REGRESSION, {"target": X.b}, ["a", "b"]),
    "an index and a target": (
        classifier(FLAG),
        {"Unnamed: 0": range(N), "y": FLAG},
        ["a", "b"],
    ),
    "one of two, by its name": (classifier(FLAG), {"flag": FLAG, "target": FLAG}, None),
    "two of the same values": (classifier(FLAG), {"p": FLAG, "q": FLAG}, None),
    "a number that can be anything": (REGRESSION, {"weight": X.b}, None),
    "a class with other values": (classifier(FLAG), {"class": ["x", "y", "z"] * 40}, None),
}


@pytest.mark.parametrize("case", TARGETS)
def test_the_target_of_a_model_without_names(case: str, tmp_path: Path) -> None:
    model, more, features = TARGETS[case]
    sample = X.assign(**more)
    if features is None:
        refused(model, sample, tmp_path)
    else:
        contract = decided(model, sample, tmp_path).contract
        assert [feature.name for feature in contract.features] == features


def test_a_target_in_the_place_of_a_feature_is_refused(tmp_path: Path) -> None:
    """The sample has as many columns as the model takes, but one of them is the target."""
    (problem,) = refused(classifier(FLAG), X[["a"]].assign(target=FLAG), tmp_path)
    assert "takes 2 features, and 1 are named" in problem.message


def test_a_likely_target_is_proposed(tmp_path: Path) -> None:
    (problem,) = refused(REGRESSION, X.assign(weight=X.b), tmp_path)
    assert problem.repair is not None
    assert problem.repair.answers == {"features": "a,b"}


RAW = pd.DataFrame(
    {
        "size": RANDOM.randint(1, 9, N),
        "town": RANDOM.choice(["Bonn", "Köln", "Ulm"], N),
        "floor": RANDOM.choice([1, 2], N),
        "lift": RANDOM.choice([True, False], N),
    }
)
MADE = {
    "all": pd.get_dummies(RAW, columns=["town"]),
    "drop_first": pd.get_dummies(RAW, columns=["town"], drop_first=True),
    "no prefix": RAW[["size"]].join(pd.get_dummies(RAW.town, drop_first=True)),
    "another prefix": RAW[["size"]].join(pd.get_dummies(RAW.town, prefix="is")),
    "another separator": pd.get_dummies(RAW, columns=["town"], prefix_sep="="),
    "a number": pd.get_dummies(RAW, columns=["town", "floor"], drop_first=True),
    "a boolean": pd.get_dummies(RAW, columns=["town", "lift"]),
}


@pytest.mark.parametrize("case", MADE)
def test_dummy_columns_are_made_of_the_samples_columns(case: str, tmp_path: Path) -> None:
    frame = MADE[case]
    model = RandomForestClassifier(2, random_state=0).fit(frame, FLAG)
    contract = decided(model, RAW.assign(target=FLAG), tmp_path).contract
    assert {feature.name for feature in contract.features} <= set(RAW)
    columns = [column for feature in contract.features for column in feature_columns(feature)]
    assert sorted(columns) == sorted(frame.columns)
    (town,) = (feature for feature in contract.features if feature.name == "town")
    assert town.categories == ("Bonn", "Köln", "Ulm")


def feature_columns(feature: Any) -> list[str]:
    return list(feature.one_hot.values()) if feature.one_hot else [feature.name]


def test_dummies_of_a_wide_column(tmp_path: Path) -> None:
    names = [f"name {number}" for number in range(N)]
    raw = RAW[["size"]].assign(name=names)
    frame = pd.get_dummies(raw, drop_first=True)
    adoption = decided(RandomForestClassifier(2).fit(frame, FLAG), raw, tmp_path)
    feature = adoption.contract.by_name["name"]
    assert len(feature.one_hot or ()) == N - 1
    assert feature.categories == tuple(sorted(names))
    (note,) = (note for note in adoption.notes if "are made of name" in note)
    assert note.endswith("… (119 in all) are made of name; all of them are 0 for name 0.")


def test_many_usual_columns_get_one_note(tmp_path: Path) -> None:
    raw = pd.DataFrame({f"kind{number}": ["a", "b", "c"] * (N // 3) for number in range(6)})
    frame = pd.get_dummies(raw, drop_first=True)
    adoption = decided(RandomForestClassifier(2).fit(frame, FLAG[: len(frame)]), raw, tmp_path)
    made = [note for note in adoption.notes if "made of" in note]
    assert made == [
        "12 columns of the model are made of kind0, kind1, kind2, kind3, kind4, … (6 in all)."
    ]


def test_categories_that_the_training_did_not_have_are_refused(tmp_path: Path) -> None:
    frame = pd.get_dummies(RAW, columns=["town"])
    sample = RAW.assign(town=["Aachen", "Trier", *RAW.town[2:]])
    model = RandomForestClassifier(2).fit(frame, FLAG)
    problems = refused(model, sample, tmp_path)
    assert "of which the model's columns are made" in problems[0].message


def test_dummies_without_a_prefix_are_proposed_in_another_spelling_too(tmp_path: Path) -> None:
    """As the app of a course does: rare towns have no column, and the names are in small letters.

    " Ulm" is another spelling of Ulm, and one column cannot stand for both.
    """
    towns = ["Bonn", "Köln", "Ulm", " Ulm", "Aachen", "Trier"] * 20
    raw = pd.DataFrame({"size": RANDOM.randint(1, 9, N), "town": towns})
    frame = raw[["size"]].assign(
        bonn=raw.town == "Bonn", ulm=raw.town.str.strip() == "Ulm", rooms=2
    )
    problems = refused(RandomForestClassifier(2).fit(frame, FLAG), raw, tmp_path)
    assert problems[0].message == "sample.csv has no column 'rooms'"
    assert "bonn, ulm are made of town there, and all are 0 for Aachen" in problems[1].message
    repair = problems[1].repair
    assert repair is not None
    assert repair.answers == {"sample_data": ""}
    size, town, rooms = repair.features["features"]
    assert town["categories"] == ["Aachen", "Bonn", "Köln", "Trier", "Ulm"]
    assert town["one_hot"] == {"Bonn": "bonn", "Ulm": "ulm"}
    assert size["maximum"] == raw["size"].max()
    assert rooms == {"name": "rooms"}


def test_a_list_beside_the_model_can_name_dummies_of_the_sample(tmp_path: Path) -> None:
    frame = RAW[["size"]].join(pd.get_dummies(RAW.town, dtype=float))
    (tmp_path / "columns.json").write_text(json.dumps([*frame.columns[:-1].str.lower(), "Ulm"]))
    model = LinearRegression().fit(frame.to_numpy(), X.b)
    (problem,) = refused(model, RAW[["size", "town"]].assign(price=X.b), tmp_path)
    assert problem.repair is not None
    assert problem.repair.answers == {"features": "columns.json"}
    adopted = decided(
        model, RAW[["size", "town"]].assign(price=X.b), tmp_path, features="columns.json"
    )
    assert list(adopted.contract.by_name) == ["size", "town"]


def test_two_columns_of_the_same_values_are_not_certain(tmp_path: Path) -> None:
    frame = RAW[["size"]].join(pd.get_dummies(RAW.town))
    model = RandomForestClassifier(2).fit(frame, FLAG)
    problems = refused(model, RAW.assign(other=RAW.town[::-1].to_numpy()), tmp_path)
    assert "no column 'Bonn'" in problems[0].message


def test_yes_and_no_are_codes_and_other_texts_are_asked_for(tmp_path: Path) -> None:
    raw = RAW[["size", "town"]].assign(garden=np.where(FLAG, "Yes", "No"))
    frame = raw.assign(town=raw.town.astype("category").cat.codes, garden=FLAG)
    model = RandomForestClassifier(2).fit(frame, FLAG)
    (problem,) = refused(model, raw, tmp_path)
    assert "town of sample.csv is text" in problem.message
    assert "town: Bonn is 0, Köln is 1, Ulm is 2" in problem.message
    assert problem.repair is not None
    _, town, garden = problem.repair.features["features"]
    assert town["encode"] == {"Bonn": 0, "Köln": 1, "Ulm": 2}
    assert garden["encode"] == {"No": 0, "Yes": 1}
    adoption = decided(model, raw.assign(town=frame.town), tmp_path)
    assert adoption.contract.by_name["garden"].encode == {"No": 0, "Yes": 1}
    assert "garden is a number to the model: No is 0 and Yes is 1." in adoption.notes


def test_a_prepare_that_cannot_be_cut_out_of_a_script_is_no_answer(tmp_path: Path) -> None:
    """The script changes FACTORS where it runs, so its definitions alone are not the same."""
    (tmp_path / "app.py").write_text(
        "FACTORS = []\nFACTORS.append(2)\ndef prepare(frame):\n    return frame * FACTORS[0]\n"
    )
    frame = X.assign(c=X.b / 2)
    with pytest.raises(AnswerError) as caught:
        decided(RandomForestClassifier(2).fit(frame, FLAG), X, tmp_path)
    message, asked = caught.value.found
    assert message.message == "sample.csv has no column 'c'"
    assert asked.repair is not None
    assert [entry["name"] for entry in asked.repair.features["features"]] == ["a", "b", "c"]


IS_YES = "def is_yes(frame):\n    return (frame == 'Yes').astype(int)\n"
# (function of the step, what the model gets for No and Yes)
FUNCTIONS: list[tuple[str, dict[str, int] | None]] = [
    ("is_yes", None),  # it takes the texts
    ("log1p", {"No": 0, "Yes": 1}),  # a text would be an error
]


@pytest.mark.parametrize(("function", "encode"), FUNCTIONS)
def test_texts_reach_a_function_that_can_take_them(
    function: str, encode: dict[str, int] | None, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(IS_YES)
    own: dict[str, Any] = {"__name__": "__main__"}
    exec(IS_YES, own)
    vars(sys.modules["__main__"])["is_yes"] = own["is_yes"]
    raw = pd.DataFrame({"age": X.a, "smoker": np.where(FLAG, "Yes", "No")})
    frame = raw if encode is None else raw.assign(smoker=FLAG)
    steps = [
        ("n", StandardScaler(), ["age"]),
        ("c", FunctionTransformer(own.get(function, np.log1p)), ["smoker"]),
    ]
    model = make_pipeline(ColumnTransformer(steps), LogisticRegression()).fit(frame, FLAG)
    answers = {} if encode else {"model_code": "app.py", "trust": "is_yes"}
    smoker = decided(model, raw, tmp_path, **answers).contract.by_name["smoker"]
    assert smoker.encode == encode
    assert smoker.categories == ("No", "Yes")


TEXTS = ["good food here", "bad food there"] * 60
# (columns of the sample, the feature, or None if it is refused)
TEXT_COLUMNS: list[tuple[dict[str, Any], str | None]] = [
    ({"message": TEXTS}, "message"),
    ({"v1": WORDS, "v2": TEXTS}, "v2"),
    ({"text": TEXTS, "title": TEXTS}, "text"),
    ({"review": TEXTS, "user": [f"u{n}" for n in range(N)]}, "review"),
    ({"title": TEXTS, "body": TEXTS}, None),
]


@pytest.mark.parametrize(("columns", "feature"), TEXT_COLUMNS)
def test_the_column_of_a_text_model(
    columns: dict[str, Any], feature: str | None, tmp_path: Path
) -> None:
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(TEXTS, WORDS)
    if feature is None:
        (problem,) = refused(model, pd.DataFrame(columns), tmp_path)
        assert problem.repair is not None
        assert problem.repair.answers == {"features": "title"}
    else:
        contract = decided(model, pd.DataFrame(columns), tmp_path).contract
        assert [one.name for one in contract.features] == [feature]
    (wrong,) = refused(model, pd.DataFrame({"message": TEXTS}), tmp_path, features="mesage")
    assert "has no column 'mesage'; its columns of text are message" in wrong.message


def test_a_column_of_numbers_with_a_few_texts_is_refused(tmp_path: Path) -> None:
    """Whatever is behind the function of the Pipeline, it may want the texts."""
    model = make_pipeline(FunctionTransformer(np.abs), LinearRegression()).fit(X, X.b)
    sample = X.assign(b=["twelve", *map(str, X.b[1:])])
    (problem,) = refused(model, sample, tmp_path)
    assert "has 119 numbers and 1 other cells, the first of them 'twelve'" in problem.message
    assert problem.repair is not None
    assert problem.repair.answers == {"sample_data": ""}
    features = problem.repair.features["features"]
    assert [entry["type"] for entry in features] == ["number"] * len(X.columns)


# (the cells of column b, whether it is certain that they are numbers to the model)
WRITTEN = [
    (["twelve", *map(str, X.b[1:])], True),
    ([f"{value * 1000:,.0f} kms" for value in X.b], True),
    (
        [f"{value:.0f} {'BHK' if number % 2 else 'Bedroom'}" for number, value in enumerate(X.b)],
        False,
    ),
    (["low", "high"] * (N // 2), False),
]


@pytest.mark.parametrize(("cells", "is_certain"), WRITTEN)
@pytest.mark.parametrize("is_pipeline", [False, True])
def test_numbers_that_are_written_as_texts_are_numbers_to_the_model(
    cells: list[str], is_certain: bool, is_pipeline: bool, tmp_path: Path
) -> None:
    model: Any = LinearRegression()
    frame = X
    if is_pipeline:
        frame = X.assign(word=WORDS)
        encoder = ("words", OneHotEncoder(), ["word"])
        model = make_pipeline(ColumnTransformer([encoder], remainder="passthrough"), model)
    model, sample = model.fit(frame, X.b), frame.assign(b=cells)
    if not is_certain:
        (problem,) = refused(model, sample, tmp_path)
        assert "in alphabetical order" in problem.message
        return
    adoption = decided(model, sample, tmp_path)
    assert adoption.contract.by_name["b"].type == "number"
    assert adoption.contract.by_name["a"].maximum == X.a.max()
    (taken,) = adoption.taken
    assert f"The model takes numbers for b, and sample.csv has texts there: b ({cells[0]!r})" in (
        taken.message
    )
    assert adoption.kept_sample is None


def test_callers_send_a_column_that_only_the_model_names(tmp_path: Path) -> None:
    model = LinearRegression().fit(X.assign(years=FLAG), X.b)
    adoption = decided(model, X.assign(Year=2000 + FLAG), tmp_path)
    assert list(adoption.contract.by_name) == ["a", "b", "years"]
    assert adoption.contract.by_name["a"].maximum == X.a.max()
    (taken,) = adoption.taken
    assert "The model takes years, which is not in sample.csv. So callers send it" in taken.message


def test_a_column_that_is_absent_is_asked_for_beside_scaled_ones(tmp_path: Path) -> None:
    """The model compares a with values that the sample does not have."""
    model = RandomForestRegressor(5, random_state=0).fit(X.assign(a=X.a + 50, years=FLAG), X.b)
    problems = refused(model, X, tmp_path)
    assert "has no column 'years'" in problems[0].message


def test_a_column_is_made_of_no_value_that_only_happens_to_end_its_name(tmp_path: Path) -> None:
    """fuel.Other and eng.Other are of no colour."""
    fuel = np.where(FLAG, "Diesel", "Petrol")
    made = {"fuel.Diesel": FLAG, "fuel.Petrol": 1 - FLAG, "fuel.Other": 0, "eng.Other": 0}
    model = LinearRegression().fit(X.assign(**made), X.b)
    colours = [["Red", "Other", "Blue"][number % 3] for number in range(N)]
    sample = X.assign(**{"fuel type": fuel, "colour": colours})
    contract = decided(model, sample, tmp_path).contract
    assert list(contract.by_name) == ["a", "b", "fuel type", "fuel.Other", "eng.Other"]


def test_a_column_of_few_numbers_and_a_text_is_a_category(tmp_path: Path) -> None:
    sample = pd.DataFrame({"a": X.a, "children": ["3+"] * 6 + ["0", "1", "2"] * 38})
    model = make_pipeline(
        ColumnTransformer([("words", OneHotEncoder(), ["children"])], remainder="passthrough"),
        LinearRegression(),
    ).fit(sample, X.b)
    contract = decided(model, sample, tmp_path).contract
    assert contract.by_name["children"].categories == ("0", "1", "2", "3+")


def test_percentages_are_asked_for(tmp_path: Path) -> None:
    model = LinearRegression().fit(X, X.b)
    sample = X.assign(b=[f"{value:.2f}%" for value in X.b])
    (problem,) = refused(model, sample, tmp_path)
    assert "percentages" in problem.message
    assert problem.repair is not None
    assert problem.repair.features["features"][1] == {"name": "b", "unit": "%"}


def test_names_that_are_spelt_differently_are_the_models(tmp_path: Path) -> None:
    """The model was trained before the columns were renamed, or after."""
    frame = pd.DataFrame({"Fuel type": FLAG, "Mileage (km)": X.b, "a": X.a})
    sample = pd.DataFrame({"fuel_type": FLAG, "mileage_km": X.b, "a": X.a, "A_": X.a})
    adoption = decided(LogisticRegression().fit(frame, WORDS), sample, tmp_path)
    assert adoption.contract.by_name["Mileage (km)"].maximum == pytest.approx(X.b.max())
    assert "fuel_type is Fuel type, mileage_km is Mileage (km)." in " ".join(adoption.notes)
    assert adoption.kept_sample is not None
    assert adoption.kept_sample.splitlines()[0] == "Fuel type,Mileage (km),a"


def test_a_name_without_one_of_its_letters_is_the_models(tmp_path: Path) -> None:
    frame = pd.DataFrame({"annual_income": X.b, "a": X.a, "height1": X.b})
    sample = pd.DataFrame({"Anual_Income": X.b, "a": X.a, "height1": X.b})
    model = LinearRegression()
    adoption = decided(model.fit(frame, X.b), sample, tmp_path)
    assert adoption.contract.by_name["annual_income"].maximum == pytest.approx(X.b.max())
    assert "spells differently: Anual_Income is annual_income." in " ".join(adoption.notes)
    sample = sample.rename(columns={"height1": "height12"})
    adoption = decided(model, sample, tmp_path)
    assert "The model takes height1, which is not in sample.csv" in adoption.taken[0].message


def test_a_name_that_two_columns_can_be_is_not_guessed(tmp_path: Path) -> None:
    frame = pd.DataFrame({"Fuel": FLAG, "a": X.a})
    sample = pd.DataFrame({"fuel": FLAG, "FUEL": FLAG, "a": X.a})
    problems = refused(LogisticRegression().fit(frame, WORDS), sample, tmp_path)
    assert "has no column 'Fuel'; did you mean" in problems[0].message


def test_numbers_are_proposed_where_as_many_as_the_model_takes(tmp_path: Path) -> None:
    """The text column was left out of the training; the last column is no target."""
    texts = [f"place {number % 9}" for number in range(N)]
    sample = pd.DataFrame({"area": texts}).join(X).assign(target=FLAG)
    (problem, *_) = refused(classifier(FLAG), sample, tmp_path)
    assert problem.repair is not None
    assert problem.repair.answers == {"features": "a,b"}
    adopted = decided(classifier(FLAG), sample, tmp_path, features="a,b")
    assert list(adopted.contract.by_name) == ["a", "b"]


def test_columns_that_the_app_computes_can_be_sent_by_callers(tmp_path: Path) -> None:
    frame = X.assign(ratio=X.a / (X.b + 1), kind=FLAG)
    sample = X.assign(kind=np.where(FLAG, "west", "east"), target=FLAG)
    model = LogisticRegression().fit(frame, FLAG)
    problems = refused(model, sample, tmp_path)
    messages = [problem.message for problem in problems]
    assert messages[0] == "sample.csv has no column 'ratio'"
    assert "If callers send ratio themselves, paste the last line" in messages[1]
    repair = problems[1].repair
    assert repair is not None
    assert repair.answers == {"sample_data": ""}
    (tmp_path / "proposed.json").write_text(json.dumps(repair.features))
    contract = decided(model, sample, tmp_path, sample_data="", features="proposed.json").contract
    assert list(contract.by_name) == ["a", "b", "ratio", "kind"]
    assert contract.by_name["kind"].encode == {"east": 0, "west": 1}
    assert contract.by_name["a"].maximum == X.a.max()
    assert contract.by_name["ratio"].type == "number"


def test_a_model_without_any_names_gets_numbered_ones(tmp_path: Path) -> None:
    (problem,) = refused(REGRESSION, X, tmp_path, sample_data="")
    assert problem.repair is not None
    assert problem.repair.features == {"features": [{"name": "feature_1"}, {"name": "feature_2"}]}


@pytest.mark.parametrize(
    ("sample", "target"),
    [
        (X.assign(price_lkr=X.b * 3), "price_lkr"),
        (X.assign(number=range(N)), None),  # an identifier
        (X.assign(c=X.b)[["a", "c", "b"]], None),  # between features, so it was one once
        (X.assign(c=X.b, d=X.b), None),
    ],
    ids=["the last", "identifier", "between", "two"],
)
def test_the_only_other_column_is_compared_with_the_predictions(
    sample: pd.DataFrame, target: str | None, tmp_path: Path
) -> None:
    kept = decided(LinearRegression().fit(X, X.b), sample, tmp_path).kept_sample
    assert kept is not None
    header = kept.splitlines()[0]
    assert header == ("a,b" if target is None else f"a,b,target: {target}")


@pytest.mark.parametrize(
    ("codes", "proposed"),
    [
        ({"No": 0, "No phone service": 0, "Yes": 1}, {"No": 0, "No phone service": 0, "Yes": 1}),
        ({"No": 0, "No phone service": 1, "Yes": 2}, {"No": 0, "No phone service": 1, "Yes": 2}),
    ],
    ids=["two", "three"],
)
def test_what_the_model_compares_with_tells_how_no_and_yes_were_coded(
    codes: dict[str, int], proposed: dict[str, int], tmp_path: Path
) -> None:
    lines = np.array(["No", "No phone service", "Yes"] * 40)
    frame = X.assign(lines=[codes[line] for line in lines])
    model = RandomForestClassifier(20, random_state=0).fit(frame, lines == "Yes")
    (problem,) = refused(model, X.assign(lines=lines), tmp_path)
    assert problem.repair is not None
    (feature,) = [f for f in problem.repair.features["features"] if f["name"] == "lines"]
    assert feature["encode"] == proposed
