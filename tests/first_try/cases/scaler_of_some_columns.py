"""A booster that knows all its names, and beside it a scaler of two of them, as in fraud apps."""

import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

random = np.random.RandomState(1)
frame = pd.DataFrame(
    {
        "seconds": random.uniform(0, 1e5, 300),
        "v1": random.normal(size=300),
        "v2": random.normal(size=300),
        "amount": random.exponential(90, 300),
    }
).round(4)
fraud = ((frame["amount"] > 120) & (frame["v1"] > 0)).astype(int)
columns = ["seconds", "amount"]
scaler = StandardScaler().fit(frame[columns])
scaled = frame.copy()
scaled[columns] = scaler.transform(frame[columns])
model = XGBClassifier(n_estimators=8).fit(scaled, fraud)
joblib.dump(model, "fraud.pkl")
joblib.dump(scaler, "scaler.pkl")
frame.assign(fraud=fraud).to_csv("train.csv", index=False)
native = {"rows": frame.head(24).to_dict("records"), "predictions": model.predict(scaled)[:24]}
native["predictions"] = native["predictions"].tolist()
Path("native.json").write_text(json.dumps(native))
