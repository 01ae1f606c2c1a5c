"""The Titanic of most courses: get_dummies without a prefix, concatenated, a named frame."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

rng = np.random.RandomState(1)
raw = pd.DataFrame(
    {
        "PassengerId": range(1, 301),
        "Pclass": rng.choice([1, 2, 3], 300),
        "Sex": rng.choice(["male", "female"], 300),
        "Age": rng.randint(1, 80, 300),
        "Fare": rng.exponential(30, 300).round(2),
        "Embarked": rng.choice(["S", "C", "Q"], 300),
    }
)
survived = ((raw.Sex == "female") & (raw.Fare > 15)).astype(int)
sex = pd.get_dummies(raw["Sex"], drop_first=True)
embark = pd.get_dummies(raw["Embarked"], drop_first=True)
frame = pd.concat([raw[["Pclass", "Age", "Fare"]], sex, embark], axis=1)
model = LogisticRegression(max_iter=1000).fit(frame, survived)
Path("model.pkl").write_bytes(pickle.dumps(model))
raw.assign(Survived=survived).to_csv("train.csv", index=False)
rows = raw[["Pclass", "Age", "Fare", "Sex", "Embarked"]].head(24)
native = {"rows": rows.to_dict("records"), "predictions": model.predict(frame.head(24)).tolist()}
Path("native.json").write_text(json.dumps(native))
