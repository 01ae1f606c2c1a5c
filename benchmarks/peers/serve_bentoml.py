"""BentoML: https://docs.bentoml.com/en/latest/get-started/adaptive-batching.html."""

import os
from typing import Any

import bentoml
import joblib
import pandas as pd


@bentoml.service(workers=1)
class Served:
    """The model, with adaptive batching."""

    def __init__(self) -> None:
        self.model = joblib.load(os.environ["MODEL"])

    @bentoml.api(batchable=True)
    def predict(self, rows: list[dict[str, Any]]) -> list[list[float]]:
        has_text = "text" in rows[0]
        features = [row["text"] for row in rows] if has_text else pd.DataFrame(rows)
        probabilities: list[list[float]] = self.model.predict_proba(features).tolist()
        return probabilities
