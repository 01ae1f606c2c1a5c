"""get_dummies over a column of names: the model takes hundreds of columns, the CSV has five."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from xgboost import XGBClassifier

rng = np.random.RandomState(6)
names = [f"Person{number:03}" for number in range(590)]
frame = pd.DataFrame(
    {
        "row": range(1200),
        "surname": rng.choice(names, 1200),
        "country": rng.choice(["DE", "ES", "FR"], 1200),
        "age": rng.randint(18, 80, 1200),
    }
)
left = (frame.age > 50).astype(int)
columns = pd.get_dummies(frame, drop_first=True).astype(int)
model = XGBClassifier(n_estimators=5).fit(columns, left)
Path("model.pkl").write_bytes(pickle.dumps(model))
frame.assign(left=left).to_csv("train.csv", index=False)
native = {
    "rows": frame.head(24).to_dict("records"),
    "predictions": model.predict(columns.head(24)).tolist(),
}
Path("native.json").write_text(json.dumps(native))
