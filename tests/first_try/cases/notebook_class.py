"""A transformer class in the notebook, exported as a script that trains; nothing but that file."""

import json
from pathlib import Path

SCRIPT = """import pickle
import random

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline

random.seed(0)
EPSILON = 1e-9


# debt per income
class Ratio(BaseEstimator, TransformerMixin):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return ratio(X)


def ratio(X):
    return X.assign(ratio=X["debt"] / (X["income"] + EPSILON))


rng = np.random.RandomState(11)
data = pd.DataFrame({"debt": rng.uniform(0, 9, 150), "income": rng.uniform(1, 9, 150)})
label = np.where(data.debt > data.income, "bad", "good")
model = make_pipeline(Ratio(), RandomForestClassifier(5, random_state=0)).fit(data, label)
print(model.score(data, label))
Path("model.pkl").write_bytes(pickle.dumps(model))
data.assign(label=label).to_csv("train.csv", index=False)
"""
Path("train.py").write_text(SCRIPT)
exec(SCRIPT, globals())
rows = data.head(24)  # noqa: F821
native = {"rows": rows.to_dict("records"), "predictions": model.predict(rows).tolist()}  # noqa: F821
Path("native.json").write_text(json.dumps(native))
