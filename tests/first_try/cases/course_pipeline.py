"""Three files as a widely used course teaches: a pipeline, columns.json, and a Series of dtypes."""

import json
import pickle
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

random = np.random.RandomState(0)
frame = pd.DataFrame(
    {
        "Age": random.uniform(1, 80, 150).round(1),
        "Cabin": random.choice(["A", "B", None], 150),
        "Embarked": random.choice(["S", "C"], 150),
        "Fare": random.exponential(30, 150).round(2),
    }
)
survived = frame["Fare"] > 30
frame.loc[::9, "Age"] = np.nan
numbers = make_pipeline(SimpleImputer(), StandardScaler())
words = make_pipeline(
    SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
)
columns = ColumnTransformer([("n", numbers, ["Age", "Fare"]), ("c", words, ["Cabin", "Embarked"])])
model = make_pipeline(columns, LogisticRegression()).fit(frame, survived)
joblib.dump(model, "pipeline.pickle")
Path("columns.json").write_text(json.dumps(list(frame.columns)))
Path("dtypes.pickle").write_bytes(pickle.dumps(frame.dtypes))
asked = frame.dropna().head(24)
native = {"rows": asked.to_dict("records"), "predictions": model.predict(asked).tolist()}
Path("native.json").write_text(json.dumps(native))
