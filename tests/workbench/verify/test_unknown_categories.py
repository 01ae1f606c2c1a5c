"""Categories behind prepare() are guarded as those in front of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import adopted, features_of
from flask.testing import FlaskClient
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from model_service.model.loading import load_model
from model_service.web.app import create_app
from model_service.web.settings import Settings
from workbench.verify.prove import prove

BRANDS = ["audi", "bmw", "ford"]
CARS = pd.DataFrame({"Brand": BRANDS * 40, "Year": np.arange(120.0) % 20 + 1990})
PRICES = CARS["Year"] + CARS["Brand"].map({"audi": 9.0, "bmw": 5.0, "ford": 0.0})
CODE = """
import pandas as pd

def prepare(frame):
    return pd.DataFrame({"Brand": frame["Brand"]%s, "Age": 2024 - frame["Year"]})
"""


def prepared() -> pd.DataFrame:
    return pd.DataFrame({"Brand": CARS["Brand"], "Age": 2024 - CARS["Year"]})


def service(folder: Path, native: Any, to_category: str, sample: pd.DataFrame) -> Path:
    joblib.dump(native, folder / "model.joblib")
    (folder / "code.py").write_text(CODE % to_category)
    sample.to_csv(folder / "sample.csv", index=False)
    project = adopted(
        folder,
        folder / "model.joblib",
        model_code="code.py",
        features="Brand,Year",
        sample_data="sample.csv",
    )
    prove(project)
    return project


def client(project: Path) -> FlaskClient:
    return create_app(load_model(project / "model"), Settings()).test_client()


def boosted() -> HistGradientBoostingRegressor:
    frame = prepared().astype({"Brand": "category"})
    return HistGradientBoostingRegressor(categorical_features="from_dtype").fit(frame, PRICES)


def test_a_pandas_category_takes_no_others(tmp_path: Path) -> None:
    """pandas would make it a missing value, in silence."""
    project = service(tmp_path, boosted(), ".astype('category')", CARS)
    assert features_of(project)["Brand"]["strict"] is True
    answer = client(project).post("/predict", json={"Brand": "tesla", "Year": 2000})
    assert answer.status_code == 422
    assert answer.json["errors"][0]["message"] == "must be one of audi, bmw, ford"


def test_a_category_that_only_the_sample_has_is_not_listed(tmp_path: Path) -> None:
    sample = CARS.copy()
    sample.loc[::10, "Brand"] = "saab"
    project = service(tmp_path, boosted(), ".astype('category')", sample)
    assert features_of(project)["Brand"]["categories"] == BRANDS
    golden = json.loads((project / "model" / "golden.json").read_text())
    assert {row["Brand"] for row in golden["rows"]} <= {*BRANDS, None}


@pytest.mark.parametrize("year", [2000, 2012])
def test_a_category_that_an_encoder_ignores_has_a_warning(tmp_path: Path, year: int) -> None:
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["Brand"]), remainder="passthrough"
    )
    native = make_pipeline(encoder, LinearRegression()).fit(prepared(), PRICES)
    project = service(tmp_path, native, "", CARS)
    answer = client(project).post("/predict", json={"Brand": "tesla", "Year": year}).json
    (warning, *others) = answer["warnings"]
    assert warning["feature"] == "Brand"
    assert warning["message"] == '"tesla" is not one of audi, bmw, ford, the known categories'
    assert [other["message"] for other in others] == (
        ["2012 is outside 1990 to 2009, the range of the sample"] if year > 2009 + 1.9 else []
    )
