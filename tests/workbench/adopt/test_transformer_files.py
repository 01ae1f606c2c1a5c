"""Fitted files to apply before the model, and bundles: the service predicts what the app predicted.

Each scenario is a training script and the app that was written around its files.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import adopted, rows_of
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    LabelEncoder,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils import Bunch

from model_service.errors import ModelError
from model_service.model.loading import load_model
from model_service.web.app import create_app
from workbench.adopt import retrain as retrain_command
from workbench.adopt.answers import Answers
from workbench.adopt.decide import decide
from workbench.errors import UserError
from workbench.verify import prove

ROWS = 90
RANDOM = np.random.default_rng(3)
PEOPLE = pd.DataFrame(
    {
        "income": RANDOM.uniform(1000, 9000, ROWS).round(),
        "gender": RANDOM.choice(["Female", "Male"], ROWS),
        "age": RANDOM.integers(18, 80, ROWS).astype(float),
        "city": RANDOM.choice(["Bonn", "Kiel", "Ulm"], ROWS),
    }
)
NUMBERS = PEOPLE[["income", "age"]]
YES = (PEOPLE["income"] / 9000 + PEOPLE["age"] / 80 + (PEOPLE["city"] == "Ulm") > 1.2).astype(int)
WORDS = YES.map({0: "rejected", 1: "approved"})
TEXTS = pd.DataFrame(
    {"text": ["win money now", "see you at lunch", "free money", "the report"] * 9}
)
SPAM = [1, 0, 1, 0] * 9


@dataclass(frozen=True)
class Scenario:
    """The files of an author, the answers for them, and the predictions of the author's app."""

    files: dict[str, Any]
    data: pd.DataFrame
    predict: Callable[[pd.DataFrame], Any]
    answers: dict[str, str] = field(default_factory=dict)
    features: Any = None  # the features file
    model: str = "model.pkl"


def scaler_of_an_array() -> Scenario:
    scaler = StandardScaler().fit(NUMBERS.to_numpy())
    model = LogisticRegression().fit(scaler.transform(NUMBERS.to_numpy()), YES)
    return Scenario(
        {"model.pkl": model, "scaler.pkl": scaler},
        NUMBERS,
        lambda frame: model.predict(scaler.transform(frame.to_numpy())),
        {"transformers": "scaler.pkl", "features": "income,age"},
    )


def scaler_of_a_frame() -> Scenario:
    scaler = MinMaxScaler().fit(NUMBERS)
    model = LogisticRegression().fit(scaler.transform(NUMBERS), YES)
    return Scenario(
        {"model.pkl": model, "scaler.pkl": scaler},
        NUMBERS,
        lambda frame: model.predict(scaler.transform(frame)),
        {"transformers": "scaler.pkl"},
    )


