"""Train the models of the benchmark and write their predictions: `python train.py FOLDER`.

Runs in an environment of its own, with the same libraries as all servers.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from xgboost import XGBClassifier

LOAN = Path(__file__).resolve().parents[1] / "examples" / "loan_model"
sys.path.insert(0, str(LOAN))
import train as loan  # noqa: E402

SEED = 2026
ROWS, WORDS, BENCHMARK_ROWS = 2000, 5000, 32
CLASSIFIERS: dict[str, Any] = {
    "logistic": loan.build()["classifier"],
    "forest": RandomForestClassifier(random_state=SEED),
    "hist": HistGradientBoostingClassifier(random_state=SEED),
    "xgboost": XGBClassifier(random_state=SEED),
    "lightgbm": LGBMClassifier(random_state=SEED, verbose=-1),
    "catboost": CatBoostClassifier(
        iterations=100, random_seed=SEED, verbose=False, allow_writing_files=False
    ),
}


def main(folder: Path) -> None:
    """Write one folder for each model."""
    # Through CSV, as in the example, for the dtypes of read_csv. XGBoost needs numeric classes.
    frame = pd.read_csv(io.StringIO(loan.to_csv(loan.simulate(ROWS, SEED))))
    approved = (frame.pop(loan.TARGET) == "Y").astype(int)
    contract = json.loads((LOAN / "features.json").read_text(encoding="utf-8"))
    features = json.dumps({"features": contract["features"]})
    texts, topics = letters(np.random.Generator(np.random.PCG64(SEED)))
    of_text = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, topics)
    write(folder / "text", of_text, pd.DataFrame({"text": texts}), texts)

    for name, classifier in CLASSIFIERS.items():
        model = loan.build().set_params(classifier=classifier).fit(frame, approved)
        write(folder / name, model, frame, frame)
        (folder / name / "features.json").write_text(features, encoding="utf-8")


def letters(rng: np.random.Generator) -> tuple[list[str], list[int]]:
    """Draw texts on two topics, with 10 to 100 words from a Zipf distribution."""
    words = np.array([f"word{number}" for number in range(WORDS)])
    topics = rng.integers(2, size=ROWS)
    texts = [
        " ".join(words[(rng.zipf(1.3, rng.integers(10, 100)) * (3 if topic else 2)) % WORDS])
        for topic in topics
    ]
    return texts, topics.tolist()


def write(folder: Path, model: Any, frame: pd.DataFrame, model_input: Any) -> None:
    """Write the model, its sample, and the benchmark's rows with the model's probabilities."""
    folder.mkdir(parents=True)
    joblib.dump(model, folder / "model.joblib")
    frame[:500].to_csv(folder / "sample.csv", index=False)
    # Without missing values, which each server expects in another notation.
    rows = frame.dropna().head(BENCHMARK_ROWS)
    rows_input = [model_input[n] for n in rows.index] if isinstance(model_input, list) else rows
    (folder / "rows.json").write_text(rows.to_json(orient="records"), encoding="utf-8")
    answers = model.predict_proba(rows_input).tolist()
    (folder / "answers.json").write_text(json.dumps(answers), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
