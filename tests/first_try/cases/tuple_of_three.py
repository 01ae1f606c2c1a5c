"""A tuple (model, scaler, names) in one file."""

import json
from pathlib import Path

import joblib
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import MinMaxScaler

data = load_breast_cancer()
names = [str(name) for name in data.feature_names[:8]]
rows = data.data[:, :8]
scaler = MinMaxScaler().fit(rows)
model = LogisticRegression().fit(scaler.transform(rows), data.target)
joblib.dump((model, scaler, names), "cancer.joblib")
asked = [dict(zip(names, row)) for row in rows[:24].tolist()]  # noqa: B905
native = {"rows": asked, "predictions": model.predict(scaler.transform(rows[:24])).tolist()}
Path("native.json").write_text(json.dumps(native))