def scaled_frame() -> Scenario:
    """The scaler saw an array and the model a frame: only the model knows the names."""
    scaler = StandardScaler().fit(NUMBERS.to_numpy())

    def scaled(frame: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(scaler.transform(frame.to_numpy()), columns=frame.columns)

    model = LogisticRegression().fit(scaled(NUMBERS), YES)
    return Scenario(
        {"model.pkl": model, "scaler.pkl": scaler},
        NUMBERS,
        lambda frame: model.predict(scaled(frame)),
        {"transformers": "scaler.pkl"},
    )


def scaler_of_some_columns() -> Scenario:
    """The scaler knows its two columns, of three that are not neighbours."""
    data = PEOPLE.assign(gender=(PEOPLE["gender"] == "Male").astype(float))
    data = data[["income", "gender", "age"]]
    scaler = StandardScaler().fit(data[["income", "age"]])

    def scaled(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.copy()
        frame[["income", "age"]] = scaler.transform(frame[["income", "age"]])
        return frame

    model = LogisticRegression().fit(scaled(data), YES)
    return Scenario(
        {"model.pkl": model, "scaler.pkl": scaler},
        data,
        lambda frame: model.predict(scaled(frame)),
        {"transformers": "scaler.pkl"},
    )


def scaler_of_named_columns() -> Scenario:
    """Neither file knows a name: the features file says which columns the scaler is for."""
    data = PEOPLE.assign(gender=(PEOPLE["gender"] == "Male").astype(float))
    data = data[["income", "gender", "age"]]
    scaler = StandardScaler().fit(data[["age", "income"]].to_numpy())

    def scaled(frame: pd.DataFrame) -> Any:
        made = scaler.transform(frame[["age", "income"]].to_numpy())
        return np.column_stack([made[:, 1], frame["gender"], made[:, 0]])

    model = LogisticRegression().fit(scaled(data), YES)
    return Scenario(
        {"model.pkl": model, "scaler.pkl": scaler},
        data,
        lambda frame: model.predict(scaled(frame)),
        {"transformers": "scaler.pkl"},
        {
            "features": [{"name": name} for name in data.columns],
            "transformers": [{"file": "scaler.pkl", "columns": ["age", "income"]}],
        },
    )


def dummies_by_name() -> Scenario:
    """The encoder's columns stand at the end; the model knows them by name."""
    encoder = OneHotEncoder(sparse_output=False).fit(PEOPLE[["gender", "city"]])

    def encoded(frame: pd.DataFrame) -> pd.DataFrame:
        made = encoder.transform(frame[["gender", "city"]])
        names = encoder.get_feature_names_out()
        return pd.concat([frame[["income", "age"]], pd.DataFrame(made, columns=names)], axis=1)

    model = RandomForestClassifier(10, random_state=0).fit(encoded(PEOPLE), WORDS)
    return Scenario(
        {"model.pkl": model, "encoder.pkl": encoder},
        PEOPLE,
        lambda frame: model.predict(encoded(frame.reset_index(drop=True))),
        {"transformers": "encoder.pkl"},
    )


def dummies_of_rare_and_missing() -> Scenario:
    """The encoder makes columns of what is no category of its own."""
    people = PEOPLE.assign(city=PEOPLE["city"].where(PEOPLE["age"] > 40, np.nan))
    people.loc[people.index[:3], "city"] = ["Aken", "Elm", "Perl"]
    encoder = OneHotEncoder(
        min_frequency=5, handle_unknown="infrequent_if_exist", sparse_output=False
    ).fit(people[["city"]])

    def encoded(frame: pd.DataFrame) -> pd.DataFrame:
        made = encoder.transform(frame[["city"]])
        names = encoder.get_feature_names_out()
        return pd.concat([frame[["income"]], pd.DataFrame(made, columns=names)], axis=1)

    model = RandomForestClassifier(10, random_state=0).fit(encoded(people), WORDS)
    return Scenario(
        {"model.pkl": model, "encoder.pkl": encoder},
        people[["income", "city"]],
        lambda frame: model.predict(encoded(frame.reset_index(drop=True))),
        {"transformers": "encoder.pkl"},
    )


def dummies_by_place() -> Scenario:
    """Nobody knows the names of the dummies: the features file says where they stand."""
    data = PEOPLE[["income", "city", "age"]]
    encoder = OneHotEncoder(drop="first").fit(data[["city"]])

    def encoded(frame: pd.DataFrame) -> Any:
        made = encoder.transform(frame[["city"]]).toarray()
        return np.column_stack([frame["income"], made, frame["age"]])

    model = Ridge().fit(encoded(data), PEOPLE["income"] + YES)
    return Scenario(
        {"model.pkl": model, "ohe.pkl": encoder},
        data,
        lambda frame: model.predict(encoded(frame)),
        {"transformers": "ohe.pkl"},
        {
            "features": [{"name": name} for name in data.columns],
            "transformers": [{"file": "ohe.pkl", "columns": ["city"]}],
        },
    )


def encoders_by_column() -> Scenario:
    """A dict of label encoders by column, as notebooks make it in a loop."""
    encoders = {name: LabelEncoder().fit(PEOPLE[name]) for name in ("gender", "city")}

    def encoded(frame: pd.DataFrame) -> pd.DataFrame:
        made = {name: encoder.transform(frame[name]) for name, encoder in encoders.items()}
        return frame.assign(**made)

    model = RandomForestClassifier(10, random_state=0).fit(encoded(PEOPLE), YES)
    return Scenario(
        {"model.pkl": model, "encoders.pkl": encoders},
        PEOPLE,
        lambda frame: model.predict(encoded(frame)),
        {"transformers": "encoders.pkl"},
    )


def encoders_then_scaler() -> Scenario:
    """Three files in the order of the app, the last one for all columns."""
    gender, city = LabelEncoder().fit(PEOPLE["gender"]), LabelEncoder().fit(PEOPLE["city"])

    def encoded(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(
            gender=gender.transform(frame["gender"]), city=city.transform(frame["city"])
        )

    scaler = StandardScaler().fit(encoded(PEOPLE))
    model = LogisticRegression().fit(scaler.transform(encoded(PEOPLE)), YES)
    return Scenario(
        {"model.pkl": model, "le_gender.pkl": gender, "le_city.pkl": city, "scaler.pkl": scaler},
        PEOPLE,
        lambda frame: model.predict(scaler.transform(encoded(frame))),
        {"transformers": "le_gender.pkl, le_city.pkl, scaler.pkl"},
    )


def encoder_called_after_its_column() -> Scenario:
    """It has two labels, as the model has two classes, but its name says whose they are."""
    encoder = LabelEncoder().fit(PEOPLE["gender"])
    data = PEOPLE[["gender", "income"]]

    def encoded(frame: pd.DataFrame) -> Any:
        return frame.assign(gender=encoder.transform(frame["gender"])).to_numpy()

    model = LogisticRegression(max_iter=1000).fit(encoded(data), YES)
    return Scenario(
        {"model.pkl": model, "le_gender.pkl": encoder},
        data,
        lambda frame: model.predict(encoded(frame)),
        {"transformers": "le_gender.pkl", "features": "gender,income"},
    )


def ordinal_encoder() -> Scenario:
    encoder = OrdinalEncoder().fit(PEOPLE[["gender", "city"]])

    def encoded(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.copy()
        frame[["gender", "city"]] = encoder.transform(frame[["gender", "city"]])
        return frame.astype(float)

    model = RandomForestClassifier(10, random_state=0).fit(encoded(PEOPLE), YES)
    return Scenario(
        {"model.pkl": model, "encoder.joblib": encoder},
        PEOPLE,
        lambda frame: model.predict(encoded(frame)),
        {"transformers": "encoder.joblib"},
    )


def codes_as_categories() -> Scenario:
    """The model takes as pandas categories what an encoder makes: its categories are the codes."""
    encoder = OrdinalEncoder(dtype=int).fit(PEOPLE[["city"]])
    codes = pd.CategoricalDtype([0, 1, 2])

    def encoded(frame: pd.DataFrame) -> pd.DataFrame:
        made = encoder.transform(frame[["city"]])[:, 0]
        return frame[["income", "city"]].assign(city=pd.Categorical(made, dtype=codes))

    model = HistGradientBoostingClassifier(max_iter=5).fit(encoded(PEOPLE), WORDS)
    return Scenario(
        {"model.pkl": model, "encoder.pkl": encoder},
        PEOPLE[["income", "city"]],
        lambda frame: model.predict(encoded(frame)),
        {"transformers": "encoder.pkl"},
    )


def imputer_scaler_components() -> Scenario:
    data = NUMBERS.assign(extra=RANDOM.normal(size=ROWS))
    data = data.mask(RANDOM.random(data.shape) < 0.1)
    imputer = SimpleImputer(strategy="median").fit(data)
    scaler = StandardScaler().fit(imputer.transform(data))
    components = PCA(2, random_state=0).fit(scaler.transform(imputer.transform(data)))

    def reduced(frame: pd.DataFrame) -> Any:
        return components.transform(scaler.transform(imputer.transform(frame)))

    model = LogisticRegression().fit(reduced(data), YES)
    return Scenario(
        {"model.pkl": model, "1.pkl": imputer, "2.pkl": scaler, "3.pkl": components},
        data,
        lambda frame: model.predict(reduced(frame)),
        {"transformers": "1.pkl,2.pkl,3.pkl"},
    )


def preprocessor() -> Scenario:
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["income", "age"]),
            ("words", OneHotEncoder(handle_unknown="ignore"), ["gender", "city"]),
        ]
    ).fit(PEOPLE)
    model = RandomForestClassifier(10, random_state=0).fit(columns.transform(PEOPLE), WORDS)
    return Scenario(
        {"model.pkl": model, "preprocessor.pkl": columns},
        PEOPLE,
        lambda frame: model.predict(columns.transform(frame)),
        {"transformers": "preprocessor.pkl"},
    )


def vectorizer() -> Scenario:
    words = TfidfVectorizer().fit(TEXTS["text"])
    model = MultinomialNB().fit(words.transform(TEXTS["text"]), SPAM)
    return Scenario(
        {"model.pkl": model, "vectorizer.pkl": words},
        TEXTS,
        lambda frame: model.predict(words.transform(frame["text"])),
        {"transformers": "vectorizer.pkl"},
    )


def bundle_of_three() -> Scenario:
    scaler = StandardScaler().fit(NUMBERS.to_numpy())
    model = LogisticRegression().fit(scaler.transform(NUMBERS.to_numpy()), YES)
    return Scenario(
        {"model.pkl": {"model": model, "scaler": scaler, "features": list(NUMBERS.columns)}},
        NUMBERS,
        lambda frame: model.predict(scaler.transform(frame.to_numpy())),
    )


def bundle_of_everything() -> Scenario:
    """The scaler comes first in the dict and last in the app."""
    encoders = {name: LabelEncoder().fit(PEOPLE[name]) for name in ("gender", "city")}

    def encoded(frame: pd.DataFrame) -> Any:
        made = {name: encoder.transform(frame[name]) for name, encoder in encoders.items()}
        return frame.assign(**made).to_numpy()

    scaler = StandardScaler().fit(encoded(PEOPLE))
    model = LogisticRegression().fit(scaler.transform(encoded(PEOPLE)), YES)
    whole = {
        "model": model,
        "scaler": scaler,
        "encoders": encoders,
        "feature_columns": list(PEOPLE.columns),
        "authors": ["Ada", "Grace", "Alan", "Edsger"],
        "threshold": 0.4,
    }
    return Scenario(
        {"model.pkl": whole}, PEOPLE, lambda frame: model.predict(scaler.transform(encoded(frame)))
    )


def pair() -> Scenario:
    model = Ridge().fit(NUMBERS.to_numpy(), PEOPLE["income"] + YES)
    return Scenario(
        {"model.pkl": (model, NUMBERS.columns)},
        NUMBERS,
        lambda frame: model.predict(frame.to_numpy()),
    )


def pipeline_and_its_step() -> Scenario:
    """The second member of the file is a step of the model, which applies it."""
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(NUMBERS, YES)
    files = {"scaler": model[0], "model": model}
    return Scenario({"model.pkl": files}, NUMBERS, model.predict)


def bunch() -> Scenario:
    model = Ridge().fit(NUMBERS, PEOPLE["income"] + YES)
    return Scenario(
        {"model.pkl": Bunch(model=model, metrics={"r2": 0.9}, note="best of 3")},
        NUMBERS,
        model.predict,
    )


def named_members() -> Scenario:
    """Two models and two transformers: the answers say which, and in which order."""
    scaler = StandardScaler().fit(NUMBERS)
    components = PCA(1, random_state=0).fit(scaler.transform(NUMBERS))
    model = LogisticRegression().fit(components.transform(scaler.transform(NUMBERS)), YES)
    files = {
        "models": {"best": model, "worst": LogisticRegression().fit([[0.0], [1.0]], [0, 1])},
        "pca": components,
        "scaler": scaler,
    }
    return Scenario(
        {"model.pkl": files},
        NUMBERS,
        lambda frame: model.predict(components.transform(scaler.transform(frame))),
        {"transformers": "model.pkl#scaler,model.pkl#pca"},
        model="model.pkl#models.best",
    )


SCENARIOS = [
    scaler_of_an_array,
    scaler_of_a_frame,
    scaled_frame,
    scaler_of_some_columns,
    scaler_of_named_columns,
    dummies_by_name,
    dummies_of_rare_and_missing,
    dummies_by_place,
    encoders_by_column,
    encoders_then_scaler,
    encoder_called_after_its_column,
    ordinal_encoder,
    codes_as_categories,
    imputer_scaler_components,
    preprocessor,
    vectorizer,
    bundle_of_three,
    bundle_of_everything,
    pair,
    pipeline_and_its_step,
    bunch,
    named_members,
]


def adopted_scenario(scenario: Scenario, folder: Path, *, sample: bool) -> Path:
    """Save the files of a scenario, adopt them and return the project."""
    for name, value in scenario.files.items():
        joblib.dump(value, folder / name)
    answers = dict(scenario.answers)
    if sample:
        scenario.data.to_csv(folder / "sample.csv", index=False)
        answers["sample_data"] = "sample.csv"
    if scenario.features is not None:
        (folder / "features.json").write_text(json.dumps(scenario.features))
        answers["features"] = "features.json"
    return adopted(folder, folder / scenario.model, **answers)


@pytest.mark.parametrize("proven", [False, True], ids=["unverified", "proven"])
@pytest.mark.parametrize("build", SCENARIOS)
def test_predictions_equal_those_of_the_authors_app(
    build: Callable[[], Scenario], proven: bool, tmp_path: Path
) -> None:
    scenario = build()
    project = adopted_scenario(scenario, tmp_path, sample=True)
    if proven:
        prove.prove(project)
    client = create_app(load_model(project / "model")).test_client()
    asked = scenario.data.iloc[::7]
    response = client.post("/predict", json={"rows": rows_of(asked)})
    assert response.status_code == 200, response.text
    answers = [answer["prediction"] for answer in response.json["predictions"]]
    native = scenario.predict(asked).tolist()
    assert answers == (native if isinstance(native[0], str) else pytest.approx(native, rel=1e-12))
    for number, row in enumerate(rows_of(asked.head(3))):
        answer = client.post("/predict", json=dict(reversed(row.items()))).json
        assert answer is not None
        assert answer["prediction"] == answers[number]


WITHOUT_SAMPLE = [
    dummies_by_name,
    encoder_called_after_its_column,
    encoders_by_column,
    ordinal_encoder,
    scaler_of_some_columns,
]


@pytest.mark.parametrize("build", WITHOUT_SAMPLE)
def test_no_sample_is_needed_if_the_files_hold_the_names(
    build: Callable[[], Scenario], tmp_path: Path
) -> None:
    scenario = build()
    project = adopted_scenario(scenario, tmp_path, sample=False)
    prove.prove(project)
    client = create_app(load_model(project / "model")).test_client()
    response = client.post("/predict", json={"rows": rows_of(scenario.data)})
    assert response.status_code == 200, response.text
    answers = [answer["prediction"] for answer in response.json["predictions"]]
    assert answers == scenario.predict(scenario.data).tolist()


def test_an_encoder_of_the_classes_becomes_their_labels(tmp_path: Path) -> None:
    encoder = LabelEncoder().fit(WORDS)
    joblib.dump(LogisticRegression().fit(NUMBERS, encoder.transform(WORDS)), tmp_path / "m.pkl")
    joblib.dump(encoder, tmp_path / "target.pkl")
    project = adopted(tmp_path, tmp_path / "m.pkl", transformers="target.pkl")
    document = json.loads((project / "model" / "features.json").read_text())
    assert document["output"]["labels"] == {"0": "approved", "1": "rejected"}
    assert "transformers" not in document
    assert not (project / "model" / "transformers").exists()
    client = create_app(load_model(project / "model")).test_client()
    answer = client.post("/predict", json={"income": 9000, "age": 80}).json
    assert answer is not None
    assert (answer["prediction"], answer["label"]) == (0, "approved")


def test_an_unknown_category_of_an_encoder_is_a_client_error(tmp_path: Path) -> None:
    project = adopted_scenario(encoders_by_column(), tmp_path, sample=False)
    client = create_app(load_model(project / "model")).test_client()
    row = {"income": 1, "gender": "Male", "age": 20, "city": "Paris"}
    response = client.post("/predict", json=row)
    assert response.status_code == 422
    assert response.json["errors"][0]["feature"] == "city"


def test_the_project_holds_the_files_and_describes_them(tmp_path: Path) -> None:
    project = adopted_scenario(encoders_then_scaler(), tmp_path, sample=True)
    folder = project / "model" / "transformers"
    names = ["01-le_gender.pkl", "02-le_city.pkl", "03-scaler.pkl"]
    assert sorted(path.name for path in folder.iterdir()) == names
    manifest = json.loads((project / "model" / "manifest.json").read_text())
    assert [entry["file"] for entry in manifest["transformers"]] == [
        f"transformers/{name}" for name in names
    ]
    assert [entry["estimator"] for entry in manifest["transformers"]] == [
        "LabelEncoder",
        "LabelEncoder",
        "StandardScaler",
    ]
    contract = json.loads((project / "model" / "features.json").read_text())
    assert contract["transformers"] == [
        {"file": "transformers/01-le_gender.pkl", "columns": ["gender"]},
        {"file": "transformers/02-le_city.pkl", "columns": ["city"]},
        {"file": "transformers/03-scaler.pkl"},
    ]
    assert contract["features"][3]["categories"] == ["Bonn", "Kiel", "Ulm"]

    (folder / names[2]).write_bytes(b"another file")
    with pytest.raises(ModelError, match=r"03-scaler\.pkl is not the file that was adopted"):
        load_model(project / "model")


def test_a_retrained_model_keeps_its_transformers_by_default(tmp_path: Path) -> None:
    project = adopted_scenario(scaler_of_named_columns(), tmp_path, sample=True)
    before = (project / "model" / "transformers" / "01-scaler.pkl").read_bytes()
    features = str(project / "model" / "features.json")
    again = adopted(tmp_path, tmp_path / "model.pkl", features=features, sample_data="sample.csv")
    assert (again / "model" / "transformers" / "01-scaler.pkl").read_bytes() == before

    other = StandardScaler().fit([[1.0, 2.0], [30.0, 4000.0]])
    joblib.dump(other, tmp_path / "new.pkl")
    again = adopted(
        tmp_path, tmp_path / "model.pkl", features=features, transformers=str(tmp_path / "new.pkl")
    )
    (entry,) = json.loads((again / "model" / "features.json").read_text())["transformers"]
    assert entry == {"file": "transformers/01-new.pkl", "columns": ["age", "income"]}
    (kept,) = (again / "model" / "transformers").iterdir()
    assert kept.read_bytes() == (tmp_path / "new.pkl").read_bytes()


def retrain(project: Path, *variables: str) -> str:
    """Run `make adopt` with these variables, as they were printed."""
    pairs = (variable.partition("=") for variable in variables)
    options = {name: value for name, _, value in pairs}
    return retrain_command.adopt(project, retrain_command.read_options(options))


def test_a_note_names_the_command_for_a_newer_scaler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = encoders_then_scaler()
    project = adopted_scenario(scenario, tmp_path, sample=True)
    new = tmp_path / "new run"
    new.mkdir()
    for name, fitted in scenario.files.items():
        joblib.dump(fitted, new / name)
    retrained = LogisticRegression(C=0.5).fit(RANDOM.normal(size=(ROWS, 4)), YES)
    joblib.dump(retrained, new / "model.pkl")
    monkeypatch.chdir(project)
    assert "Note:" not in retrain(project, f"MODEL={new / 'model.pkl'}")

    joblib.dump(MinMaxScaler().fit(RANDOM.normal(size=(ROWS, 4))), new / "scaler.pkl")
    joblib.dump(retrained.set_params(C=2), new / "model.pkl")
    output = retrain(project, f"MODEL={new / 'model.pkl'}")
    assert (
        "scaler.pkl in the new model's folder differs from the previous model's, which is kept"
        in output
    )
    command = next(line for line in output.splitlines() if line.startswith("Note: "))
    adopting = shlex.split(command.partition("make adopt ")[2])
    output = retrain(project, *adopting, "ACCEPT=answers")
    assert "  - the transformer scaler.pkl was StandardScaler and is MinMaxScaler" in output
    assert "  - transformers/03-scaler.pkl is another file" in output
    assert "01-le_gender.pkl" not in output
    kept = project / "model" / "transformers" / "03-scaler.pkl"
    assert kept.read_bytes() == (new / "scaler.pkl").read_bytes()


def test_transformers_cannot_be_removed_from_the_contract(tmp_path: Path) -> None:
    project = adopted_scenario(scaler_of_a_frame(), tmp_path, sample=False)
    path = project / "model" / "features.json"
    document = json.loads(path.read_text())
    del document["transformers"]
    path.write_text(json.dumps(document))
    with pytest.raises(ModelError, match="transformers are not those that were adopted"):
        load_model(project / "model")


# (files, answers, words of the message)
SCALER = StandardScaler().fit(NUMBERS.to_numpy())
MODEL = LogisticRegression().fit(NUMBERS.to_numpy(), YES)
THREE = StandardScaler().fit([[1.0, 2.0, 3.0], [2.0, 4.0, 9.0]])
PRICED = Ridge().fit(PEOPLE[["income"]].to_numpy(), PEOPLE["age"])
PRICE = StandardScaler().fit(PEOPLE[["age"]].to_numpy())
OF_PRICES = StandardScaler().fit(PEOPLE[["age"]])
NOT_CENTRED = StandardScaler(with_mean=False).fit(PEOPLE[["age"]].to_numpy())
NOT_SPREAD = StandardScaler(with_std=False).fit(PEOPLE[["age"]].to_numpy())
ROBUST = RobustScaler(with_centering=False).fit(PEOPLE[["age"]].to_numpy())
MIN_MAX = MinMaxScaler((0, 5)).fit(PEOPLE[["age"]].to_numpy())
REFUSED: list[tuple[dict[str, Any], dict[str, str], list[str]]] = [
    (
        {"m.pkl": {"a": MODEL, "b": LogisticRegression().fit(NUMBERS.to_numpy(), YES)}},
        {},
        ["m.pkl holds 2 models", "model_path=", "m.pkl#a", "m.pkl#b"],
    ),
    (
        {"m.pkl": {"model": MODEL, "one": SCALER, "two": PCA(2).fit(NUMBERS.to_numpy())}},
        {},
        ["holds 2 transformers", "in which order", "#one", "#two"],
    ),
    ({"m.pkl": {"model": MODEL}}, {"model_path": "m.pkl#modle"}, ["no member 'modle'", "#model?"]),
    ({"m.pkl": MODEL}, {"model_path": "m.pkl#model"}, ["holds no dict or tuple"]),
    ({"m.pkl": {"a": 1, "b": "text"}}, {}, ["The file holds a dict, not a model"]),
    ({"m.pkl": MODEL, "s.pkl": THREE}, {"transformers": "s.pkl"}, ["gives 3 columns", "takes 2"]),
    ({"m.pkl": MODEL, "s.pkl": MODEL}, {"transformers": "s.pkl"}, ["holds LogisticRegression"]),
    (
        {"m.pkl": MODEL, "s.pkl": StandardScaler()},
        {"transformers": "s.pkl"},
        ["StandardScaler in the file has not been fitted"],
    ),
    (
        {"m.pkl": MODEL, "le.pkl": LabelEncoder().fit(["x", "y", "z"])},
        {"transformers": "le.pkl", "features": "a,b"},
        ["encodes x, y, z", "not clear of which column"],
    ),
    (
        {"m.pkl": MODEL, "ohe.pkl": OneHotEncoder().fit(PEOPLE[["city"]])},
        {"transformers": "ohe.pkl", "features": "income,city"},
        ["turns city into other columns", "takes the place of the first"],
    ),
    (
        {"m.pkl": {"model": PRICED, "y_power": PowerTransformer().fit(PEOPLE[["age"]])}},
        {"features": "income"},
        ["seems to be what the model predicts", "TransformedTarget"],
    ),
]


@pytest.mark.parametrize(("saved", "answers", "words"), REFUSED)
def test_ambiguous_files_are_refused(
    saved: dict[str, Any], answers: dict[str, str], words: list[str], tmp_path: Path
) -> None:
    for name, value in saved.items():
        joblib.dump(value, tmp_path / name)
    options = {"features": "income,age", **answers}
    model = options.pop("model_path", "m.pkl")
    with pytest.raises(UserError) as caught:
        adopted(tmp_path, tmp_path / model, **options)
    for word in words:
        assert word in str(caught.value)


def answers_for(folder: Path) -> Answers:
    return Answers(
        project_name="A model",
        project_slug="a-model",
        description="About it.",
        model_path="model.pkl",
        folder=folder,
        features="income,age",
    )


@pytest.mark.parametrize(
    ("saved", "multiply", "add"),
    [
        ({"model": PRICED, "y_scaler": PRICE}, PRICE.scale_[0], PRICE.mean_[0]),
        ({"model": PRICED, "scaler": OF_PRICES}, OF_PRICES.scale_[0], OF_PRICES.mean_[0]),
        (
            {"model": PRICED, "y_minmax": MIN_MAX},
            MIN_MAX.data_range_[0] / 5,
            MIN_MAX.data_min_[0],
        ),
        ({"model": PRICED, "y_scaler": NOT_CENTRED}, NOT_CENTRED.scale_[0], 0),
        ({"model": PRICED, "y_scaler": NOT_SPREAD}, 1, NOT_SPREAD.mean_[0]),
        ({"model": PRICED, "y_robust": ROBUST}, ROBUST.scale_[0], 0),
    ],
)
def test_a_scaler_of_the_target_scales_predictions_back(
    saved: dict[str, Any], multiply: float, add: float, tmp_path: Path
) -> None:
    joblib.dump(saved, tmp_path / "model.pkl")
    decided = decide(replace(answers_for(tmp_path), features="income"))
    transform = decided.contract.output.transform
    assert isinstance(transform, dict)
    assert (transform["multiply"], transform["add"]) == pytest.approx((multiply, add))
    assert decided.contract.transformers == ()
    assert any("scaled what the model predicts" in note for note in decided.notes)


@pytest.mark.parametrize("names", [["income", "age"], NUMBERS.columns], ids=["list", "Index"])
def test_a_pickled_list_of_names_is_a_features_answer(names: Any, tmp_path: Path) -> None:
    joblib.dump(MODEL, tmp_path / "m.pkl")
    joblib.dump(names, tmp_path / "columns.pkl")
    project = adopted(tmp_path, tmp_path / "m.pkl", features="columns.pkl")
    contract = json.loads((project / "model" / "features.json").read_text())
    assert [feature["name"] for feature in contract["features"]] == ["income", "age"]
    with pytest.raises(UserError, match=r"m\.pkl holds no list of names"):
        adopted(tmp_path, tmp_path / "m.pkl", features="m.pkl")


def test_a_note_names_a_threshold_in_the_model_file(tmp_path: Path) -> None:
    joblib.dump({"model": MODEL, "threshold": 0.4, "best": 0.9}, tmp_path / "model.pkl")
    decided = decide(answers_for(tmp_path))
    assert any('"positive": 1, "threshold": 0.4' in note for note in decided.notes)
    assert decided.contract.output.threshold is None


def test_a_pipeline_of_transformers_is_one_transformer(tmp_path: Path) -> None:
    steps = make_pipeline(SimpleImputer(), StandardScaler()).fit(NUMBERS)
    joblib.dump(steps, tmp_path / "steps.pkl")
    model = LogisticRegression().fit(steps.transform(NUMBERS), YES)
    joblib.dump(model, tmp_path / "model.pkl")
    project = adopted(tmp_path, tmp_path / "model.pkl", transformers="steps.pkl")
    client = create_app(load_model(project / "model")).test_client()
    answers = client.post("/predict", json={"rows": rows_of(NUMBERS)}).json
    assert answers is not None
    native = model.predict(steps.transform(NUMBERS)).tolist()
    assert [answer["prediction"] for answer in answers["predictions"]] == native
