"""A model fitted on an array, and its names in columns.json, as an app tutorial saves them."""

import json
import pickle
from pathlib import Path

import numpy as np
from sklearn.linear_model import LinearRegression

random = np.random.RandomState(11)
names = ["total_sqft", "bath", "bhk", "1st block jayanagar", "whitefield"]
rows = np.column_stack(
    [
        random.uniform(500, 4000, 200).round(),
        random.randint(1, 5, 200),
        random.randint(1, 6, 200),
        random.randint(0, 2, 200),
        np.zeros(200),
    ]
).astype(float)
rows[:, 4] = (rows[:, 3] == 0) & (random.rand(200) < 0.5)
model = LinearRegression().fit(rows, rows @ [0.05, 4, 7, 60, 9] + 12)
Path("home_prices_model.pickle").write_bytes(pickle.dumps(model))
Path("columns.json").write_text(json.dumps({"data_columns": names}))
asked = [dict(zip(names, row)) for row in rows[:24].tolist()]  # noqa: B905
native = {"rows": asked, "predictions": model.predict(rows[:24]).tolist()}
Path("native.json").write_text(json.dumps(native))
