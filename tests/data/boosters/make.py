"""Fit one tiny model, save it, and print what it predicts.

    python make.py LIBRARY CASE FILE

The files here were made so, each by the release in its name, beside a scikit-learn of its time.
With FILE there already, it is loaded instead of made.
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
ROWS = {"array": ARRAY, "three": ARRAY, "pipeline": MIXED, "search": MIXED}


def make(library: str, case: str) -> object:
    """Return a fitted model."""
    module, prefix = importlib.import_module(library), PREFIX[library]

    def new(kind: str) -> object:
        return getattr(module, prefix + kind)(**SETTINGS[library])

    encode = ColumnTransformer([("area", OneHotEncoder(), ["Area"])], remainder="passthrough")
    pipeline = Pipeline([("columns", encode), ("model", new("Classifier"))])
    if case == "array":
        return new("Classifier").fit(ARRAY, LABELS)
    if case == "frame":
        return new("Classifier").fit(FRAME, LABELS)
    if case == "text":
        return new("Classifier").fit(FRAME, np.where(LABELS == 1, "yes", "no"))
    if case == "three":
        return new("Classifier").fit(ARRAY, np.digitize(ARRAY[:, 0], [-0.5, 0.5]))
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


def main(library: str, case: str, file: str) -> None:
    warnings.simplefilter("ignore")
    if not Path(file).exists():
        joblib.dump(make(library, case), file)
    model = joblib.load(file)
    if case not in ("unfitted", "ranker", "booster"):
        rows = ROWS.get(case, FRAME)
        values = [getattr(model, method)(rows) for method in METHODS if hasattr(model, method)]
        print(json.dumps([np.asarray(value).tolist() for value in values]))


METHODS = ("predict", "predict_proba")

if __name__ == "__main__":
    main(*sys.argv[1:])
