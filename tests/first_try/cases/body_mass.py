"""The app computes bmi and an age band with a helper module; the CSV has weight and height."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

HELPERS = """EDGES = (30, 50)


def band(age):
    return sum(age >= edge for edge in EDGES)
"""
FEATURES = """from helpers import band


def prepare(frame):
    bmi = frame["weight"] / (frame["height"] / 100) ** 2
    return frame.assign(bmi=bmi, band=[band(age) for age in frame["age"]])
"""
Path("helpers.py").write_text(HELPERS)
Path("features.py").write_text(FEATURES)
rng = np.random.RandomState(8)
raw = pd.DataFrame(
    {
        "age": rng.randint(18, 80, 200),
        "weight": rng.randint(45, 120, 200),
        "height": rng.randint(150, 200, 200),
    }
)
frame = raw.assign(
    bmi=raw.weight / (raw.height / 100) ** 2, band=[(a >= 30) + (a >= 50) for a in raw.age]
)[["age", "bmi", "band"]]
stroke = (frame.bmi > 28).astype(int)
model = LogisticRegression(max_iter=1000).fit(frame, stroke)
Path("model.pkl").write_bytes(pickle.dumps(model))
raw.assign(id=range(200), stroke=stroke).to_csv("patients.csv", index=False)
native = {
    "rows": raw.head(24).to_dict("records"),
    "predictions": model.predict(frame.head(24)).tolist(),
}
Path("native.json").write_text(json.dumps(native))
