"""A TransformedTargetRegressor over a Pipeline with a TargetEncoder and a make_column_selector."""

import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    PolynomialFeatures,
    StandardScaler,
    TargetEncoder,
)

random = np.random.RandomState(0)
count = 240
frame = pd.DataFrame(
    {
        "lot area": random.uniform(50, 900, count).round(1),
        "Größe m²": random.uniform(30, 200, count).round(1),
        "built": random.randint(1900, 2020, count),
        "area": random.choice(["North", "South", "Old town"], count),
        "lift": random.rand(count) > 0.5,
    }
)
price = frame["Größe m²"] * 3000 * (1 + frame["lift"])
logarithm = FunctionTransformer(np.log1p, feature_names_out="one-to-one")
columns = ColumnTransformer(
    [
        ("log", make_pipeline(logarithm, PolynomialFeatures(2)), ["lot area", "Größe m²"]),
        ("bins", KBinsDiscretizer(4, encode="ordinal"), ["built"]),
        ("mean", TargetEncoder(random_state=0), make_column_selector(dtype_include=object)),
    ],
    remainder="passthrough",
)
steps = Pipeline([("columns", columns), ("scale", StandardScaler()), ("ridge", Ridge())])
model = TransformedTargetRegressor(steps, func=np.log1p, inverse_func=np.expm1).fit(frame, price)
joblib.dump(model, "model.joblib")
frame.to_csv("train.csv", index=False)
asked = frame.head(24)
native = {"rows": asked.to_dict("records"), "predictions": model.predict(asked).tolist()}
Path("native.json").write_text(json.dumps(native))
