"""A scaler, a model and a list of names, pickled into one open file one after the other."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

random = np.random.RandomState(0)
frame = pd.DataFrame(random.normal(50, 20, size=(120, 3)), columns=["age", "income", "debt"])
target = (frame.age + frame.debt > 100).astype(int)
scaler = StandardScaler().fit(frame)
model = LogisticRegression().fit(scaler.transform(frame), target)
nameless = LogisticRegression(max_iter=500).fit(frame.to_numpy(), target)
other = LogisticRegression(C=0.1, max_iter=500).fit(frame, target)
files = {
    "scaler_first.pkl": (scaler, model),
    "model_first.pkl": (model, scaler),
    "three.pkl": (scaler, list(frame.columns), model),
    "model_then_columns.pkl": (nameless, list(frame.columns)),
    "two_models.pkl": (other, nameless),
}
for name, objects in files.items():
    with Path(name).open("wb") as file:
        for one in objects:
            pickle.dump(one, file)
rows = frame.head(20)
for name, predictions in {
    "native.json": model.predict(scaler.transform(rows)),
    "native-columns.json": nameless.predict(rows.to_numpy()),
    "native-two.json": other.predict(rows),
}.items():
    native = {"rows": rows.to_dict("records"), "predictions": predictions.tolist()}
    Path(name).write_text(json.dumps(native))
