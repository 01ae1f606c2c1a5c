"""An array of some columns of a wide CSV, chosen by hand: no file says which they are."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor

rng = np.random.RandomState(15)
raw = pd.DataFrame(
    {
        "id": range(1, 301),
        "sqft_living": rng.randint(400, 6000, 300),
        "bedrooms": rng.randint(1, 7, 300),
        "condition": rng.randint(1, 6, 300),
        "sqft_lot": rng.randint(1000, 40000, 300),
        "yr_built": rng.randint(1900, 2016, 300),
        "zipcode": rng.randint(98001, 98199, 300),
    }
)
price = raw.sqft_living * 150 + raw.bedrooms * 1000 + raw.yr_built
chosen = ["sqft_living", "bedrooms", "condition", "yr_built"]
model = RandomForestRegressor(n_estimators=20, random_state=0).fit(raw[chosen].values, price)
Path("model.pkl").write_bytes(pickle.dumps(model))
raw.assign(price=price).to_csv("kc.csv", index=False)
rows = raw[chosen].head(24)
native = {"rows": rows.to_dict("records"), "predictions": model.predict(rows.values).tolist()}
Path("native.json").write_text(json.dumps(native))
