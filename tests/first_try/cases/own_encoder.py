"""A transformer of the user's own in a module beside the app, attributes without underscores."""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from xgboost import XGBRegressor

CODE = """\
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import LabelEncoder


class ColumnsEncoder(BaseEstimator, TransformerMixin):
    def __init__(self, columns=None):
        self.columns = columns
        self.encoders = {}

    def fit(self, frame, y=None):
        for name in self.columns:
            self.encoders[name] = LabelEncoder().fit(frame[name].astype(str))
        return self

    def transform(self, frame):
        out = frame.copy()
        for name in self.columns:
            out[name] = self.encoders[name].transform(out[name].astype(str))
        return out
"""
Path("columns_encoder.py").write_text(CODE)
sys.path.insert(0, ".")
from columns_encoder import ColumnsEncoder  # noqa: E402

random = np.random.RandomState(4)
frame = pd.DataFrame(
    {
        "day": random.choice(["Mon", "Tue", "Wed"], 150),
        "team": random.choice(["a", "b"], 150),
        "hours": random.uniform(1, 9, 150).round(2),
    }
)
target = frame["hours"] * (frame["team"] == "a") + random.normal(size=150) * 0.1
encoder = ColumnsEncoder(["day", "team"]).fit(frame)
model = XGBRegressor(n_estimators=8).fit(encoder.transform(frame), target)
Path("model.pkl").write_bytes(pickle.dumps(model))
Path("encoder.pkl").write_bytes(pickle.dumps(encoder))
frame.to_csv("train.csv", index=False)
native = {
    "rows": frame.head(24).to_dict("records"),
    "predictions": model.predict(encoder.transform(frame.head(24))).tolist(),
}
Path("native.json").write_text(json.dumps(native))
