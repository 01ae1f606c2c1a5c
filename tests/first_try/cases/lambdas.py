"""FunctionTransformer(lambda …), saved by dill and by cloudpickle."""

import json
from pathlib import Path

import cloudpickle
import dill
import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

rng = np.random.RandomState(0)
frame = pd.DataFrame(rng.uniform(1, 9, size=(90, 2)), columns=["length", "width"])
area = FunctionTransformer(lambda f: f.assign(area=f["length"] * f["width"]))
model = make_pipeline(area, Ridge()).fit(frame, frame.length * frame.width)
Path("dill.pkl").write_bytes(dill.dumps(model))
Path("cloud.pkl").write_bytes(cloudpickle.dumps(model))
rows = frame.head(24)
native = {"rows": rows.to_dict("records"), "predictions": model.predict(rows).tolist()}
Path("native.json").write_text(json.dumps(native))
