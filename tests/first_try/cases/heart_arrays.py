"""heart.csv: fitted on arrays, so the file has no names; target is the last column."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier

rng = np.random.RandomState(3)
frame = pd.DataFrame({"age": rng.randint(29, 77, 300), "sex": rng.randint(0, 2, 300)})
frame["cp"] = rng.randint(0, 4, 300)
frame["chol"] = rng.randint(126, 564, 300)
frame["exang"] = rng.randint(0, 2, 300)
frame["target"] = ((frame.age > 50) & (frame.chol > 200)).astype(int)
features, target = frame.iloc[:, :-1].values, frame.iloc[:, -1].values
model = RandomForestClassifier(n_estimators=5, random_state=0).fit(features, target)
Path("model.pkl").write_bytes(pickle.dumps(model))
frame.to_csv("heart.csv", index=False)
rows = frame.drop(columns="target").head(24)
native = {"rows": rows.to_dict("records"), "predictions": model.predict(features[:24]).tolist()}
Path("native.json").write_text(json.dumps(native))
