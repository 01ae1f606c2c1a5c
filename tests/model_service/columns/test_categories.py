"""Models trained on pandas categories predict as they do natively, for one row and for many.

The files in tests/data/categories are real, each written by the release in its name; make.py there
made them, and knows the rows of their training.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import pytest
from conftest import TESTS, adopted, bake, features_of, rows_of
from running import ask, served
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder
from sklearn.tree import DecisionTreeClassifier

from model_service.columns.categories import ColumnCategories
from model_service.contract.batch import Batch
from model_service.contract.parsing import parse_rows
from model_service.contract.schema import parse_contract
from model_service.errors import ModelError
from model_service.model.loading import load_model
from model_service.model.model import Model
from workbench.adopt.csv.category_lists import complete_categories
from workbench.errors import UserError
from workbench.inspect import Categories, RefusedFile, inspect
from workbench.inspect.formats import lightgbm_model, xgboost_model
from workbench.verify import prove

FILES = TESTS / "data" / "categories"
specification = importlib.util.spec_from_file_location("make", FILES / "make.py")
assert specification is not None
assert specification.loader is not None
make = importlib.util.module_from_spec(specification)
specification.loader.exec_module(make)

ORDERED = {0: (10, 20, 30), 2: ("Ulm", "Bonn", "Kiel", "Aalen"), 4: ("low", "mid", "high")}
# scikit-learn keeps those that occurred, sorted.
OCCURRED = {0: (10, 20, 30), 2: ("Bonn", "Kiel", "Ulm"), 4: ("high", "low", "mid")}
NOT_SAID = dict.fromkeys((0, 2, 4))
SAID: dict[str, dict[int, Any]] = {
    "lightgbm-3.3.5": ORDERED,
    "lightgbm-4.6.0": ORDERED,
    "xgboost-codes-1.7.6": NOT_SAID,
    "xgboost-codes-2.1.4": NOT_SAID,
    "xgboost-3.2.0": ORDERED,
    "xgboost-3.4.1": ORDERED,
    "hist-1.4.2": OCCURRED,
    "hist-1.6.1": OCCURRED,
    "hist-1.9.1": OCCURRED,
    "catboost-1.2.2": NOT_SAID,
    "catboost-1.2.10": NOT_SAID,
}


def library_of(name: str) -> str:
    return name.rpartition("-")[0]


def sample_of(name: str, folder: Path) -> pd.DataFrame:
    """Write the rows of the training into a CSV, as their author has them."""
    frame: pd.DataFrame = make.frame(library_of(name))
    frame.to_csv(folder / "sample.csv", index=False)
    return frame


def manifest_of(project: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((project / "model" / "manifest.json").read_text())
    return document


def rows_in_json(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return rows_of(frame.astype(object).where(frame.notna(), None))


@pytest.mark.parametrize("name", SAID)
def test_categories_are_read_from_a_model_file(name: str) -> None:
    facts = inspect(FILES / f"{name}.joblib")
    assert {n: column.values for n, column in facts.categories.items()} == SAID[name]
    assert {column.coded for column in facts.categories.values()} == {"catboost" not in name}
    assert facts.unknown_names == ()


@pytest.mark.parametrize("name", SAID)
def test_a_category_is_adopted_with_the_models_values(name: str, tmp_path: Path) -> None:
    sample_of(name, tmp_path)
    model = FILES / f"{name}.joblib"
    project = adopted(tmp_path, model, sample_data="sample.csv", python_version="auto")
    found = features_of(project)
    values = SAID[name] if SAID[name][2] else OCCURRED  # those of the sample, as pandas sorts them
    assert found["City"]["type"] == "category"
    assert found["City"]["categories"] == list(values[2])
    assert found["Zone code"]["categories"] == [10, 20, 30]
    assert found["Owner"]["type"] == "number"
    kept = manifest_of(project)["categories"]
    column = {"values": list(values[2]), "dtype": None}
    assert kept["City"] == (column if "catboost" not in name else {"values": None, "dtype": None})
    assert kept["Zone code"]["dtype"] == ("int8" if "xgboost-3" in name else None)


def test_categories_known_only_by_their_codes_must_be_declared(tmp_path: Path) -> None:
    model = FILES / "xgboost-codes-2.1.4.joblib"
    given: dict[str, str] = {"python_version": "auto"}
    with pytest.raises(UserError, match="pandas category City, and the file has its codes"):
        adopted(tmp_path, model, **given)
    frame = sample_of(model.stem, tmp_path)
    frame[frame["City"] != "Bonn"].to_csv(tmp_path / "some.csv", index=False)
    with pytest.raises(UserError, match=r"uses category number 3 of City, and only 2"):
        adopted(tmp_path, model, sample_data="some.csv", **given)
    features: list[dict[str, Any]] = [{"name": name} for name in frame.columns]
    for number, values in OCCURRED.items():
        features[number]["categories"] = list(values)
    (tmp_path / "features.json").write_text(json.dumps(features))
    project = adopted(tmp_path, model, features="features.json", **given)
    assert manifest_of(project)["categories"]["City"]["values"] == ["Bonn", "Kiel", "Ulm"]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"type": "number"}, r"City: .* its type must be category"),
        ({"categories": ["Ulm", "Paris"]}, "City: the model was not trained on Paris"),
        ({"strict": False}, r"City: the model takes no other categories .* take \"strict\" out"),
    ],
)
def test_a_contract_that_contradicts_the_categories_is_refused(
    said: dict[str, Any], words: str, tmp_path: Path
) -> None:
    frame = sample_of("hist-1.6.1", tmp_path)
    features = [{"name": n, **(said if n == "City" else {})} for n in frame.columns]
    (tmp_path / "features.json").write_text(json.dumps(features))
    given = {"features": "features.json", "python_version": "auto"}
    with pytest.raises(UserError, match=words):
        adopted(tmp_path, FILES / "hist-1.6.1.joblib", **given)


@pytest.fixture
def boosted(tmp_path: Path) -> tuple[Path, pd.DataFrame, Any]:
    """A project around a model that was trained here, its rows, and their native answers."""
    frame = sample_of("hist", tmp_path)
    native = make.make("hist")
    joblib.dump(native, tmp_path / "model.joblib")
    project = adopted(tmp_path, tmp_path / "model.joblib", sample_data="sample.csv")
    return project, frame, native


def probabilities(answers: Sequence[Any]) -> list[list[float]]:
    return [list(answer["probabilities"].values()) for answer in answers]


def alone(model: Model, batch: Batch) -> list[list[float]]:
    """Return the probabilities of each row, predicted without the others."""
    rows = (batch[number : number + 1] for number in range(len(batch)))
    return [probabilities(model.predict(row))[0] for row in rows]


def test_a_row_has_the_same_prediction_alone_and_in_a_batch(
    boosted: tuple[Path, pd.DataFrame, Any],
) -> None:
    project, frame, native = boosted
    prove.prove(project)
    model = load_model(project / "model")
    batch = parse_rows(model.contract, rows_in_json(frame))
    assert not batch.problems
    expected = native.predict_proba(frame).tolist()
    assert probabilities(model.predict(batch)) == expected
    assert alone(model, batch) == expected
    row = {**batch.rows()[0], "City": "Paris"}
    (problem,) = parse_rows(model.contract, [row]).problems
    assert problem.message == "must be one of Bonn, Kiel, Ulm"
    assert model.contract.features[2].nullable


def test_an_edited_contract_can_reorder_categories_but_not_add_any(
    boosted: tuple[Path, pd.DataFrame, Any],
) -> None:
    project, frame, native = boosted
    path = project / "model" / "features.json"
    document = json.loads(path.read_text())
    document["features"][2]["categories"] = ["Ulm", "Kiel", "Bonn"]
    path.write_text(json.dumps(document))
    model = load_model(project / "model")
    batch = parse_rows(model.contract, rows_in_json(frame))
    assert probabilities(model.predict(batch)) == native.predict_proba(frame).tolist()
    document["features"][2]["categories"] = ["Ulm", "Paris"]
    path.write_text(json.dumps(document))
    with pytest.raises(ModelError, match="the model was not trained on Paris"):
        load_model(project / "model")


def test_an_edited_contract_keeps_the_codes_of_the_model_before() -> None:
    contract = parse_contract({"features": [{"name": "City", "categories": ["b", "a"]}]})
    told = {"City": Categories()}
    previous = {"City": ColumnCategories(("a", "b"))}
    assert complete_categories(told, contract, previous)["City"].values == ("a", "b")
    assert complete_categories(told, contract, {})["City"].values == ("b", "a")


@pytest.mark.parametrize("encoder", [OneHotEncoder(), OrdinalEncoder(), TargetEncoder()])
def test_a_pipeline_fitted_on_pandas_categories_accepts_text(encoder: Any, tmp_path: Path) -> None:
    """The columns were selected by their type, which is settled when the pipeline is fitted."""
    frame = make.frame("hist").drop(3)
    categories = make_column_selector(dtype_include="category")
    columns = ColumnTransformer([("encode", encoder, categories)], remainder="passthrough")
    native = make_pipeline(columns, DecisionTreeClassifier(max_depth=4, random_state=0)).fit(
        frame, make.target(frame)
    )
    joblib.dump(native, tmp_path / "model.joblib")
    frame.to_csv(tmp_path / "sample.csv", index=False)
    features = [{"name": name} for name in frame.columns]
    features[0] |= {"type": "category", "categories": [10, 20, 30]}
    (tmp_path / "features.json").write_text(json.dumps(features))
    given = {"features": "features.json", "sample_data": "sample.csv"}
    project = adopted(tmp_path, tmp_path / "model.joblib", **given)
    prove.prove(project)
    model = load_model(project / "model")
    batch = parse_rows(model.contract, rows_in_json(frame))
    assert not batch.problems
    expected = native.predict_proba(frame).tolist()
    assert probabilities(model.predict(batch)) == expected
    assert alone(model, batch[:9]) == expected[:9]


def test_categories_that_prepare_makes_of_one_row_get_the_codes_of_the_training(
    tmp_path: Path,
) -> None:
    """The classical silent bug: of a single row, astype makes a category with one code."""
    frame = make.frame("hist").drop(3)
    native = HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype")
    native.fit(frame, make.target(frame))
    joblib.dump(native, tmp_path / "model.joblib")
    (tmp_path / "app.py").write_text(
        "def prepare(frame):\n"
        "    names = ['Zone code', 'City', 'Grade']\n"
        "    frame['Zone code'] = frame['Zone code'].astype(int)\n"
        "    return frame.astype(dict.fromkeys(names, 'category'))\n"
    )
    frame.to_csv(tmp_path / "sample.csv", index=False)
    given = {"model_code": "app.py", "features": ",".join(frame), "sample_data": "sample.csv"}
    project = adopted(tmp_path, tmp_path / "model.joblib", **given)
    model = load_model(project / "model")
    batch = parse_rows(model.contract, rows_in_json(frame)[:9])
    expected = native.predict_proba(frame[:9]).tolist()
    assert alone(model, batch) == expected


def lightgbm(infos: str, lists: str, categorical: str = "") -> str:
    return (
        f"tree\nversion=v4\nmax_feature_idx={infos.count(' ')}\nfeature_infos={infos}\n\n"
        f"Tree=0\n\nparameters:\n[categorical_feature: {categorical}]\nend of parameters\n\n"
        f"pandas_categorical:{lists}\n"
    )


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        (lightgbm("[0:1] 0:1 [0:9]", '[["a", "b"]]', "1"), [1]),
        (lightgbm("[0:1] 0:1 [0:2]", '[["a", "b"], ["x", "y", "z"]]', "1"), [1, 2]),
        (lightgbm("[0:3] -1:0:1 [0:1] [-2.5:7]", '[["a", "b"], ["x", "y", "z"]]', "1"), [1, 2]),
        (lightgbm("none [0.5:1]", '[["a"]]', "0"), [0]),
        (lightgbm("10:20 [0:1]", '[["a", "b"]]', "0"), [1]),  # numbers that are called categorical
        (lightgbm("[0:1] 1:2", "null", "1"), []),
        (lightgbm("[0:1] 1:2", "[[", "1"), []),
        (lightgbm("[0:1] 1:2", '[{"a": 1}]', "1"), []),
        (lightgbm("[0:1] 1:2", '[[["a"]]]', "1"), []),
    ],
)
def test_lightgbm_category_lists_are_matched_with_columns(text: str, columns: list[int]) -> None:
    facts = lightgbm_model.read(text)
    assert facts is not None
    assert list(facts.categories) == columns


@pytest.mark.parametrize(
    "text",
    [
        lightgbm("[0:1] 0:1 [0:1]", '[["a", "b"], ["c", "d"]]', "1"),
        lightgbm("[0:0.5] [3:9]", '[["a", "b"]]'),
        lightgbm("[0:1] " * 2000 + "none", json.dumps([["a", "b"]] * 1000)),
    ],
)
def test_category_lists_without_a_column_are_refused(text: str) -> None:
    with pytest.raises(RefusedFile, match="does not tell which columns they are"):
        lightgbm_model.read(text)


def xgboost(encoded: object, trees: object = ()) -> bytes:
    model = {"cats": {"enc": encoded}, "trees": trees}
    learner = {"feature_types": ["c"], "gradient_booster": {"model": model}}
    return json.dumps({"Model": {"learner": learner}}).encode()


@pytest.mark.parametrize(
    ("encoded", "values"),
    [
        ([{"offsets": [0, 1, 3], "values": [97, 98, 99]}], ("a", "bc")),
        ([{"type": 15, "values": [3, 5]}], (3, 5)),
        ([{"offsets": [0, 3, 0, 3], "values": [97, 98, 99]}], None),
        ([{"offsets": [], "values": []}], None),
        ([{"type": [1], "values": {}}], None),
        ([{"type": 99, "values": [1]}], None),
        ([], None),
        ({}, None),
    ],
)
def test_xgboost_category_lists_are_read(encoded: object, values: object) -> None:
    tree = {"categories_nodes": [0], "categories_segments": [-5], "categories_sizes": [1 << 60]}
    facts = xgboost_model.read(xgboost(encoded, [tree, None, {"categories": 1}]))
    assert facts is not None
    assert facts.categories[0].values == values


@pytest.mark.slow
@pytest.mark.heavy
@pytest.mark.parametrize(
    "name",
    ["lightgbm-4.6.0", "xgboost-codes-2.1.4", "xgboost-3.4.1", "hist-1.6.1", "catboost-1.2.10"],
)
def test_categories_are_predicted_as_by_their_own_library(name: str, tmp_path: Path) -> None:
    frame = sample_of(name, tmp_path)
    result = bake(
        tmp_path,
        model_path=FILES / f"{name}.joblib",
        sample_data="sample.csv",
        project_slug="categories",
        verify="true",
    )
    assert result.status == 0, result.errors
    assert "passed" in result.output, result.output
    command = [".venv/bin/python", FILES / "make.py", library_of(name), FILES / f"{name}.joblib"]
    expected = json.loads(subprocess.check_output(command, cwd=result.project))
    rows = rows_in_json(frame)
    with served(result.project) as (_, port):
        status, many = ask(port, "/predict", {"rows": rows})
        assert status == 200, many
        alone = [ask(port, "/predict", row)[1] for row in rows[:10]]
        unseen, _ = ask(port, "/predict", {**rows[0], "City": "Paris"})
    assert probabilities(many["predictions"]) == expected
    assert probabilities(alone) == expected[:10]
    assert unseen == (200 if "catboost" in name else 422)
    shutil.rmtree(result.project / ".venv")
