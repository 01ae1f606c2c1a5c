"""The app says yes from a probability of 0.3, and the sample has its answers."""

import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

random = np.random.RandomState(2)
frame = pd.DataFrame(random.normal(size=(400, 3)).round(3), columns=["age", "income", "debt"])
default = (frame["debt"] - frame["income"] + random.normal(size=400) > 0.5).astype(int)
model = LogisticRegression().fit(frame, default)
joblib.dump(model, "credit.joblib")
answers = (model.predict_proba(frame)[:, 1] >= 0.3).astype(int)
frame.assign(expected=answers).to_csv("credit.csv", index=False)
native = {"rows": frame.head(24).to_dict("records"), "predictions": answers[:24].tolist()}
Path("native.json").write_text(json.dumps(native))
