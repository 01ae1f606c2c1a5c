"""IMDB reviews: a pipeline that takes texts, and a CSV with the columns review and sentiment."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

rng = np.random.RandomState(6)
words = {"positive": ["great", "loved it", "wonderful"], "negative": ["boring", "awful", "waste"]}
labels = rng.choice(["positive", "negative"], 200)
texts = [
    f"This film, number {number}, was {rng.choice(words[label])}."
    for number, label in enumerate(labels)
]
model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, labels)
Path("model.pkl").write_bytes(pickle.dumps(model))
pd.DataFrame({"review": texts, "sentiment": labels}).to_csv("reviews.csv", index=False)
native = {
    "rows": [{"review": text} for text in texts[:24]],
    "predictions": model.predict(texts[:24]).tolist(),
}
Path("native.json").write_text(json.dumps(native))
