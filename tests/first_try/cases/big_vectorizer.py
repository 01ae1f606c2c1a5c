"""A text classifier whose vectorizer is beside it in a file of some megabytes."""

import json
import pickle
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

random = np.random.RandomState(2)
words = [f"w{number:06}" for number in range(100_000)]
texts = [" ".join(random.choice(words, 3000)) for _ in range(80)]
classes = random.randint(0, 2, 80)
vectorizer = TfidfVectorizer().fit(texts)
model = LogisticRegression().fit(vectorizer.transform(texts), classes)
Path("vectorizer.pkl").write_bytes(pickle.dumps(vectorizer))
Path("model.pkl").write_bytes(pickle.dumps(model))
asked = [text[:400] for text in texts[:8]]
native = {
    "rows": [{"text": text} for text in asked],
    "predictions": model.predict(vectorizer.transform(asked)).tolist(),
}
Path("native.json").write_text(json.dumps(native))
