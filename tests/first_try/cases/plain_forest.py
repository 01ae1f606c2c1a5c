"""A forest on two columns, saved with its CSV: the plainest course notebook."""

import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier

rng = np.random.RandomState(0)
frame = pd.DataFrame({"age": rng.randint(18, 90, 200), "fare": rng.exponential(30, 200)})
survived = np.where(frame.age < 40, "yes", "no")
model = RandomForestClassifier(n_estimators=5, random_state=0).fit(frame, survived)
joblib.dump(model, "model.pkl")
frame.assign(survived=survived).to_csv("train.csv", index=False)
rows = frame.head(24)
native = {"rows": rows.to_dict("records"), "predictions": model.predict(rows).tolist()}
Path("native.json").write_text(json.dumps(native))
