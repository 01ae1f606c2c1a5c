"""House prices by location: get_dummies on an array, and the last location dropped by position."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

rng = np.random.RandomState(11)
raw = pd.DataFrame(
    {
        "area": rng.randint(400, 4000, 300),
        "bath": rng.randint(1, 5, 300),
        "location": rng.choice(["Anekal", "Hebbal", "Kengeri", "Whitefield"], 300),
    }
)
price = raw.area * 0.05 + raw.bath * 2 + (raw.location == "Hebbal") * 15
dummies = pd.get_dummies(raw.location).iloc[:, :-1]  # the dummy variable trap
frame = pd.concat([raw[["area", "bath"]], dummies], axis=1).to_numpy(dtype=float)
model = LinearRegression().fit(frame, price)
Path("model.pkl").write_bytes(pickle.dumps(model))
raw.assign(price=price).to_csv("homes.csv", index=False)
native = {
    "rows": raw.head(24).to_dict("records"),
    "predictions": model.predict(frame[:24]).tolist(),
}
Path("native.json").write_text(json.dumps(native))
