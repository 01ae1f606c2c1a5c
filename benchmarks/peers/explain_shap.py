"""Explain the loans of a model of train.py by shap, and compare with the definition.

    python explain_shap.py FOLDER ROWS

Prints a JSON object: milliseconds a row, the largest difference of the sum of the values from the
model, and of the values by feature from the definition, by enumeration of all sets of features.
Background: 100 rows, the same for both. The columns of a feature are added up.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from math import factorial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import shap

BACKGROUND, CHECKED = 100, 3


def margin(model: Any, rows: Any) -> Any:
    """Return what the engine explains: the margin, or the probability of a forest."""
    name = type(model).__name__
    if name.startswith("XGB"):
        return model.predict(rows, output_margin=True).astype(float)
    if name.startswith("LGBM"):
        return model.predict(rows, raw_score=True)
    if name.startswith("CatBoost"):
        return model.predict(rows, prediction_type="RawFormulaVal", thread_count=1)
    if name.startswith("RandomForest"):
        return model.predict_proba(rows)[:, 1]
    return model.decision_function(rows)


def definition(model: Any, row: Any, background: Any, group: Any) -> Any:
    """Return the Shapley value of each feature."""
    count = int(group.max()) + 1
    coalitions = np.arange(1 << count)[:, np.newaxis] >> np.arange(count) & 1 == 1
    mixed = np.where(coalitions[:, np.newaxis, group], row, background)
    values = margin(model, mixed.reshape(-1, len(group))).reshape(len(coalitions), -1).mean(axis=1)
    found = np.zeros(count)
    for number, members in enumerate(coalitions):
        size = int(members.sum())
        weight = (
            factorial(size) * factorial(count - size - 1) / factorial(count) if size < count else 0
        )
        for player in np.flatnonzero(~members):
            found[player] += weight * (values[number | 1 << int(player)] - values[number])
    return found


def main(folder: Path, row_count: int) -> None:
    """Print the measurements."""
    warnings.simplefilter("ignore")
    pipeline = joblib.load(folder / "model.joblib")
    frame = pd.read_csv(folder / "sample.csv")
    before, model = pipeline[:-1], pipeline[-1]
    matrix = np.asarray(before.transform(frame))
    names = [name.split("__", 1)[1] for name in before.get_feature_names_out()]
    group = np.array([next(i for i, f in enumerate(frame) if n.startswith(f)) for n in names])
    background = matrix[:BACKGROUND]
    linear = hasattr(model, "coef_")
    explainer = (
        shap.LinearExplainer(model, background)
        if linear
        else shap.TreeExplainer(model, background, feature_perturbation="interventional")
    )
    options = {} if linear else {"check_additivity": False}
    rows = matrix[BACKGROUND : BACKGROUND + row_count]
    explainer.shap_values(rows[:1], **options)
    started_at = time.process_time()
    values = np.array([_second(explainer.shap_values(row[np.newaxis], **options)) for row in rows])
    milliseconds = (time.process_time() - started_at) / len(rows) * 1000
    expected = float(np.ravel(explainer.expected_value)[-1])
    sums = np.abs(values.sum(axis=1) + expected - margin(model, rows)).max()
    off = 0.0
    for row, found in zip(rows[:CHECKED], values, strict=False):
        by_feature = np.bincount(group, found, group.max() + 1)
        off = max(off, float(np.abs(by_feature - definition(model, row, background, group)).max()))
    print(json.dumps({"milliseconds": milliseconds, "sums": float(sums), "definition": off}))


def _second(values: Any) -> Any:
    """Return the values of the second of two classes for a row, as one array."""
    values = np.asarray(values)
    return values[0, :, 1] if values.ndim == 3 else values.reshape(-1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
