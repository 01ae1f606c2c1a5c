"""A notebook that scaled for another model: the forest was trained on the values as they are."""

import json
import pickle
from pathlib import Path

from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.preprocessing import StandardScaler

frame, target = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
model = RandomForestRegressor(20, random_state=0).fit(frame, target)
Path("model.pkl").write_bytes(pickle.dumps(model))
Path("scaler.pkl").write_bytes(pickle.dumps(StandardScaler().fit(frame)))
frame.assign(target=target).to_csv("diabetes.csv", index=False)
asked = frame.head(24)
native = {"rows": asked.to_dict("records"), "predictions": model.predict(asked).tolist()}
Path("native.json").write_text(json.dumps(native))
