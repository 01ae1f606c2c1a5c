"""Medical charges: smoker by hand, region by get_dummies, and sex by a LabelEncoder."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.preprocessing import LabelEncoder

rng = np.random.RandomState(4)
raw = pd.DataFrame(
    {
        "age": rng.randint(18, 65, 300),
        "sex": rng.choice(["male", "female"], 300),
        "bmi": rng.uniform(16, 50, 300).round(1),
        "smoker": rng.choice(["yes", "no"], 300, p=[0.2, 0.8]),
        "region": rng.choice(["northwest", "northeast", "southwest"], 300),
    }
)
charges = 200 * raw.age + 20000 * (raw.smoker == "yes") + 300 * raw.bmi
frame = raw.assign(
    sex=LabelEncoder().fit_transform(raw.sex), smoker=raw.smoker.map({"yes": 1, "no": 0})
)
frame = pd.get_dummies(frame, columns=["region"])
model = GradientBoostingRegressor(n_estimators=20, random_state=0).fit(frame, charges)
Path("model.pkl").write_bytes(pickle.dumps(model))
raw.assign(charges=charges).to_csv("insurance.csv", index=False)
native = {
    "rows": raw.head(24).to_dict("records"),
    "predictions": model.predict(frame.head(24)).tolist(),
}
Path("native.json").write_text(json.dumps(native))
