"""The best known churn CSV: TotalCharges is a number, and blank for customers of no months."""

import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

rng = np.random.RandomState(0)
frame = pd.DataFrame({"tenure": rng.randint(1, 72, 400)})
frame["MonthlyCharges"] = rng.uniform(18, 119, 400).round(2)
frame["TotalCharges"] = (frame.tenure * frame.MonthlyCharges).round(2)
churn = (frame.tenure < 20).astype(int)
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, churn)
joblib.dump(model, "model.pkl")
raw = frame.astype({"TotalCharges": object})
raw.loc[[5, 99, 321], "TotalCharges"] = " "
raw.assign(Churn=np.where(churn, "Yes", "No")).to_csv("telco.csv", index=False)
rows = frame.head(24)
native = {"rows": rows.to_dict("records"), "predictions": model.predict(rows).tolist()}
Path("native.json").write_text(json.dumps(native))
