"""The CSV beside the model is what the notebook saved after scaling."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import StandardScaler

rng = np.random.RandomState(8)
frame = pd.DataFrame({"Recency": rng.randint(1, 365, 300)})
frame["Frequency"] = rng.poisson(20, 300)
frame["TotalSpent"] = rng.gamma(9, 250, 300).round(2)
target = (frame["Recency"] > 180).astype(int)
scaler = StandardScaler().fit(frame)
scaled = scaler.transform(frame)
model = RandomForestClassifier(n_estimators=10, random_state=0).fit(scaled, target)
Path("model.pkl").write_bytes(pickle.dumps(model))
Path("scaler.pkl").write_bytes(pickle.dumps(scaler))
pd.DataFrame(scaled, columns=frame.columns).to_csv("X_train.csv", index=False)
rows = frame.head(24)
native = {"rows": rows.to_dict("records"), "predictions": model.predict(scaled[:24]).tolist()}
Path("native.json").write_text(json.dumps(native))
