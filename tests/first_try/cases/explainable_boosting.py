"""An EBM of interpret on a frame with texts, blanks and whole numbers, saved with its CSV."""

import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from interpret.glassbox import ExplainableBoostingClassifier

rng = np.random.RandomState(0)
frame = pd.DataFrame(
    {
        "income": rng.normal(50, 20, 300).round(1),
        "rooms": rng.randint(1, 9, 300),
        "area": rng.choice(["Rural", "Semi urban", "Urban"], 300),
    }
)
paid = np.where(frame.income / 10 + frame.rooms + (frame.area == "Urban") > 10, "yes", "no")
frame.loc[rng.rand(300) < 0.1, "income"] = None
model = ExplainableBoostingClassifier(max_rounds=100, outer_bags=2, n_jobs=1, random_state=0)
joblib.dump(model.fit(frame, paid), "model.pkl")
frame.assign(paid=paid).to_csv("train.csv", index=False)
rows = frame.head(24)
records = rows.astype(object).where(rows.notna(), None).to_dict("records")
native = {"rows": records, "predictions": model.predict(rows).tolist()}
Path("native.json").write_text(json.dumps(native))
