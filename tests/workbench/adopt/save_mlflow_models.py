"""Save models with MLflow, and what pyfunc predicts for them; runs in an environment of its own."""

# ruff: noqa: E402  # warnings are switched off before MLflow is imported
from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from typing import Any

os.environ["MLFLOW_DISABLE_SCHEMA_CHECK"] = "1"
warnings.simplefilter("ignore")

import catboost
import lightgbm
import mlflow.catboost
import mlflow.lightgbm
import mlflow.pyfunc
import mlflow.sklearn
import mlflow.xgboost
import numpy as np
import pandas as pd
import xgboost
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

random = np.random.RandomState(0)
FRAME = pd.DataFrame(
    {
        "age": random.randint(18, 80, 150),
        "fare": random.exponential(30, 150),
        "member": random.rand(150) > 0.5,
        "town": random.choice(["Bonn", "Köln"], 150),
    }
)
NUMBERS = FRAME[["age", "fare"]]
BINARY = (FRAME.fare > 25).astype(int)
CLASSES = BINARY + (FRAME.age > 50)
WORDS = np.where(BINARY, "yes", "no")
TARGET = FRAME.fare * 2 + FRAME.age


def models() -> Iterator[tuple[str, Any, Any, pd.DataFrame]]:
    columns = make_column_transformer(
        (OneHotEncoder(), ["town"]), (StandardScaler(), ["age", "fare"]), remainder="passthrough"
    )
    pipeline = make_pipeline(columns, LogisticRegression()).fit(FRAME, WORDS)
    yield "pipeline", mlflow.sklearn, pipeline, FRAME
    forest = RandomForestClassifier(5, random_state=0).fit(NUMBERS.to_numpy(), BINARY)
    yield "nameless_forest", mlflow.sklearn, forest, NUMBERS
    classifier = xgboost.XGBClassifier(n_estimators=5)
    yield "xgb_classifier", mlflow.xgboost, classifier.fit(NUMBERS, BINARY), NUMBERS
    classifier = xgboost.XGBClassifier(n_estimators=5)
    yield "xgb_classes", mlflow.xgboost, classifier.fit(NUMBERS, CLASSES), NUMBERS
    matrix = xgboost.DMatrix(NUMBERS, TARGET)
    yield "xgb_booster", mlflow.xgboost, xgboost.train({}, matrix, 5), NUMBERS
    model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(NUMBERS, WORDS)
    yield "lgb_classifier", mlflow.lightgbm, model, NUMBERS
    data = lightgbm.Dataset(NUMBERS, TARGET)
    booster = lightgbm.train({"objective": "regression", "verbose": -1}, data, 5)
    yield "lgb_booster", mlflow.lightgbm, booster, NUMBERS
    for name, y in (("cb_words", WORDS), ("cb_binary", BINARY)):
        model = catboost.CatBoostClassifier(iterations=5, verbose=0, allow_writing_files=False)
        yield name, mlflow.catboost, model.fit(NUMBERS, y), NUMBERS
    model = catboost.CatBoostRegressor(iterations=5, verbose=0, allow_writing_files=False)
    yield "cb_regressor", mlflow.catboost, model.fit(NUMBERS, TARGET), NUMBERS


native = {}
for name, flavor, model, rows in models():
    options = {"serialization_format": "cloudpickle"} if name == "nameless_forest" else {}
    flavor.save_model(
        model,
        name,
        signature=infer_signature(rows),
        input_example=rows.head(5),
        pip_requirements=["scikit-learn==1.7.2"],
        **options,
    )
    predicted = np.asarray(mlflow.pyfunc.load_model(name).predict(rows.head(20)))
    native[name] = {
        "rows": rows.head(20).to_dict("records"),
        "predictions": predicted.ravel().tolist(),
    }
with open("native.json", "w", encoding="utf-8") as file:  # noqa: PTH123
    json.dump(native, file, default=lambda value: value.item())
