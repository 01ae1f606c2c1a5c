"""Breast cancer Wisconsin: an id, a column of numbers with "?", and class 2 or 4; arrays."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

rng = np.random.RandomState(7)
frame = pd.DataFrame(rng.randint(1, 11, size=(200, 3)), columns=["thickness", "size", "nuclei"])
kind = np.where(frame.thickness + frame["size"] > 11, 4, 2)
frame.loc[[4, 40, 160], "nuclei"] = np.nan
model = make_pipeline(SimpleImputer(), KNeighborsClassifier(3)).fit(frame.to_numpy(), kind)
Path("model.pkl").write_bytes(pickle.dumps(model))
raw = frame.astype(object).fillna("?")
raw.insert(0, "", range(200))
raw.assign(**{"class": kind}).to_csv("wdbc.csv", index=False)
rows = frame.head(24).astype(object).where(frame.head(24).notna(), None)
native = {
    "rows": rows.to_dict("records"),
    "predictions": model.predict(frame.head(24).to_numpy()).tolist(),
}
Path("native.json").write_text(json.dumps(native))
