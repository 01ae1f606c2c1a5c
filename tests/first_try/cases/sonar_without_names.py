"""A file of measurements without a first line of names, read with header=None."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.svm import SVC

rng = np.random.RandomState(5)
frame = pd.DataFrame(rng.uniform(0, 1, (200, 6)).round(4))
frame[6] = np.where(frame[0] + frame[3] > 1, "M", "R")
features, target = frame.iloc[:, :-1].values, frame[6].map({"M": 1, "R": 0}).values
model = SVC(random_state=0).fit(features, target)
Path("finalized_model.sav").write_bytes(pickle.dumps(model))
frame.to_csv("sonar.csv", index=False, header=False)
rows = [
    {str(name): value for name, value in row.items()} for row in frame[range(6)].to_dict("records")
]
native = {"rows": rows[:24], "predictions": model.predict(features[:24]).tolist()}
Path("native.json").write_text(json.dumps(native))
