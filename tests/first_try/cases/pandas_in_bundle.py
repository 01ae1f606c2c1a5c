"""Bundles that keep a frame, a Series or the columns of pandas 3 beside the model."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

random = np.random.RandomState(0)
frame = pd.DataFrame(
    {
        "glucose": random.uniform(60, 200, 150),
        "bmi": random.uniform(17, 45, 150),
        "age": random.randint(20, 80, 150),
    }
)
target = pd.Series((frame.glucose > 130).astype(int), name="diabetes")
model = LogisticRegression(max_iter=2000).fit(frame.values, target)
files = {
    "frame.pkl": {"model": model, "X_train": frame, "y_train": target, "metrics": {"auc": 0.97}},
    "columns.pkl": {"model": model, "columns": frame.columns},
    "head.pkl": {"model": model, "columns": frame.columns.tolist(), "test": frame.head(5)},
    "model.pkl": model,
    "names.pkl": frame.columns,
}
for name, value in files.items():
    with Path(name).open("wb") as file:
        pickle.dump(value, file)
rows = frame.head(9)
native = {"rows": rows.to_dict("records"), "predictions": model.predict(rows.values).tolist()}
Path("native.json").write_text(json.dumps(native))
