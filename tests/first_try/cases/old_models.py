"""Models, a pipeline of texts and a scaler of scikit-learn 0.24 and older, as in apps of 2020."""

import json
import pickle

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

random = np.random.RandomState(0)
rows = random.uniform(0, 7, size=(150, 4))
classes = (rows[:, 2] > 3).astype(int) + (rows[:, 3] > 5)
texts = ["good film", "bad movie", "fine actors", "bad actors"] * 10
scaler = MinMaxScaler().fit(rows)
models = {
    "forest": RandomForestClassifier(n_estimators=10, random_state=0).fit(rows, classes),
    "bayes": GaussianNB().fit(rows, classes),
    "texts": make_pipeline(TfidfVectorizer(), MultinomialNB()).fit(texts, [1, 0, 1, 0] * 10),
    "scaled": {"model": LogisticRegression().fit(scaler.transform(rows), classes), "s": scaler},
}
for name, model in models.items():
    with open(name + ".pkl", "wb") as file:  # noqa: PTH123
        pickle.dump(model, file)
    if name == "texts":
        asked, predicted = [{"text": text} for text in texts[:4]], model.predict(texts[:4])
    else:
        asked = [dict(zip("abcd", row)) for row in rows[:9].tolist()]  # noqa: B905  # Python 3.8
        own = model["model"] if name == "scaled" else model
        predicted = own.predict(scaler.transform(rows[:9]) if name == "scaled" else rows[:9])
    with open("native-" + name + ".json", "w") as file:  # noqa: PTH123
        json.dump({"rows": asked, "predictions": predicted.tolist()}, file)
