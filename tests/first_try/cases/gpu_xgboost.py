"""A classifier with the parameters of a notebook on a GPU; the service has none."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from xgboost import XGBClassifier

random = np.random.RandomState(0)
frame = pd.DataFrame(random.normal(size=(150, 3)), columns=["x1", "x2", "x3"])
model = XGBClassifier(n_estimators=6, eval_metric="logloss").fit(frame, (frame.x1 > 0).astype(int))
rows = frame.head(9)
native = {"rows": rows.to_dict("records"), "predictions": model.predict(rows).tolist()}
Path("native.json").write_text(json.dumps(native))
model.set_params(tree_method="gpu_hist", predictor="gpu_predictor", gpu_id=0)
with Path("model.pkl").open("wb") as file:
    pickle.dump(model, file)
