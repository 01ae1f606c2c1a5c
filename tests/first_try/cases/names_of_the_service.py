"""Features whose names are those of the service's own request or page."""

import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

rng = np.random.RandomState(0)
names = [
    "rows",
    "features",
    "prediction",
    "csv",
    "class",
    "a.b",
    "gr\u00f6\u00dfe (m\u00b2)",
    "50%",
]
names += ["__proto__", "id", "model", "name"]
frame = pd.DataFrame(rng.normal(size=(80, len(names))), columns=names)
model = LinearRegression().fit(frame, frame.sum(axis=1))
joblib.dump(model, "model.joblib")
frame.to_csv("train.csv", index=False)
rows = frame.head(24)
native = {"rows": rows.to_dict("records"), "predictions": model.predict(rows).tolist()}
Path("native.json").write_text(json.dumps(native))
