"""A ColumnTransformer and a model in artifacts/, and the person stands in the folder above."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

artifacts = Path("artifacts")
artifacts.mkdir(exist_ok=True)
random = np.random.RandomState(0)
frame = pd.DataFrame(
    {
        "gender": random.choice(["f", "m"], 120),
        "lunch": random.choice(["free", "standard"], 120),
        "reading": random.randint(20, 100, 120),
        "writing": random.randint(20, 100, 120),
    }
)
maths = frame["reading"] * 0.6 + frame["writing"] * 0.3
words = Pipeline([("dummies", OneHotEncoder()), ("scale", StandardScaler(with_mean=False))])
columns = ColumnTransformer(
    [
        ("num", Pipeline([("scale", StandardScaler())]), ["reading", "writing"]),
        ("cat", words, ["gender", "lunch"]),
    ]
).fit(frame)
model = Ridge().fit(columns.transform(frame), maths)
for name, value in {"model": model, "preprocessor": columns}.items():
    (artifacts / f"{name}.pkl").write_bytes(pickle.dumps(value))
frame.assign(maths=maths).to_csv(artifacts / "train.csv", index=False)
predicted = model.predict(columns.transform(frame.head(24)))
native = {"rows": frame.head(24).to_dict("records"), "predictions": predicted.tolist()}
Path("native.json").write_text(json.dumps(native))
