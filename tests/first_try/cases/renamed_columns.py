"""The CSV beside the model was saved after its columns were renamed."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor

rng = np.random.RandomState(7)
frame = pd.DataFrame({"Year": rng.randint(1990, 2024, 200)})
frame["Mileage (km)"] = rng.randint(0, 300_000, 200)
frame["Engine capacity (CC)"] = rng.choice([1000, 1500, 2000], 200)
price = (frame["Year"] - 1980) * 9000 - frame["Mileage (km)"] / 10
model = RandomForestRegressor(n_estimators=5, random_state=0).fit(frame, price)
Path("model.pkl").write_bytes(pickle.dumps(model))
names = ["year", "mileage_km", "engine_capacity_cc"]
frame.set_axis(names, axis=1).assign(price_lkr=price).to_csv("cars.csv", index=False)
rows = frame.head(24)
native = {"rows": rows.to_dict("records"), "predictions": model.predict(rows).tolist()}
Path("native.json").write_text(json.dumps(native))
