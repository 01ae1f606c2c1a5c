"""The columns after get_dummies are saved as a list, the model was fitted on an array."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

rng = np.random.RandomState(10)
raw = pd.DataFrame(
    {
        "sqft": rng.randint(400, 4000, 200),
        "bath": rng.randint(1, 5, 200),
        "location": rng.choice(["Hebbal", "Whitefield", "other"], 200),
    }
)
price = raw.sqft * 0.05 + raw.bath * 2 + (raw.location == "Hebbal") * 15
dummies = pd.get_dummies(raw.location)
frame = pd.concat([raw[["sqft", "bath"]], dummies.drop(columns="other")], axis=1)
model = LinearRegression().fit(frame.to_numpy(dtype=float), price)
Path("model.pkl").write_bytes(pickle.dumps(model))
Path("columns.json").write_text(json.dumps(list(frame.columns)))
raw.assign(price=price).to_csv("homes.csv", index=False)
native = {
    "rows": raw.head(24).to_dict("records"),
    "predictions": model.predict(frame.head(24).to_numpy(dtype=float)).tolist(),
}
Path("native.json").write_text(json.dumps(native))
