"""Spam filter: the app lowercases and stems with nltk before the vectorizer."""

import json
import pickle
from pathlib import Path

from nltk.stem.porter import PorterStemmer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB

CLEAN = """import nltk
from nltk.stem.porter import PorterStemmer

stemmer = PorterStemmer()


def prepare(frame):
    out = frame.copy()
    out["text"] = [" ".join(stemmer.stem(w) for w in t.lower().split()) for t in out["text"]]
    return out
"""
STOPPED = CLEAN.replace(
    "import nltk\n", "import nltk\nfrom nltk.corpus import stopwords\n"
).replace("split())", "split() if w not in stopwords.words('english'))")

stemmer = PorterStemmer()
raw = ["win cash now", "free prizes call now", "are you home", "see you at lunch"] * 10
texts = [" ".join(stemmer.stem(word) for word in text.lower().split()) for text in raw]
vectorizer = TfidfVectorizer().fit(texts)
model = MultinomialNB().fit(vectorizer.transform(texts), [1, 1, 0, 0] * 10)
Path("vectorizer.pkl").write_bytes(pickle.dumps(vectorizer))
Path("model.pkl").write_bytes(pickle.dumps(model))
Path("clean.py").write_text(CLEAN)
Path("stopped.py").write_text(STOPPED)
native = {
    "rows": [{"text": text} for text in raw[:4]],
    "predictions": model.predict(vectorizer.transform(texts[:4])).tolist(),
}
Path("native.json").write_text(json.dumps(native))
