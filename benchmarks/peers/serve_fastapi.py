"""FastAPI and uvicorn: https://fastapi.tiangolo.com/tutorial/body/."""

import os
from typing import Any

import joblib
import pandas as pd
from fastapi import FastAPI

app = FastAPI()
model = joblib.load(os.environ["MODEL"])


@app.post("/predict")
def predict(row: dict[str, Any]) -> dict[str, Any]:
    rows = [row["text"]] if "text" in row else pd.DataFrame([row])
    return {"probabilities": model.predict_proba(rows)[0].tolist()}
