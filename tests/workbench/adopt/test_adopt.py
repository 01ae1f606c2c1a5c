"""Adopting: models that people really save, all the way to answered requests.

They are trained on the data that scikit-learn ships, saved as people save them, adopted from the
files alone and served; the answers are compared with those of the model called natively.
"""

from __future__ import annotations

import bz2
import gzip
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import EXAMPLE, PYTHON, SRC, adopted, environment, features_of, in_json, rows_of
from running import trained
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from model_service.errors import ModelError
from model_service.model.loading import load_model
from model_service.web.app import create_app
from workbench.adopt.answers import Answers
from workbench.adopt.decide import decide
from workbench.errors import UserError
from workbench.verify import prove

Save = Callable[[Any, Path], None]


def by_joblib(model: Any, path: Path) -> None:
    joblib.dump(model, path)


def by_joblib_compressed(model: Any, path: Path) -> None:
    joblib.dump(model, path, compress=("xz", 3))


def by_pickle(model: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(model))


def by_old_pickle(model: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(model, protocol=2))


def by_gzip(model: Any, path: Path) -> None:
    path.write_bytes(gzip.compress(pickle.dumps(model)))


def by_bz2(model: Any, path: Path) -> None:
    path.write_bytes(bz2.compress(pickle.dumps(model)))


@dataclass(frozen=True)
class Case:
    """A model, its training data, and how it was saved."""

    model: Any
    data: pd.DataFrame
    target: Any
    save: Save = by_joblib
    name: str = "model.pkl"
    named: bool = True  # trained on a frame; else on an array, and the names come from the sample


CANCER, CANCER_Y = load_breast_cancer(return_X_y=True, as_frame=True)
WINE, WINE_Y = load_wine(return_X_y=True, as_frame=True)
DIABETES, DIABETES_Y = load_diabetes(return_X_y=True, as_frame=True)
MISSING = CANCER.mask(np.random.default_rng(0).random(CANCER.shape) < 0.1)
MIXED = pd.DataFrame(
    {
        "Property/Area": ["Rural", "Urban", "Rural", "Semi urban"] * 30,
        'credit "limit"(%)': np.linspace(-1, 1, 120).round(3),
        "new1.1": range(120),
        "日本": [True, False] * 60,
    }
)
MIXED_Y = pd.Series([0, 1, 0, 1] * 30)
WORDS = np.array(["maligne", "bénigne"])[CANCER_Y]


def mixed() -> Any:
    encoder = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("area", encoder, ["Property/Area"])], remainder="passthrough")
    return make_pipeline(columns, HistGradientBoostingClassifier(max_iter=20))


