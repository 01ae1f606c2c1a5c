"""A pipeline whose steps are classes of a package: src.features.ratios and src.utils.text."""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

TEXT = """from sklearn.base import BaseEstimator, TransformerMixin


def lower(value):
    return value.strip().lower()


class Lower(BaseEstimator, TransformerMixin):
    def __init__(self, column):
        self.column = column

    def fit(self, frame, y=None):
        return self

    def transform(self, frame):
        out = frame.copy()
        out[self.column] = [lower(v) for v in out[self.column]]
        return out
"""
RATIOS = """from sklearn.base import BaseEstimator, TransformerMixin

from src.utils.text import lower


class Ratios(BaseEstimator, TransformerMixin):
    def __init__(self, top, bottom, name):
        self.top = top
        self.bottom = bottom
        self.name = name

    def fit(self, frame, y=None):
        return self

    def transform(self, frame):
        out = frame.copy()
        out[lower(self.name)] = out[self.top] / out[self.bottom].clip(lower=1)
        return out
"""
for folder in ("src", "src/features", "src/utils"):
    Path(folder).mkdir(exist_ok=True)
    Path(folder, "__init__.py").touch()
Path("src/utils/text.py").write_text(TEXT)
Path("src/features/ratios.py").write_text(RATIOS)
sys.path.insert(0, ".")
from src.features.ratios import Ratios  # noqa: E402
from src.utils.text import Lower  # noqa: E402

rng = np.random.RandomState(0)
frame = pd.DataFrame(
    {
        "debt": rng.uniform(0, 5000, 160).round(),
        "income": rng.uniform(500, 9000, 160).round(),
        "city": rng.choice(["Rome", " Oslo", "LIMA"], 160),
    }
)
default = (frame.debt / frame.income > 0.5).astype(int)
encode = ColumnTransformer(
    [("city", OneHotEncoder(handle_unknown="ignore"), ["city"])], remainder="passthrough"
)
steps = [("lower", Lower("city")), ("ratio", Ratios("debt", "income", "DTI")), ("encode", encode)]
forest = RandomForestClassifier(n_estimators=8, random_state=0)
model = Pipeline([*steps, ("forest", forest)]).fit(frame, default)
Path("model.pkl").write_bytes(pickle.dumps(model))
frame.assign(default=default).to_csv("train.csv", index=False)
rows = frame.head(24)
native = {"rows": rows.to_dict("records"), "predictions": model.predict(rows).tolist()}
Path("native.json").write_text(json.dumps(native))
