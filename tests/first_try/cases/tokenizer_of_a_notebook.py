"""CountVectorizer(tokenizer=text_process) with a function of the notebook, which is kept too."""

import json
import pickle
from pathlib import Path

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import Pipeline

WORDS = """import string

STOP = {"the", "a", "is"}


def text_process(text):
    plain = "".join(c for c in text if c not in string.punctuation)
    return [w for w in plain.lower().split() if w not in STOP]
"""
exec(WORDS)
texts = ["The food is great!", "a bad place", "great, great service", "bad. so bad"] * 8
vectorizer = CountVectorizer(tokenizer=text_process)  # noqa: F821
pipeline = Pipeline([("bow", vectorizer), ("nb", MultinomialNB())])
model = pipeline.fit(texts, ["pos", "neg"] * 16)
Path("model.pkl").write_bytes(pickle.dumps(model))
cells = ["import pandas as pd\n%matplotlib inline\npd.options.display.width = 100", WORDS]
cells += ["print(text_process('The food'))", "pipeline.fit(texts, y)"]
notebook = {
    "cells": [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
}
Path("Sentiment.ipynb").write_text(json.dumps(notebook))
native = {
    "rows": [{"text": t} for t in texts[:4]],
    "predictions": model.predict(texts[:4]).tolist(),
}
Path("native.json").write_text(json.dumps(native))
