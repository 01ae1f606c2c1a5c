"""A résumé classifier: clf.pkl, tfidf.pkl and the LabelEncoder of the job in encoder.pkl."""

import json
import pickle
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import LabelEncoder

texts = [
    "python pandas machine learning models",
    "recruiting interviews payroll",
    "contracts litigation court",
    "deep learning with python",
    "hiring people and payroll",
    "court cases and contracts",
] * 5
jobs = ["Data Science", "HR", "Advocate", "Data Science", "HR", "Advocate"] * 5
tfidf = TfidfVectorizer(stop_words="english").fit(texts)
encoder = LabelEncoder().fit(jobs)
model = KNeighborsClassifier().fit(tfidf.transform(texts), encoder.transform(jobs))
for name, value in {"clf": model, "encoder": encoder, "tfidf": tfidf}.items():
    Path(f"{name}.pkl").write_bytes(pickle.dumps(value))
native = {
    "rows": [{"text": text} for text in texts[:6]],
    "predictions": model.predict(tfidf.transform(texts[:6])).tolist(),
}
Path("native.json").write_text(json.dumps(native))
