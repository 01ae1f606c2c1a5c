"""A support vector regression with a scaler of the features and one of the target (sc_X, sc_y)."""

import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

random = np.random.RandomState(3)
frame = pd.DataFrame(
    {"level": random.randint(1, 11, 120), "years": random.uniform(0, 30, 120).round(1)}
)
salary = frame["level"] ** 2 * 9000 + frame["years"] * 700 + 30_000
features = StandardScaler().fit(frame.to_numpy())
target = StandardScaler().fit(salary.to_numpy().reshape(-1, 1))
scaled = target.transform(salary.to_numpy().reshape(-1, 1)).ravel()
model = SVR(kernel="rbf").fit(features.transform(frame.to_numpy()), scaled)
joblib.dump(model, "svr.pkl")
joblib.dump(features, "sc_X.pkl")
joblib.dump(target, "sc_y.pkl")
frame.assign(Salary=salary).to_csv("Salaries.csv", index=False)
predicted = model.predict(features.transform(frame.head(24).to_numpy())).reshape(-1, 1)
answers = target.inverse_transform(predicted).ravel()
native = {"rows": frame.head(24).to_dict("records"), "predictions": answers.tolist()}
Path("native.json").write_text(json.dumps(native))
