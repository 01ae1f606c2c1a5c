"""The app cleans a text before the vectorizer: prepare() returns a frame, a series or an array."""

import json
import pickle
import re
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

CLEAN = """import re


def clean(text):
    return re.sub(r"[^a-z ]+", "", text.lower())


def prepare(frame):
    RETURN
"""
FRAME = 'return frame.assign(text=[clean(t) for t in frame["text"]])'
SERIES = 'return frame["text"].map(clean)'
ARRAY = 'return frame[["text"]].map(clean).to_numpy()'


def clean(text):
    return re.sub(r"[^a-z ]+", "", text.lower())


for name, code in {"frame.py": FRAME, "series.py": SERIES, "array.py": ARRAY}.items():
    Path(f"clean_{name}").write_text(CLEAN.replace("RETURN", code))
raw = ["Win CASH now!!! 555", "free prize call 0800", "are you home?", "see you at lunch"] * 10
texts = [clean(text) for text in raw]
vectorizer = TfidfVectorizer(lowercase=False).fit(texts)
labels = ["spam", "spam", "ham", "ham"] * 10
model = LogisticRegression().fit(vectorizer.transform(texts), labels)
Path("vectorizer.pkl").write_bytes(pickle.dumps(vectorizer))
Path("model.pkl").write_bytes(pickle.dumps(model))
native = {
    "rows": [{"text": text} for text in raw[:4]],
    "predictions": model.predict(vectorizer.transform(texts[:4])).tolist(),
}
Path("native.json").write_text(json.dumps(native))
