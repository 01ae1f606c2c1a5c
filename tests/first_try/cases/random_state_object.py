"""Gradient boosting fitted with a RandomState object: numpy from 1.24 on writes its generator."""

import json
from pathlib import Path

import joblib
import numpy as np
from sklearn.ensemble import GradientBoostingRegressor

random = np.random.RandomState(3)
rows = random.normal(size=(200, 3))
target = rows @ [1.0, -2.0, 0.5]
model = GradientBoostingRegressor(n_estimators=12, random_state=np.random.RandomState(7))
joblib.dump(model.fit(rows, target), "model.pkl")
Path("features.txt").write_text("width\nheight\ndepth\n")
native = {
    "rows": [
        dict(zip(("width", "height", "depth"), row, strict=True)) for row in rows[:9].tolist()
    ],
    "predictions": model.predict(rows[:9]).tolist(),
}
Path("native.json").write_text(json.dumps(native))
