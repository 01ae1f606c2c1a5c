"""The example of scikit-learn's guide: the Pipeline gets the whole table and drops some columns."""

import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

random = np.random.RandomState(0)
frame = pd.DataFrame(
    {
        "PassengerId": range(1, 241),
        "Survived": random.randint(0, 2, 240),
        "Pclass": random.randint(1, 4, 240),
        "Name": [f"Doe, Mr. Number {number}" for number in range(240)],
        "Sex": random.choice(["male", "female"], 240),
        "Age": random.uniform(1, 80, 240).round(1),
        "Ticket": [f"A/5 {number * 7}" for number in range(240)],
        "Fare": random.exponential(30, 240).round(2),
        "Cabin": [f"C{number}" if number % 4 == 0 else None for number in range(240)],
        "Embarked": random.choice(["S", "C", "Q"], 240),
    }
)
frame.loc[::9, "Age"] = np.nan
frame.to_csv("titanic.csv", index=False)
X, y = frame.drop(columns="Survived"), frame["Survived"]
numbers = Pipeline([("imputer", SimpleImputer(strategy="median")), ("scaler", StandardScaler())])
words = OneHotEncoder(handle_unknown="ignore")
columns = ColumnTransformer(
    [("num", numbers, ["Age", "Fare"]), ("cat", words, ["Embarked", "Sex", "Pclass"])]
)
model = Pipeline([("preprocessor", columns), ("classifier", LogisticRegression())]).fit(X, y)
joblib.dump(model, "titanic.pkl")
asked = X.dropna().head(24)
native = {"rows": asked.to_dict("records"), "predictions": model.predict(asked).tolist()}
Path("native.json").write_text(json.dumps(native))
