"""A price model that was fitted on the logarithm; the app answers np.expm1 of it."""

import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor

random = np.random.RandomState(0)
frame = pd.DataFrame(
    {"area": random.uniform(30, 200, 200).round(1), "rooms": random.randint(1, 6, 200)}
)
price = frame["area"] * 3000 + frame["rooms"] * 9000
model = GradientBoostingRegressor(n_estimators=20, random_state=0).fit(frame, np.log1p(price))
joblib.dump(model, "model.pkl")
answers = np.expm1(model.predict(frame))
frame.assign(expected=answers).head(30).to_csv("sample.csv", index=False)
native = {"rows": frame.head(24).to_dict("records"), "predictions": answers[:24].tolist()}
Path("native.json").write_text(json.dumps(native))
