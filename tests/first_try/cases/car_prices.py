"""Used cars: "$13,990" and "35,000" in the CSV, which the notebook strips."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor

rng = np.random.RandomState(2)
frame = pd.DataFrame(
    {
        "Year": rng.randint(2000, 2024, 300),
        "Odometer": rng.randint(900, 250000, 300),
        "Listed": rng.randint(900, 60000, 300),
    }
)
price = (frame.Listed * 0.9).round(2)
model = RandomForestRegressor(n_estimators=5, random_state=0).fit(frame, price)
Path("model.pkl").write_bytes(pickle.dumps(model))
raw = frame.assign(
    Odometer=[f"{number:,}" for number in frame.Odometer],
    Listed=[f"${number:,}" for number in frame.Listed],
)
raw.assign(Price=[f"${number:,.2f}" for number in price]).to_csv("cars.csv", index=False)
rows = frame.head(24)
native = {"rows": rows.to_dict("records"), "predictions": model.predict(rows).tolist()}
Path("native.json").write_text(json.dumps(native))
