"""Loans: every text column goes through a LabelEncoder in a loop, the id among them."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import LabelEncoder

rng = np.random.RandomState(13)
count = 600
raw = pd.DataFrame(
    {
        "Loan_ID": [f"LP{number:06}" for number in rng.permutation(count * 3)[:count]],
        "Gender": rng.choice(["Male", "Female"], count),
        "ApplicantIncome": rng.randint(1000, 20000, count),
        "Credit_History": rng.choice([0, 1], count, p=[0.2, 0.8]),
        "Property_Area": rng.choice(["Rural", "Semiurban", "Urban"], count),
    }
)
status = pd.Series(np.where(raw.Credit_History == 1, "Y", "N"))
frame = raw.copy()
for column in frame.select_dtypes("object"):
    frame[column] = LabelEncoder().fit_transform(frame[column])
model = RandomForestClassifier(n_estimators=20, random_state=0).fit(frame, status)
Path("model.pkl").write_bytes(pickle.dumps(model))
raw.assign(Loan_Status=status).to_csv("train.csv", index=False)
native = {
    "rows": frame[["Loan_ID", "ApplicantIncome", "Credit_History"]]
    .join(raw[["Gender", "Property_Area"]])
    .head(24)
    .to_dict("records"),
    "predictions": model.predict(frame.head(24)).tolist(),
}
Path("native.json").write_text(json.dumps(native))
