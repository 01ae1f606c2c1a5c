"""The usual Flask tutorial: a route that calls the model, and gunicorn with its defaults."""

import os

import joblib
import pandas as pd
from flask import Flask, Response, jsonify, request

app = Flask(__name__)
model = joblib.load(os.environ["MODEL"])


@app.post("/predict")
def predict() -> Response:
    row = request.get_json()
    rows = [row["text"]] if "text" in row else pd.DataFrame([row])
    return jsonify({"probabilities": model.predict_proba(rows)[0].tolist()})
