"""Comments, cleaned by a function of the notebook that lies above the folder of the models."""

import json
import pickle
import re
from pathlib import Path

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

CELLS = [
    "import pickle\nimport re\nimport pandas as pd\n%matplotlib inline",
    "df = pd.read_csv('comments.csv')\ndf.head()",
    "def clean_comment(comment):\n"
    "    comment = re.sub(r'(.)\\1+', r'\\1', comment.lower())\n"
    "    return re.sub(r'[^a-z ]', '', comment)",
    "df['clean'] = df['comment'].apply(clean_comment)\ndf['clean'].head()",
    "from sklearn.feature_extraction.text import CountVectorizer\n"
    "from sklearn.model_selection import train_test_split\n"
    "X_train, X_test, y_train, y_test = train_test_split(df['clean'], df['toxic'])\n"
    "cv = CountVectorizer()\nX = cv.fit_transform(X_train)",
    "pickle.dump(cv, open('models/vectorizer.pkl', 'wb'))",
]


def clean_comment(comment):
    comment = re.sub(r"(.)\1+", r"\1", comment.lower())
    return re.sub(r"[^a-z ]", "", comment)


raw = [
    ("You are soooo stupid!!", 1),
    ("Thank you, well written", 0),
    ("Shut up, id1ot", 1),
    ("See the talk page, please", 0),
] * 10
texts = [clean_comment(text) for text, _ in raw]
vectorizer = CountVectorizer().fit(texts)
model = LogisticRegression().fit(vectorizer.transform(texts), [toxic for _, toxic in raw])
Path("models").mkdir()
Path("models/vectorizer.pkl").write_bytes(pickle.dumps(vectorizer))
Path("models/model.pkl").write_bytes(pickle.dumps(model))
cells = [{"cell_type": "code", "source": cell} for cell in CELLS]
Path("training.ipynb").write_text(json.dumps({"cells": cells}))
asked = ["stuuupid", "pleasse", "i.d.o.t", "weeell"]
cleaned = [clean_comment(text) for text in asked]
assert list(model.predict(vectorizer.transform(cleaned))) != list(
    model.predict(vectorizer.transform(asked))
)
native = {
    "rows": [{"text": text} for text in asked],
    "predictions": model.predict(vectorizer.transform(cleaned)).tolist(),
}
Path("native.json").write_text(json.dumps(native))
