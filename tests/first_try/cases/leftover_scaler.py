"""A scaler that was saved for another model: this one was fitted on the values as they are."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

rng = np.random.RandomState(12)
frame = pd.DataFrame({"age": rng.randint(18, 80, 300)})
frame["income"] = rng.gamma(9, 500, 300).round()
frame["debt"] = rng.gamma(4, 300, 300).round()
bad = (frame["debt"] * 4 > frame["income"]).astype(int)
model = LogisticRegression(max_iter=5000).fit(frame, bad)
Path("model.pkl").write_bytes(pickle.dumps(model))
Path("scaler.pkl").write_bytes(pickle.dumps(StandardScaler().fit(frame)))
frame.assign(default=bad).to_csv("loans.csv", index=False)
rows = frame.head(24)
native = {"rows": rows.to_dict("records"), "predictions": model.predict(rows).tolist()}
Path("native.json").write_text(json.dumps(native))
