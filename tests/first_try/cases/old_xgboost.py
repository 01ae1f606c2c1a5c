"""A classifier of an old XGBoost, alone, in a Pipeline and in a dict.

Before 1.0 its pickle does not say the version.
"""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import DMatrix, XGBClassifier

rng = np.random.RandomState(18)
frame = pd.DataFrame(rng.randint(0, 100, (300, 3)), columns=["glucose", "pressure", "age"])
ill = (frame.glucose + frame.age > 110).astype(int)
model = XGBClassifier(n_estimators=20).fit(frame, ill)
Path("model.pkl").write_bytes(pickle.dumps(model))
frame.assign(outcome=ill).to_csv("diabetes.csv", index=False)
booster = model.get_booster()
Path("booster.pkl").write_bytes(pickle.dumps(booster))
booster.save_model("booster.model")
pipeline = make_pipeline(StandardScaler(), XGBClassifier(n_estimators=20)).fit(frame, ill)
Path("pipeline.pkl").write_bytes(pickle.dumps(pipeline))
scaler, scaled = pipeline[0], pipeline[1]
bundle = {"model": scaled, "scaler": scaler, "features": list(frame)}
Path("bundle.pkl").write_bytes(pickle.dumps(bundle))
rows = frame.head(24)
native = {
    "rows": rows.to_dict("records"),
    "predictions": model.predict(rows).tolist(),
    "scaled": pipeline.predict_proba(rows)[:, 1].tolist(),
    "numbers": booster.predict(DMatrix(rows)).tolist(),
}
Path("native.json").write_text(json.dumps(native))
