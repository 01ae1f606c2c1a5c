"""The spam filter of the best known tutorial: the app stems each message before the vectorizer."""

import json
import pickle
from pathlib import Path

from nltk.stem.porter import PorterStemmer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB

APP = """import pickle

from flask import Flask, request
from nltk.stem.porter import PorterStemmer

app = Flask(__name__)
stemmer = PorterStemmer()
model = pickle.load(open("model.pkl", "rb"))


def transform_text(text):
    words = text.lower().split()
    return " ".join(stemmer.stem(word) for word in words)


@app.route("/predict", methods=["POST"])
def predict():
    return transform_text(request.form["message"])


if __name__ == "__main__":
    app.run()
"""
stemmer = PorterStemmer()
raw = [
    "please call this company for your happy family service",
    "every message receives a movie because people believe us",
    "already home before something included the minute you called",
    "really little stories of countries and pictures",
] * 10
texts = [" ".join(stemmer.stem(word) for word in text.split()) for text in raw]
vectorizer = TfidfVectorizer().fit(texts)
model = MultinomialNB().fit(vectorizer.transform(texts), [1, 1, 0, 0] * 10)
Path("vectorizer.pkl").write_bytes(pickle.dumps(vectorizer))
Path("model.pkl").write_bytes(pickle.dumps(model))
Path("app.py").write_text(APP)
asked = ["PLEASE believe this movie", "stories of people", "received messages", "includes minutes"]
stems = [" ".join(stemmer.stem(word) for word in text.lower().split()) for text in asked]
native = {
    "rows": [{"text": text} for text in asked],
    "predictions": model.predict(vectorizer.transform(stems)).tolist(),
}
Path("native.json").write_text(json.dumps(native))
