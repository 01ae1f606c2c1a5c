"""House prices of a course: rare locations are "other", whose column is dropped.

The names of the columns are in columns.json, in small letters, and the model has none. The CSV has
the locations as they were before the rare ones were put together.
"""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

rng = np.random.RandomState(12)
names = ["Hebbal", "Whitefield", "Sarjapur  Road", *(f"Layout {n}" for n in range(1, 31))]
raw = pd.DataFrame(
    {
        "location": rng.choice(names, 400, p=[0.4, 0.3, 0.15, *[0.005] * 30]),
        "total_sqft": rng.randint(400, 4000, 400),
        "bath": rng.randint(1, 5, 400),
    }
)
price = raw.total_sqft * 0.05 + raw.bath * 2 + (raw.location == "Hebbal") * 15
counts = raw.location.value_counts()
location = raw.location.where(raw.location.map(counts) > 10, "other")
dummies = pd.get_dummies(location).drop(columns="other")
frame = pd.concat([raw[["total_sqft", "bath"]], dummies], axis=1)
model = LinearRegression().fit(frame.to_numpy(dtype=float), price)
Path("model.pickle").write_bytes(pickle.dumps(model))
Path("columns.json").write_text(json.dumps({"data_columns": [c.lower() for c in frame.columns]}))
raw.assign(price=price).to_csv("homes.csv", index=False)
rows = raw.head(24)
native = {
    "rows": rows.to_dict("records"),
    "predictions": model.predict(frame.head(24).to_numpy(dtype=float)).tolist(),
}
Path("native.json").write_text(json.dumps(native))
