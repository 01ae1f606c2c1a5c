"""Lending: "10.65%" in the CSV, of which the notebook strips the sign."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

rng = np.random.RandomState(12)
frame = pd.DataFrame(
    {"amount": rng.randint(500, 35000, 200), "int_rate": rng.uniform(5, 25, 200).round(2)}
)
installment = frame.amount * (1 + frame.int_rate / 100) / 36
model = LinearRegression().fit(frame, installment)
Path("model.pkl").write_bytes(pickle.dumps(model))
raw = frame.assign(int_rate=[f"{rate}%" for rate in frame.int_rate])
raw.assign(installment=installment).to_csv("loans.csv", index=False)
rows = frame.head(24)
native = {"rows": rows.to_dict("records"), "predictions": model.predict(rows).tolist()}
Path("native.json").write_text(json.dumps(native))
