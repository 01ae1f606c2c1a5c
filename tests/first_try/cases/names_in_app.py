"""Calories: fitted on an array, no CSV; only the app says what the columns are, and in which order."""

import json
import pickle
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestRegressor

APP = """
import pickle
import numpy as np
from flask import Flask, request

app = Flask(__name__)
model = pickle.load(open("model.pkl", "rb"))


@app.route("/predict", methods=["POST"])
def predict():
    gender = int(request.form["gender"])
    age = float(request.form["age"])
    bmi = float(request.form["bmi"])
    row = np.array([gender, bmi, age]).reshape(1, -1)
    return str(round(model.predict(row)[0], 2))
"""
rng = np.random.RandomState(5)
array = np.column_stack(
    [rng.randint(0, 2, 200), rng.uniform(15, 40, 200), rng.randint(18, 80, 200)]
)
burned = array[:, 0] * 40 + array[:, 1] * 3 - array[:, 2]
model = RandomForestRegressor(n_estimators=5, random_state=0).fit(array, burned)
Path("model.pkl").write_bytes(pickle.dumps(model))
Path("app.py").write_text(APP)
rows = [{"age": age, "gender": gender, "bmi": bmi} for gender, bmi, age in array[:24].tolist()]
native = {"rows": rows, "predictions": model.predict(array[:24]).tolist()}
Path("native.json").write_text(json.dumps(native))
