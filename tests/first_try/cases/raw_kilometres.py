"""Used cars: a Pipeline of the cleaned data, and beside it the raw CSV with "45,000 kms"."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

rng = np.random.RandomState(4)
frame = pd.DataFrame({"company": rng.choice(["Audi", "Hyundai", "Maruti"], 300)})
frame["year"] = rng.randint(2000, 2020, 300)
frame["kms_driven"] = rng.randint(900, 250000, 300)
price = frame.year * 900 - frame.kms_driven * 0.4
encoder = make_column_transformer((OneHotEncoder(), ["company"]), remainder="passthrough")
model = make_pipeline(encoder, Ridge()).fit(frame, price)
Path("car.pkl").write_bytes(pickle.dumps(model))
raw = frame.assign(
    year=[
        ("..." if n % 40 == 7 else "sale" if n % 9 == 2 else y) for n, y in enumerate(frame.year)
    ],
    kms_driven=[f"{number:,} kms" for number in frame.kms_driven],
)
raw.assign(Price=[f"{number:,.0f}" for number in price]).to_csv("cars.csv", index=False)
rows = frame.head(24)
native = {"rows": rows.to_dict("records"), "predictions": model.predict(rows).tolist()}
Path("native.json").write_text(json.dumps(native))
