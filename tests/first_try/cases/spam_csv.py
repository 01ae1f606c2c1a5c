"""The best known spam CSV: "v1,v2,,,", latin-1; the label first. And a CSV with an index column."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB

rows = [
    ("ham", "see you at the caf\u00e9"),
    ("spam", "win \u00a31000 now"),
    ("ham", "home at five"),
    ("spam", "claim your prize, call now"),
] * 12
lines = "".join(f'{label},"{text}",,,\n' for label, text in rows)
Path("spam.csv").write_bytes(f"v1,v2,,,\n{lines}".encode("latin-1"))
texts = [text for _, text in rows]
vectorizer = TfidfVectorizer().fit(texts)
model = MultinomialNB().fit(vectorizer.transform(texts), [label for label, _ in rows])
Path("vectorizer.pkl").write_bytes(pickle.dumps(vectorizer))
Path("model.pkl").write_bytes(pickle.dumps(model))
native = {
    "rows": [{"v2": text} for text in texts[:4]],
    "predictions": model.predict(vectorizer.transform(texts[:4])).tolist(),
}
Path("native.json").write_text(json.dumps(native))

rng = np.random.RandomState(0)
frame = pd.DataFrame({"age": rng.randint(1, 80, 60), "fare": rng.exponential(30, 60)})
paid = LogisticRegression().fit(frame, frame.fare > 25)
Path("fare.pkl").write_bytes(pickle.dumps(paid))
frame.to_csv("fare.csv")
