"""Excel's "Unicode text": UTF-16 with tabs; a boolean column, and yes and no by hand."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier

rng = np.random.RandomState(9)
raw = pd.DataFrame(
    {
        "Übertrag": rng.uniform(0, 100, 150).round(2),
        "Active": rng.choice([True, False], 150),
        "HasCard": rng.choice(["Yes", "No"], 150),
    }
)
frame = raw.assign(HasCard=(raw.HasCard == "Yes").astype(int))
churn = np.where((raw["Übertrag"] > 50) & (frame.HasCard == 1), "left", "stayed")
model = DecisionTreeClassifier(random_state=0).fit(frame, churn)
Path("model.pkl").write_bytes(pickle.dumps(model))
raw.assign(Churn=churn).to_csv("kunden.txt", sep="\t", index=False, encoding="utf-16")
native = {
    "rows": raw.head(24).to_dict("records"),
    "predictions": model.predict(frame.head(24)).tolist(),
}
Path("native.json").write_text(json.dumps(native))
