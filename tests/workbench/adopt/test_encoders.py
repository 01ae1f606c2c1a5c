"""The encoders in a model hold the categories of its features, so no sample is needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import adopted
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from model_service.model.loading import load_model
from model_service.web.app import create_app
from workbench.inspect import inspect
from workbench.verify import prove

AREAS = ["Rural", "Semi urban", "Urban"]
ROWS = pd.DataFrame(
    {
        "Income": np.linspace(1000, 9000, 60),
        "Area": pd.Series([*AREAS, "Rural", None] * 12, dtype=object),
        "Rooms": [1, 2, 3] * 20,
    }
)
DECISIONS = np.array(["N", "Y", "Y", "N"] * 15)


def columns_of(encoder: Any, columns: Any) -> ColumnTransformer:
    return ColumnTransformer(
        [("texts", encoder, columns), ("codes", OneHotEncoder(), ["Rooms"])],
        remainder=StandardScaler(),
    )


def imputed(encoder: Any) -> Any:
    return make_pipeline(SimpleImputer(strategy="most_frequent"), encoder)


def areas_in(project: Path) -> dict[str, Any]:
    document = json.loads((project / "model" / "features.json").read_text(encoding="utf-8"))
    kinds = {feature["name"]: feature for feature in document["features"]}
    # An encoder of numbers leaves it open whether people mean numbers or categories.
    assert kinds["Income"]["type"] == kinds["Rooms"]["type"] == "number"
    found: dict[str, Any] = kinds["Area"]
    return found


def ask(project: Path, rows: pd.DataFrame) -> Any:
    client = create_app(load_model(project / "model")).test_client()
    asked = json.loads(rows.to_json(orient="records"))
    return client.post("/predict", json={"rows": asked})


@pytest.mark.parametrize(
    "columns", [["Area"], pd.Index(["Area"]), [1], make_column_selector(dtype_include=object)]
)
@pytest.mark.parametrize("encoder", [OneHotEncoder(), OrdinalEncoder()])
def test_categories_come_from_the_encoders_of_a_pipeline(
    columns: Any, encoder: Any, tmp_path: Path
) -> None:
    native = make_pipeline(columns_of(imputed(encoder), columns), LogisticRegression())
    native.fit(ROWS, DECISIONS)
    joblib.dump(native, tmp_path / "model.joblib")
    project = adopted(tmp_path, tmp_path / "model.joblib")
    assert areas_in(project)["categories"] == AREAS
    prove.prove(project)
    area = areas_in(project)
    assert area["nullable"] is True
    assert area["strict"] is True
    answered = ask(project, ROWS)
    assert [p["prediction"] for p in answered.json["predictions"]] == list(native.predict(ROWS))
    assert ask(project, ROWS.assign(Area="Lunar")).status_code == 422


def test_an_encoder_that_ignores_unknown_values_does_so_in_the_service(tmp_path: Path) -> None:
    encoder = OneHotEncoder(handle_unknown="ignore")
    native = make_pipeline(columns_of(encoder, ["Area"]), LogisticRegression()).fit(ROWS, DECISIONS)
    joblib.dump(native, tmp_path / "model.joblib")
    project = adopted(tmp_path, tmp_path / "model.joblib")
    prove.prove(project)
    other = ROWS.assign(Area="Lunar")
    answered = ask(project, other)
    assert [p["prediction"] for p in answered.json["predictions"]] == list(native.predict(other))


def test_categories_come_from_a_separate_preprocessor(tmp_path: Path) -> None:
    before = columns_of(imputed(OneHotEncoder()), ["Area"])
    native = LogisticRegression().fit(before.fit_transform(ROWS), DECISIONS)
    joblib.dump(before, tmp_path / "preprocessor.pkl")
    joblib.dump(native, tmp_path / "model.pkl")
    project = adopted(tmp_path, tmp_path / "model.pkl", transformers="preprocessor.pkl")
    assert areas_in(project)["categories"] == AREAS
    prove.prove(project)
    answered = ask(project, ROWS)
    expected = native.predict(before.transform(ROWS))
    assert [p["prediction"] for p in answered.json["predictions"]] == list(expected)


def test_categories_behind_a_step_that_can_change_them_are_unknown(tmp_path: Path) -> None:
    encoder = make_pipeline(FunctionTransformer(), OneHotEncoder())
    rows = ROWS.dropna()
    native = make_pipeline(columns_of(encoder, ["Area"]), LogisticRegression())
    joblib.dump(native.fit(rows, DECISIONS[rows.index]), tmp_path / "model.joblib")
    assert inspect(tmp_path / "model.joblib").encoded == {}