CASES = {
    "logistic regression, frame": Case(
        make_pipeline(StandardScaler(), LogisticRegression()), CANCER, CANCER_Y
    ),
    "logistic regression, array": Case(
        make_pipeline(StandardScaler(), LogisticRegression()), CANCER, CANCER_Y, named=False
    ),
    "forest, three classes": Case(
        RandomForestClassifier(10, random_state=0, n_jobs=-1), WINE, WINE_Y, by_pickle
    ),
    "forest, text classes": Case(
        RandomForestClassifier(10, random_state=0), CANCER, WORDS, by_gzip, "model.pkl.gz"
    ),
    "svc without probabilities": Case(
        make_pipeline(StandardScaler(), SVC()), WINE, WINE_Y, by_old_pickle
    ),
    "ridge": Case(Ridge(), DIABETES, DIABETES_Y, by_joblib_compressed, "Model Final (2).JOBLIB"),
    "boosted trees, regression": Case(
        GradientBoostingRegressor(n_estimators=20), DIABETES, DIABETES_Y, by_bz2, "model"
    ),
    "search": Case(
        GridSearchCV(make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": [1, 2]}),
        *(DIABETES, DIABETES_Y),
    ),
    "missing values": Case(HistGradientBoostingClassifier(max_iter=20), MISSING, CANCER_Y),
    "clusters": Case(KMeans(3, n_init=1, random_state=0), WINE, None),
    "outliers": Case(IsolationForest(n_estimators=20, random_state=0), WINE, None, named=False),
    "categories and odd names": Case(mixed(), MIXED, MIXED_Y),
}


@pytest.mark.parametrize("proven", [False, True], ids=["unverified", "proven"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_predictions_equal_those_of_the_model_itself(
    case: Case, proven: bool, tmp_path: Path
) -> None:
    native = case.model.fit(case.data if case.named else case.data.to_numpy(), case.target)
    case.save(native, tmp_path / case.name)
    case.data.to_csv(tmp_path / "sample.csv", index=False)
    project = adopted(tmp_path, tmp_path / case.name, sample_data="sample.csv")
    if proven:
        prove.prove(project)
    client = create_app(load_model(project / "model")).test_client()

    # As the author would: a frame that was read from a file, or an array of the rows. The order of
    # an array's bytes decides the last bits of a product of matrices.
    asked = pd.read_csv(tmp_path / "sample.csv").iloc[::17]
    native_rows = asked if case.named else np.array(asked.to_numpy().tolist())
    response = client.post("/predict", json={"rows": rows_of(asked)})
    assert response.status_code == 200, response.text
    answers = json.loads(response.text)["predictions"]
    assert [answer["prediction"] for answer in answers] == native.predict(native_rows).tolist()
    if hasattr(native, "predict_proba"):
        probabilities = [list(answer["probabilities"].values()) for answer in answers]
        assert probabilities == native.predict_proba(native_rows).tolist()
        keys = [str(name) for name in native.classes_.tolist()]
        assert list(answers[0]["probabilities"]) == keys
    else:
        assert "probabilities" not in answers[0]

    for number, row in enumerate(rows_of(asked.head(3))):
        answer = client.post("/predict", json=dict(reversed(row.items()))).json
        assert answer is not None
        assert answer["prediction"] == in_json(native.predict(native_rows[number : number + 1])[0])


def test_a_text_model_has_one_text_feature(tmp_path: Path) -> None:
    texts = ["good work", "bad work", "good food", "bad mood", "very good", "very bad"] * 3
    native = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, [1, 0] * 9)
    by_joblib(native, tmp_path / "model.joblib")
    project = adopted(tmp_path, tmp_path / "model.joblib")
    prove.prove(project)
    client = create_app(load_model(project / "model")).test_client()
    for text in ("good", "a bad day", ""):
        answer = client.post("/predict", json={"text": text}).json
        assert answer is not None
        assert answer["prediction"] == native.predict([text])[0]
        assert list(answer["probabilities"].values()) == native.predict_proba([text])[0].tolist()


def test_types_ranges_and_categories_come_from_the_sample(tmp_path: Path) -> None:
    frame = MIXED.assign(**{"new1.1": MIXED["new1.1"].where(MIXED["new1.1"] != 5)})
    by_joblib(mixed().fit(frame, MIXED_Y), tmp_path / "model.joblib")
    frame.assign(target=MIXED_Y).to_csv(tmp_path / "sample.csv", index=False)
    project = adopted(tmp_path, tmp_path / "model.joblib", sample_data="sample.csv")
    assert features_of(project) == {
        "Property/Area": {
            "name": "Property/Area",
            "type": "category",
            "categories": ["Rural", "Semi urban", "Urban"],
            "nullable": False,
        },
        'credit "limit"(%)': {
            "name": 'credit "limit"(%)',
            "type": "number",
            "minimum": -1,
            "maximum": 1,
            "nullable": False,
        },
        "new1.1": {
            "name": "new1.1",
            "type": "number",
            "minimum": 0,
            "maximum": 119,
            "nullable": True,
        },
        "日本": {"name": "日本", "type": "boolean", "nullable": False},
    }


def test_verify_completes_the_contract_from_what_the_model_accepts(tmp_path: Path) -> None:
    by_joblib(mixed().fit(MIXED, MIXED_Y), tmp_path / "model.joblib")
    MIXED.to_csv(tmp_path / "sample.csv", index=False)
    project = adopted(tmp_path, tmp_path / "model.joblib", sample_data="sample.csv")
    prove.prove(project)
    after = features_of(project)
    # The encoder ignores what it has not seen, and boosted trees take missing values.
    assert after["Property/Area"]["strict"] is False
    assert after["Property/Area"]["nullable"] is True
    assert after["new1.1"]["nullable"] is True

    strict = make_pipeline(
        ColumnTransformer([("area", OneHotEncoder(), ["Property/Area"])], remainder="passthrough"),
        LogisticRegression(),
    )
    by_joblib(strict.fit(MIXED, MIXED_Y), tmp_path / "model.joblib")
    project = adopted(tmp_path, tmp_path / "model.joblib", sample_data="sample.csv")
    prove.prove(project)
    after = features_of(project)
    assert after["Property/Area"]["strict"] is True
    assert after["new1.1"]["nullable"] is False


def test_a_declaration_overrides_the_sample_and_is_verified(tmp_path: Path) -> None:
    by_joblib(
        make_pipeline(StandardScaler(), LogisticRegression()).fit(WINE, WINE_Y),
        tmp_path / "model.joblib",
    )
    WINE.to_csv(tmp_path / "sample.csv", index=False)
    names = [{"name": name} for name in WINE.columns]
    names[0] |= {"unit": "%", "maximum": 20, "nullable": True}  # type: ignore[dict-item]
    (tmp_path / "features.json").write_text(json.dumps(names))
    project = adopted(
        tmp_path,
        tmp_path / "model.joblib",
        sample_data="sample.csv",
        features="features.json",
    )
    alcohol = features_of(project)["alcohol"]
    assert (alcohol["unit"], alcohol["maximum"], alcohol["minimum"]) == ("%", 20, 11.03)
    with pytest.raises(prove.ProofFailed, match="alcohol can be null, but the model fails"):
        prove.prove(project)


def test_a_changed_model_fails_verification(tmp_path: Path) -> None:
    by_joblib(Ridge().fit(DIABETES, DIABETES_Y), tmp_path / "model.joblib")
    project = adopted(tmp_path, tmp_path / "model.joblib")
    prove.prove(project)
    golden = project / "model" / "golden.json"
    document = json.loads(golden.read_text())
    document["predictions"][0]["prediction"] += 1e-6
    golden.write_text(json.dumps(document))
    with pytest.raises(prove.ProofFailed, match=r"1 values differ.*\[1\]\.prediction"):
        prove.prove(project)


# (answers, words of the message); the model takes the 13 features of the wine data by position
REFUSED: list[tuple[dict[str, str], list[str]]] = [
    ({}, ["takes 13 features", "names are not in the file"]),
    ({"features": "a,b"}, ["takes 13 features, and 2 are named"]),
    ({"sample_data": "two_more.csv"}, ["takes 13 columns", "Left out: kind, flag"]),
    ({"sample_data": "with_flag.csv"}, ["14 are named", "'flag' looks like the target"]),
    ({"features": "with_target.csv"}, ["14 are named", "the last one, 'kind', is the target"]),
    (
        {"features": ",".join(f"x{n}" for n in range(13)), "sample_data": "plain.csv"},
        ["column 'x0'"],
    ),
    ({"sample_data": "plain.csv", "python_version": "3.10"}, ["no wheels for Python 3.10"]),
    (
        {"sample_data": "plain.csv", "transformers": "plain.csv"},
        ["transformers: ", "plain.csv: The file is text"],
    ),
]


@pytest.mark.parametrize(("answers", "words"), REFUSED)
def test_features_that_do_not_fit_are_refused(
    answers: dict[str, str], words: list[str], tmp_path: Path
) -> None:
    by_joblib(
        make_pipeline(StandardScaler(), LogisticRegression()).fit(WINE.to_numpy(), WINE_Y),
        tmp_path / "model.joblib",
    )
    WINE.to_csv(tmp_path / "plain.csv", index=False)
    WINE.assign(kind=WINE_Y).to_csv(tmp_path / "with_target.csv", index=False)
    two = {"kind": WINE_Y, "flag": WINE_Y}
    WINE.assign(**two).to_csv(tmp_path / "two_more.csv", index=False)
    WINE.iloc[:, 1:].assign(**two).to_csv(tmp_path / "with_flag.csv", index=False)
    with pytest.raises(UserError) as caught:
        adopted(tmp_path, tmp_path / "model.joblib", **answers)
    for word in words:
        assert word in str(caught.value)
    assert not (tmp_path / "project").exists()


@pytest.mark.parametrize("index", [False, True])
def test_the_target_and_an_index_are_left_out_with_a_note(index: bool, tmp_path: Path) -> None:
    by_joblib(
        make_pipeline(StandardScaler(), LogisticRegression()).fit(WINE.to_numpy(), WINE_Y),
        tmp_path / "model.joblib",
    )
    WINE.assign(kind=WINE_Y).to_csv(tmp_path / "wine.csv", index=index)
    answers = Answers(
        *("Name", "name", "About.", "model.joblib", tmp_path),
        sample_data="wine.csv",
        python_version=PYTHON,
    )
    adoption = decide(answers)
    assert [feature.name for feature in adoption.contract.features] == list(WINE.columns)
    assert "kind of wine.csv is what the model predicts, so it is no feature." in adoption.notes
    assert any("counts its rows" in note for note in adoption.notes) is index


def test_names_in_another_order_are_accepted_with_a_note(tmp_path: Path) -> None:
    by_joblib(Ridge().fit(DIABETES, DIABETES_Y), tmp_path / "model.joblib")
    names = ",".join(reversed(DIABETES.columns))
    answers = Answers(
        *("Name", "name", "About.", "model.joblib", tmp_path),
        features=names,
        python_version=PYTHON,
    )
    decided = decide(answers)
    assert [f.name for f in decided.contract.features] == list(DIABETES.columns)
    assert any("another order" in notice for notice in decided.notes)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("names.json", json.dumps(list(DIABETES.columns))),
        ("objects.json", json.dumps([{"name": name} for name in DIABETES.columns])),
        ("contract", json.dumps({"features": [{"name": name} for name in DIABETES.columns]})),
        ("names in a contract", json.dumps({"features": list(DIABETES.columns)})),
        ("lines.txt", "\n".join(DIABETES.columns)),
        ("commas.txt", ",".join(DIABETES.columns)),
        ("header.csv", ",".join(DIABETES.columns) + "\n1,2,3,4,5,6,7,8,9,10\n"),
        ("semicolons.csv", ";".join(DIABETES.columns) + "\n"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_features_answer_takes_every_form(
    file: str, text: str, encoding: str, tmp_path: Path
) -> None:
    by_joblib(Ridge().fit(DIABETES.to_numpy(), DIABETES_Y), tmp_path / "model.joblib")
    (tmp_path / file).write_text(text, encoding=encoding)
    project = adopted(tmp_path, tmp_path / "model.joblib", features=file)
    assert list(features_of(project)) == list(DIABETES.columns)


def test_adopting_twice_writes_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        adopted(
            tmp_path / folder,
            EXAMPLE / "model.joblib",
            sample_data=str(EXAMPLE / "sample.csv"),
            features=str(EXAMPLE / "features.json"),
        )
    one, two = (
        {p.name: p.read_bytes() for p in (tmp_path / folder / "project").rglob("*") if p.is_file()}
        for folder in ("one", "two")
    )
    assert one == two


def test_a_model_that_fails_on_an_invented_row_asks_for_a_sample(tmp_path: Path) -> None:
    by_joblib(mixed().fit(MIXED, MIXED_Y), tmp_path / "model.joblib")
    declared = [{"name": name, "type": "number"} for name in MIXED]
    (tmp_path / "features.json").write_text(json.dumps(declared))
    project = adopted(tmp_path, tmp_path / "model.joblib", features="features.json")
    with pytest.raises(prove.ProofFailed, match=r"Area as a number, but the model was trained on"):
        prove.prove(project)


def test_a_model_that_fails_on_all_invented_rows_asks_for_a_sample(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text('def prepare(frame):\n    return frame * float("nan")\n')
    by_joblib(Ridge().fit(DIABETES, DIABETES_Y), tmp_path / "model.joblib")
    names = ",".join(DIABETES.columns)
    project = adopted(tmp_path, tmp_path / "model.joblib", features=names, model_code="app.py")
    with pytest.raises(prove.ProofFailed, match="no sample was given: give sample_data"):
        prove.prove(project)


GRADES = pd.DataFrame({"grade": [1, 2, 3, 4] * 30, "flag": [True, False] * 60})


def graded(**options: Any) -> Any:
    columns = ColumnTransformer([("all", OneHotEncoder(**options), ["grade", "flag"])])
    return make_pipeline(columns, LogisticRegression()).fit(GRADES, [0, 1, 1, 0] * 30)


def test_categories_of_the_sample_keep_their_type(tmp_path: Path) -> None:
    native = graded(handle_unknown="ignore")
    by_joblib(native, tmp_path / "model.joblib")
    GRADES.to_csv(tmp_path / "sample.csv", index=False)
    declared = [{"name": name, "type": "category"} for name in GRADES]
    (tmp_path / "features.json").write_text(json.dumps(declared))
    project = adopted(
        tmp_path, tmp_path / "model.joblib", sample_data="sample.csv", features="features.json"
    )
    prove.prove(project)
    assert features_of(project)["grade"]["categories"] == [1, 2, 3, 4]
    assert features_of(project)["flag"]["categories"] == [False, True]
    client = create_app(load_model(project / "model")).test_client()
    answers = client.post("/predict", json={"rows": rows_of(GRADES.head(8))}).json
    assert answers is not None
    expected = native.predict_proba(GRADES.head(8)).tolist()
    assert [list(a["probabilities"].values()) for a in answers["predictions"]] == expected


def test_values_that_only_the_model_refuses_are_a_client_error(tmp_path: Path) -> None:
    by_joblib(graded(), tmp_path / "model.joblib")
    GRADES.to_csv(tmp_path / "sample.csv", index=False)
    project = adopted(tmp_path, tmp_path / "model.joblib", sample_data="sample.csv")
    prove.prove(project)
    client = create_app(load_model(project / "model")).test_client()
    good, bad = {"grade": 1, "flag": True}, {"grade": 7, "flag": True}
    response = client.post("/predict", json={"rows": [good, bad, good, bad]})
    assert response.status_code == 422
    assert json.loads(response.text)["errors"] == [
        {"row": row, "feature": None, "message": "the model fails on these values"}
        for row in (2, 4)
    ]
    assert client.post("/predict", json={"rows": [good]}).status_code == 200


@pytest.mark.parametrize("declared", [["Rural", "Mars"], ["Rural", "Urban", "Semi urban", "Mars"]])
def test_a_listed_category_that_the_model_refuses_fails_verification(
    declared: list[str], tmp_path: Path
) -> None:
    strict = make_pipeline(
        ColumnTransformer([("area", OneHotEncoder(), ["Property/Area"])]), LogisticRegression()
    )
    by_joblib(strict.fit(MIXED[["Property/Area"]], MIXED_Y), tmp_path / "model.joblib")
    feature = {"name": "Property/Area", "categories": declared}
    (tmp_path / "features.json").write_text(json.dumps([feature]))
    project = adopted(tmp_path, tmp_path / "model.joblib", features="features.json")
    with pytest.raises(prove.ProofFailed, match=r'lists "Mars" .* the model fails on it'):
        prove.prove(project)


def test_labels_can_be_edited_and_names_cannot(tmp_path: Path) -> None:
    by_joblib(LogisticRegression().fit(MIXED[["new1.1"]] / 120, MIXED_Y), tmp_path / "m.joblib")
    project = adopted(tmp_path, tmp_path / "m.joblib")
    prove.prove(project)
    path = project / "model" / "features.json"
    document = json.loads(path.read_text())
    document["output"]["labels"] = {"0": "no", "1": "yes"}
    path.write_text(json.dumps(document))
    client = create_app(load_model(project / "model")).test_client()
    assert client.get("/ready").status_code == 200
    answer = client.post("/predict", json={"new1.1": 0}).json
    assert answer is not None
    assert answer["label"] == {0: "no", 1: "yes"}[answer["prediction"]]
    prove.prove(project)
    golden = json.loads((project / "model" / "golden.json").read_text())
    assert golden["predictions"][0]["label"] in ("no", "yes")

    document["features"][0]["name"] = "renamed"
    path.write_text(json.dumps(document))
    with pytest.raises(ModelError, match=r"not those of the model \(new1\.1, renamed\)"):
        load_model(project / "model")


TARGETS = pd.DataFrame({"price": DIABETES_Y, "rent": DIABETES_Y * 2 + 1})
FLAGS = np.column_stack([WINE_Y == 0, WINE_Y == 1]).astype(int)


@pytest.mark.parametrize(
    ("model", "data", "target"),
    [
        (Ridge(), DIABETES, TARGETS),
        (RandomForestClassifier(5, random_state=0), WINE, FLAGS),
        (RandomForestClassifier(5, random_state=0), WINE, np.column_stack([WINE_Y, FLAGS])),
        (MLPClassifier((3,), max_iter=20, random_state=0), WINE, FLAGS),
    ],
    ids=["regression", "labels that are there or not", "classifications", "one array"],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_several_targets_are_answered_by_name(
    model: Any, data: pd.DataFrame, target: Any, tmp_path: Path
) -> None:
    native = model.fit(data, target)
    by_joblib(native, tmp_path / "model.joblib")
    project = adopted(tmp_path, tmp_path / "model.joblib")
    client = create_app(load_model(project / "model")).test_client()
    answers = client.post("/predict", json={"rows": rows_of(data.head(5))}).json
    assert answers is not None
    expected = native.predict(data.head(5))
    names = [f"target_{number}" for number in range(1, expected.shape[1] + 1)]
    for number, row in enumerate(answers["predictions"]):
        assert row["prediction"] == dict(zip(names, expected[number].tolist(), strict=True))
    if hasattr(native, "predict_proba"):
        probabilities = native.predict_proba(data.head(5))
        for number, name in enumerate(names):
            served = [row["probabilities"][name] for row in answers["predictions"]]
            if isinstance(probabilities, list):
                rows = [list(row.values()) for row in served]
                assert rows == probabilities[number].tolist()
            else:
                assert [row["1"] for row in served] == probabilities[:, number].tolist()
    openapi = client.get("/openapi.json").json
    assert openapi is not None
    answer = openapi["components"]["schemas"]["Prediction"]["properties"]["prediction"]
    assert list(answer["properties"]) == names


NOTEBOOK = '''
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


class RatioAdder(TransformerMixin, BaseEstimator):
    """Divides the first two columns, as people do in a notebook."""

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        X = np.asarray(X, dtype=float)
        return np.column_stack([X, X[:, 0] / X[:, 1]])
'''
TRAIN = """
import joblib, sys
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

X, y = load_wine(return_X_y=True, as_frame=True)
model = make_pipeline(RatioAdder(), StandardScaler(), LogisticRegression()).fit(X, y)
joblib.dump(model, "model.joblib")
X.to_csv("sample.csv", index=False)
print(model.predict_proba(X.head(1)).tolist())
"""


@pytest.mark.parametrize("module", ["__main__", "preprocessing", "src.features"])
def test_author_code_is_found_in_the_module_that_the_model_file_names(
    module: str, tmp_path: Path
) -> None:
    if module == "__main__":
        native = trained(tmp_path, NOTEBOOK + TRAIN)
    else:
        path = tmp_path.joinpath(*module.split(".")).with_suffix(".py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(NOTEBOOK)
        native = trained(tmp_path, f"from {module} import RatioAdder\n{TRAIN}")
    (tmp_path / "code.py").write_text(NOTEBOOK, newline="\r\n")
    model = tmp_path / "model.joblib"
    with pytest.raises(UserError, match=r"RatioAdder.*answer model_code=|Answer model_code="):
        adopted(tmp_path, model)
    project = adopted(tmp_path, model, sample_data="sample.csv", model_code="code.py")
    assert (project / "model" / "custom_code.py").read_text() == NOTEBOOK
    # In a process of its own: there `__main__` is another module, as it is under gunicorn.
    script = (
        "import json; from pathlib import Path; import pandas as pd\n"
        "from model_service.contract.parsing import parse_rows\n"
        "from model_service.model.loading import load_model\n"
        "model = load_model(Path('model'))\n"
        "rows = pd.read_csv('../sample.csv').head(1).to_dict('records')\n"
        "print(json.dumps(list(model.predict(parse_rows(model.contract, rows)))))"
    )
    output = subprocess.check_output(
        [sys.executable, "-c", script], cwd=project, env=environment(PYTHONPATH=str(SRC))
    )
    assert list(json.loads(output)[0]["probabilities"].values()) == native[0]


FRAME_STEP = """
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin


class Ratio(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X.assign(ratio=X["income"] / X["loan"])
"""
FRAME_TRAIN = """
import joblib, json
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

X = pd.DataFrame({"income": [1.0, 2.0, 3.0, 4.0] * 9, "loan": [2.0, 1.0, 4.0, 4.0] * 9,
                  "area": ["Rural", "Urban"] * 18})
encode = ColumnTransformer([("area", OneHotEncoder(), ["area"])], remainder="passthrough")
model = make_pipeline(Ratio(), encode, LogisticRegression()).fit(X, ["n", "y", "y", "n"] * 9)
joblib.dump(model, "model.joblib")
X.assign(status="n").to_csv("sample.csv", index=False)
print(json.dumps(model.predict_proba(X.head(1)).tolist()))
"""


# The same for arrays: nothing in either file says which of the two it was.
ARRAY_STEP = FRAME_STEP.replace(
    'X.assign(ratio=X["income"] / X["loan"])', "__import__('numpy').c_[X, X[:, 0] / X[:, 1]]"
)
ARRAY_TRAIN = (
    FRAME_TRAIN.replace("(Ratio(), encode, ", "(Ratio(), ")
    .replace(".fit(X,", ".fit((X := X.drop(columns='area')).to_numpy(),")
    .replace("predict_proba(X.head(1))", "predict_proba(X.head(1).to_numpy())")
)
PROVE_AND_ASK = """
import json, sys
from pathlib import Path
from model_service.model.loading import load_model
from model_service.web.app import create_app
from workbench.verify.prove import prove
proof = prove(Path())
client = create_app(load_model(Path("model"))).test_client()
answer = client.post("/predict", json=json.loads(sys.argv[1])).json
print(json.dumps([str(proof), answer]))
"""
STEPS = [(FRAME_STEP, FRAME_TRAIN, "income,loan,area"), (ARRAY_STEP, ARRAY_TRAIN, "income,loan")]


@pytest.mark.parametrize(("step", "train", "features"), STEPS, ids=["frame", "array"])
def test_an_author_step_before_the_columns_gets_a_frame_or_an_array(
    step: str, train: str, features: str, tmp_path: Path
) -> None:
    native = trained(tmp_path, step + train)
    (tmp_path / "code.py").write_text(step)
    model, sample = tmp_path / "model.joblib", {"sample_data": "sample.csv"}
    with pytest.raises(UserError, match=rf"answer features= .* {features}"):
        adopted(tmp_path, model, model_code="code.py", **sample)
    project = adopted(tmp_path, model, model_code="code.py", features=features, **sample)
    where = {"cwd": project, "env": environment(PYTHONPATH=str(SRC))}
    row = rows_of(pd.read_csv(tmp_path / "sample.csv").head(1)[features.split(",")])[0]
    asked = subprocess.check_output([sys.executable, "-c", PROVE_AND_ASK, json.dumps(row)], **where)
    proof, answer = json.loads(asked.splitlines()[-1])
    assert "recorded" in proof
    assert list(answer["probabilities"].values()) == native[0]


def test_prepare_makes_the_columns_of_the_authors_app(tmp_path: Path) -> None:
    frame = pd.DataFrame({"income": [10.0, 20.0, 30.0] * 20, "loan": [5.0, 40.0, 15.0] * 20})
    ratio = frame.assign(ratio=frame["loan"] / frame["income"])
    native = LogisticRegression().fit(ratio, [1, 0, 1] * 20)
    by_joblib(native, tmp_path / "model.joblib")
    (tmp_path / "app.py").write_text(
        "def prepare(frame):\n    return frame.assign(ratio=frame['loan'] / frame['income'])\n"
    )
    answers = {"model_code": "app.py", "sample_data": "sample.csv"}
    frame.assign(approved=[1, 0, 1] * 20).to_csv(tmp_path / "sample.csv", index=False)
    with pytest.raises(UserError, match="answer features= with what it takes"):
        adopted(tmp_path, tmp_path / "model.joblib", model_code="app.py")
    project = adopted(tmp_path, tmp_path / "model.joblib", **answers)
    assert set(features_of(project)) == {"income", "loan"}
    prove.prove(project)
    client = create_app(load_model(project / "model")).test_client()
    answer = client.post("/predict", json={"income": 20, "loan": 7}).json
    expected = native.predict_proba(
        pd.DataFrame({"income": [20.0], "loan": [7.0], "ratio": [0.35]})
    )
    assert answer is not None
    assert list(answer["probabilities"].values()) == expected[0].tolist()


def test_code_that_fails_or_was_changed_stops_the_service(tmp_path: Path) -> None:
    by_joblib(Ridge().fit(DIABETES, DIABETES_Y), tmp_path / "model.joblib")
    (tmp_path / "app.py").write_text(
        "from re import no_such_name\ndef prepare(frame): return frame\n"
    )
    names = ",".join(DIABETES.columns)
    project = adopted(tmp_path, tmp_path / "model.joblib", model_code="app.py", features=names)
    with pytest.raises(ModelError, match=r"custom_code\.py fails: ImportError"):
        load_model(project / "model")
    (project / "model" / "custom_code.py").write_text("def prepare(frame): return frame\n")
    with pytest.raises(ModelError, match="is not the file that was adopted"):
        load_model(project / "model")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def prepare(frame:", "not Python that can be read"),
        ("x = 1\nprint(x)", r"does more than define \(line 2: print\(x\)\)"),
        ("for x in (1, 2):\n    y = x", "does more than define"),
        ("x = 1", r"does not define __main__\.RatioAdder"),
    ],
)
def test_unusable_author_code_is_refused(text: str, words: str, tmp_path: Path) -> None:
    trained(tmp_path, NOTEBOOK + TRAIN)
    (tmp_path / "code.py").write_text(text)
    with pytest.raises(UserError, match=words):
        adopted(tmp_path, tmp_path / "model.joblib", model_code="code.py")
