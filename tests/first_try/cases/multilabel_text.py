"""Tags of questions: a classifier for each tag, a TfidfVectorizer and a MultiLabelBinarizer."""

import json
from pathlib import Path

import joblib
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import MultiLabelBinarizer

texts = [
    "sort a list in python",
    "join two tables in sql",
    "query a table from python",
    "css grid center",
    "center a div",
    "python list",
] * 6
tags = [["python"], ["sql"], ["python", "sql"], ["css"], ["css", "html"], ["python"]] * 6
binarizer = MultiLabelBinarizer().fit(tags)
vectorizer = TfidfVectorizer().fit(texts)
model = OneVsRestClassifier(LogisticRegression())
model.fit(vectorizer.transform(texts), binarizer.transform(tags))
joblib.dump(model, "model.pkl")
joblib.dump(vectorizer, "tfidf.pkl")
joblib.dump(binarizer, "mlb.pkl")
asked = texts[:6]
native = {
    "rows": [{"text": text} for text in asked],
    "predictions": model.predict(vectorizer.transform(asked)).tolist(),  # in the order of the tags
}
Path("native.json").write_text(json.dumps(native))
