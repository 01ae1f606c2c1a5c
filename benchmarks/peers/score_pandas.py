"""What `make score` is held against: `score_pandas.py MODEL INPUT OUTPUT`.

Reads, predicts and writes with pandas. Prints the CPU seconds of predict_proba alone.
"""

from __future__ import annotations

import sys
import time
import warnings

import joblib
import pandas as pd


def main(model_path: str, source: str, target: str) -> None:
    """Score a file."""
    warnings.simplefilter("ignore")
    model = joblib.load(model_path)
    if source.endswith(".parquet"):
        frame = pd.read_parquet(source)
    else:
        frame = pd.read_csv(source, dtype={"dependents": str})
    started_at = time.process_time()
    probabilities = model.predict_proba(frame)
    spent = time.process_time() - started_at
    frame["prediction"] = model.classes_[probabilities.argmax(axis=1)]
    for number, name in enumerate(model.classes_):
        frame[f"probability_{name}"] = probabilities[:, number]
    if target.endswith(".parquet"):
        frame.to_parquet(target, index=False)
    else:
        frame.to_csv(target, index=False)
    print(spent)


if __name__ == "__main__":
    main(*sys.argv[1:])
