"""The columns of numbers as an array; the first column is a text that the training left out."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

rng = np.random.RandomState(6)
frame = pd.DataFrame({"Area": rng.choice(["Jharkand", "Bangalore", "Ecuador"], 120)})
frame["Oxygen"] = rng.randint(5, 60, 120)
frame["Temperature"] = rng.randint(10, 50, 120)
frame["Humidity"] = rng.randint(5, 95, 120)
frame["Fire Occurrence"] = (frame["Temperature"] > frame["Humidity"]).astype(int)
data = frame.to_numpy()
features, target = data[:, 1:-1].astype(int), data[:, -1].astype(int)
model = LogisticRegression().fit(features, target)
Path("model.pkl").write_bytes(pickle.dumps(model))
frame.to_csv("Forest_fire.csv", index=False)
rows = frame[["Oxygen", "Temperature", "Humidity"]].head(24).to_dict("records")
native = {"rows": rows, "predictions": model.predict(features[:24]).tolist()}
Path("native.json").write_text(json.dumps(native))
