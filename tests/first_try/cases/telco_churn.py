"""The most copied tutorial: a dict of LabelEncoders, a scaler of some columns, a target's encoder.

Partner and Churn have the same values.
"""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import LabelEncoder, StandardScaler

random = np.random.RandomState(7)
frame = pd.DataFrame(
    {
        "gender": random.choice(["Female", "Male"], 300),
        "Partner": random.choice(["No", "Yes"], 300),
        "tenure": random.randint(0, 73, 300),
        "Contract": random.choice(["Month-to-month", "One year", "Two year"], 300),
        "MonthlyCharges": random.uniform(18, 120, 300).round(2),
        "TotalCharges": random.uniform(18, 8600, 300).round(2),
    }
)
churn = np.where((frame["tenure"] < 24) & (frame["Partner"] == "No"), "Yes", "No")
words = ["gender", "Partner", "Contract"]
encoders = {name: LabelEncoder().fit(frame[name]) for name in words}
numbers = ["tenure", "MonthlyCharges", "TotalCharges"]
scaler = StandardScaler().fit(frame[numbers])
target = LabelEncoder().fit(churn)
prepared = frame.assign(**{name: encoders[name].transform(frame[name]) for name in words})
prepared[numbers] = scaler.transform(frame[numbers])
model = RandomForestClassifier(20, random_state=0).fit(prepared, target.transform(churn))
saved = {"encoders": encoders, "model": model, "scaler": scaler, "target_encoder": target}
for name, value in saved.items():
    Path(f"{name}.pkl").write_bytes(pickle.dumps(value))
frame.assign(Churn=churn).to_csv("churn.csv", index=False)
native = {"rows": frame.head(24).to_dict("records"), "predictions": model.predict(prepared)[:24]}
native["predictions"] = native["predictions"].tolist()
Path("native.json").write_text(json.dumps(native))
