"""Fit one tiny model on pandas categories, save it, and print what it predicts.

    python make.py LIBRARY FILE

The files here were made so, each by the release in its name (`hist` is scikit-learn's histogram
gradient boosting). With FILE there already, it is loaded instead of made.
"""

# Each environment has one of the libraries, so they are imported inside of the function.
# ruff: noqa: PLC0415

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

ROWS = 120
CITIES = ["Ulm", "Bonn", "Kiel", "Aalen"]  # in an order of its own, and one that never occurs
ZONES = [10, 20, 30]
GRADES = ["low", "mid", "high"]


def frame(library: str) -> pd.DataFrame:
    """Return the rows of the training, as its script prepared them for the library."""
    random = np.random.RandomState(0)
    rows = pd.DataFrame(
        {
            "Zone code": random.choice(ZONES, ROWS),
            "Income": random.normal(size=ROWS),
            "City": random.choice(CITIES[:3], ROWS),
            "Owner": random.choice([0, 1], ROWS),
            "Grade": random.choice(GRADES, ROWS),
        }
    )
    if library == "catboost":  # takes neither a missing nor an ordered category
        return rows
    rows.loc[3, "City"] = None
    if library == "xgboost-codes":  # as most people do it
        return rows.astype(dict.fromkeys(("Zone code", "City", "Grade"), "category"))
    zones = rows["Zone code"].astype("int8") if library == "xgboost" else rows["Zone code"]
    return rows.assign(
        **{
            "Zone code": zones.astype("category"),
            "City": pd.Categorical(rows["City"], categories=CITIES),
            "Grade": pd.Categorical(rows["Grade"], categories=GRADES, ordered=True),
        }
    )


def target(rows: pd.DataFrame) -> np.ndarray:
    zone, city = rows["Zone code"].astype(int), rows["City"].astype(object)
    ones = (city == "Ulm") ^ (rows["Income"] > 0) ^ (zone == 20) ^ (rows["Grade"] == "mid")
    return ones.astype(int).to_numpy()


def make(library: str) -> Any:
    """Return a fitted model."""
    rows = frame(library)
    labels = target(rows)
    if library == "lightgbm":
        from lightgbm import LGBMClassifier

        settings = {"num_leaves": 6, "min_child_samples": 2, "min_data_per_group": 2}
        model = LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1, cat_smooth=1, **settings)
        return model.fit(rows, labels)
    if library in ("xgboost", "xgboost-codes"):
        from xgboost import XGBClassifier

        settings = {"tree_method": "hist", "enable_categorical": True, "max_cat_to_onehot": 1}
        return XGBClassifier(n_estimators=5, max_depth=3, n_jobs=1, **settings).fit(rows, labels)
    if library == "catboost":
        from catboost import CatBoostClassifier

        settings = {"thread_count": 1, "verbose": 0, "allow_writing_files": False}
        model = CatBoostClassifier(iterations=5, depth=3, **settings)
        return model.fit(rows, labels, cat_features=["Zone code", "City", "Grade"])
    if library == "hist":
        from sklearn.ensemble import HistGradientBoostingClassifier

        settings = {"categorical_features": "from_dtype", "min_samples_leaf": 2}
        return HistGradientBoostingClassifier(max_iter=5, max_depth=3, **settings).fit(rows, labels)
    raise ValueError(library)


def main(library: str, file: str) -> None:
    warnings.simplefilter("ignore")
    if not Path(file).exists():
        joblib.dump(make(library), file)
    print(json.dumps(joblib.load(file).predict_proba(frame(library)).tolist()))


if __name__ == "__main__":
    main(*sys.argv[1:])
