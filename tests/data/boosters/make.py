"""Fit one tiny model, save it, and print what it predicts.

    python make.py LIBRARY CASE FILE

The files here were made so, each by the release in its name, beside a scikit-learn of its time.
With FILE there already, it is loaded instead of made. Cases that begin with "raw" are boosters
without a scikit-learn class; a FILE that does not end with .joblib is in the library's own format.
"""

from __future__ import annotations

import importlib
import json
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

PREFIX = {"xgboost": "XGB", "lightgbm": "LGBM", "catboost": "CatBoost"}
SETTINGS = {
    "xgboost": {"n_estimators": 2, "max_depth": 2, "n_jobs": 1},
    "lightgbm": {"n_estimators": 2, "num_leaves": 4, "n_jobs": 1, "verbose": -1},
    "catboost": {
        "iterations": 2,
        "depth": 2,
        "thread_count": 1,
        "verbose": 0,
        "allow_writing_files": False,
    },
}

random = np.random.RandomState(0)
FRAME = pd.DataFrame(random.normal(size=(80, 3)), columns=["Income", "Credit history", "limit(%)"])
MIXED = FRAME.assign(Area=random.choice(["Rural", "Urban"], 80))
ARRAY = FRAME.to_numpy()
LABELS = (FRAME["Income"] > FRAME["limit(%)"]).astype(int).to_numpy()
THREE = np.digitize(ARRAY[:, 0], [-0.5, 0.5])
# case of a raw booster -> target, and its objective in each library
RAW = {
    "raw": (LABELS, {"xgboost": "binary:logistic", "lightgbm": "binary", "catboost": "Logloss"}),
    "raw-three": (
        THREE,
        {"xgboost": "multi:softprob", "lightgbm": "multiclass", "catboost": "MultiClass"},
    ),
    "raw-softmax": (THREE, {"xgboost": "multi:softmax"}),
    "raw-number": (
        ARRAY[:, 0],
        {"xgboost": "reg:squarederror", "lightgbm": "regression", "catboost": "RMSE"},
    ),
    "raw-numbers": (ARRAY[:, :2], {"xgboost": "reg:squarederror", "catboost": "MultiRMSE"}),
}
ROWS = {"array": ARRAY, "three": ARRAY, "pipeline": MIXED, "search": MIXED}


def make(library: str, case: str) -> object:
    """Return a fitted model."""
    module, prefix = importlib.import_module(library), PREFIX[library]

    def new(kind: str) -> object:
        return getattr(module, prefix + kind)(**SETTINGS[library])

    encode = ColumnTransformer([("area", OneHotEncoder(), ["Area"])], remainder="passthrough")
    pipeline = Pipeline([("columns", encode), ("model", new("Classifier"))])
    if case in RAW:
        return make_raw(library, case)
    if case == "array":
        return new("Classifier").fit(ARRAY, LABELS)
    if case == "frame":
        return new("Classifier").fit(FRAME, LABELS)
    if case == "text":
        return new("Classifier").fit(FRAME, np.where(LABELS == 1, "yes", "no"))
    if case == "three":
        return new("Classifier").fit(ARRAY, THREE)
    if case == "regressor":
        return new("Regressor").fit(FRAME, ARRAY[:, 0])
    if case == "pipeline":
        return pipeline.fit(MIXED, LABELS)
    if case == "search":
        return GridSearchCV(pipeline, {"model__random_state": [0, 1]}, cv=2).fit(MIXED, LABELS)
    if case == "unfitted":
        return new("Classifier")
    if case == "ranker":
        group = {"group_id": [0] * 40 + [1] * 40} if library == "catboost" else {"group": [40, 40]}
        return new("Ranker").fit(ARRAY, LABELS, **group)
    if case == "booster":
        model = new("Classifier").fit(ARRAY, LABELS)
        return model.get_booster() if library == "xgboost" else model.booster_
    raise ValueError(case)


def make_raw(library: str, case: str) -> object:
    """Return a booster without a scikit-learn class."""
    module, (target, objectives) = importlib.import_module(library), RAW[case]
    settings = {key: value for key, value in SETTINGS[library].items() if key != "n_jobs"}
    rounds = settings.pop("n_estimators", 0)
    if library == "catboost":
        return module.CatBoost({**settings, "loss_function": objectives[library]}).fit(
            FRAME, target
        )
    settings["objective"] = objectives[library]
    if target is THREE:
        settings["num_class"] = 3
    kind = module.DMatrix if library == "xgboost" else module.Dataset
    return module.train(settings, kind(FRAME, target), rounds)


def save(model: object, file: str) -> None:
    if file.endswith(".joblib"):
        joblib.dump(model, file)
    else:
        model.save_model(file)


def load(library: str, case: str, file: str) -> object:
    """Return the model in a file, as the library's own documentation says."""
    if file.endswith(".joblib"):
        return joblib.load(file)
    module = importlib.import_module(library)
    if library == "lightgbm":
        return module.Booster(model_file=file)
    classes = case in ("raw", "raw-three")
    kind = "Booster" if library == "xgboost" else "CatBoostClassifier" if classes else "CatBoost"
    model = getattr(module, kind)()
    model.load_model(file)
    return model


def main(library: str, case: str, file: str) -> None:
    warnings.simplefilter("ignore")
    if not Path(file).exists():
        save(make(library, case), file)
    model = load(library, case, file)
    if case not in ("unfitted", "ranker", "booster"):
        rows = ROWS.get(case, FRAME)
        if library == "xgboost" and case in RAW:
            rows = importlib.import_module(library).DMatrix(rows)
        values = [getattr(model, method)(rows) for method in METHODS if hasattr(model, method)]
        print(json.dumps([np.asarray(value).tolist() for value in values]))


METHODS = ("predict", "predict_proba")

if __name__ == "__main__":
    main(*sys.argv[1:])
