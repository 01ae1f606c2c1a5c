"""A notebook that saves the fitted Pipeline, and its last step alone as well."""

import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

rng = np.random.RandomState(16)
raw = pd.DataFrame(
    {
        "age": rng.randint(18, 80, 300),
        "balance": rng.normal(1500, 900, 300).round(2),
        "job": rng.choice(["admin", "services", "technician"], 300),
    }
)
churn = ((raw.age > 40) & (raw.job != "admin")).astype(int)
columns = ColumnTransformer(
    [
        ("numbers", StandardScaler(), ["age", "balance"]),
        ("words", OneHotEncoder(handle_unknown="ignore"), ["job"]),
    ]
)
forest = RandomForestClassifier(n_estimators=20, random_state=0)
pipeline = Pipeline([("columns", columns), ("model", forest)]).fit(raw, churn)
joblib.dump(pipeline, "pipeline.pkl")
joblib.dump(pipeline.named_steps["model"], "model.pkl")
raw.assign(churn=churn).to_csv("bank.csv", index=False)
rows = raw.head(24)
native = {"rows": rows.to_dict("records"), "predictions": pipeline.predict(rows).tolist()}
Path("native.json").write_text(json.dumps(native))
