"""The app computes a ratio and takes dummies; the CSV beside the model is the raw one."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

rng = np.random.RandomState(9)
raw = pd.DataFrame({"Balance": rng.uniform(0, 2e5, 240).round(2)})
raw["Salary"] = rng.uniform(2e4, 2e5, 240).round(2)
raw["Geography"] = rng.choice(["France", "Germany", "Spain"], 240)
raw["Exited"] = (raw["Balance"] > raw["Salary"]).astype(int)
made = raw.assign(Balance_To_Salary=raw["Balance"] / (raw["Salary"] + 1))
features = pd.get_dummies(made.drop(columns="Exited"), drop_first=True).astype(float)
scaler = StandardScaler().fit(features)
model = LogisticRegression().fit(scaler.transform(features), raw["Exited"])
Path("model.pkl").write_bytes(pickle.dumps(model))
Path("scaler.pkl").write_bytes(pickle.dumps(scaler))
raw.to_csv("bank.csv", index=False)
rows = made[["Balance", "Salary", "Balance_To_Salary", "Geography"]].head(24)
native = {
    "rows": rows.to_dict("records"),
    "predictions": model.predict(scaler.transform(features.head(24))).tolist(),
}
Path("native.json").write_text(json.dumps(native))
