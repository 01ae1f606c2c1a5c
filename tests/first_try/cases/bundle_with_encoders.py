"""A bundle with a dict of encoders, a scaler, polynomials, and imputers that the app never uses."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Lasso
from sklearn.preprocessing import LabelEncoder, PolynomialFeatures, StandardScaler

random = np.random.RandomState(5)
frame = pd.DataFrame(
    {
        "year": random.randint(2001, 2021, 200),
        "km": random.uniform(1e3, 2e5, 200).round(),
        "fuel": random.choice(["Diesel", "LPG", "Petrol"], 200),
        "owner": random.choice(["First", "Second"], 200),
    }
)
price = (frame["year"] - 2000) * 1000 - frame["km"] / 50
encoders = {name: LabelEncoder().fit(frame[name]) for name in ("fuel", "owner")}
encoded = frame.assign(**{name: one.transform(frame[name]) for name, one in encoders.items()})
scaler = StandardScaler().fit(encoded)
poly = PolynomialFeatures(include_bias=False).fit(scaler.transform(encoded))
model = Lasso(alpha=0.1).fit(poly.transform(scaler.transform(encoded)), price)
bundle = {
    "model": model,
    "scaler": scaler,
    "poly": poly,
    "imputer_num": SimpleImputer().fit(frame[["year", "km"]]),
    "imputer_cat": SimpleImputer(strategy="most_frequent").fit(frame[["fuel", "owner"]]),
    "label_encoders": encoders,
    "feature_names": list(frame.columns),
    "metrics": {"r2": 0.9},
    "model_type": "lasso",
}
Path("bundle.pkl").write_bytes(pickle.dumps(bundle))
frame.to_csv("train.csv", index=False)
predicted = model.predict(poly.transform(scaler.transform(encoded.head(24))))
native = {"rows": frame.head(24).to_dict("records"), "predictions": predicted.tolist()}
Path("native.json").write_text(json.dumps(native))
