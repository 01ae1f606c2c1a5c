"""A scaler, principal components and a model, each in a file of its own."""

import json
from pathlib import Path

import joblib
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

frame, target = load_wine(return_X_y=True, as_frame=True)
scaler = StandardScaler().fit(frame)
pca = PCA(n_components=4, random_state=0).fit(scaler.transform(frame))
model = LogisticRegression().fit(pca.transform(scaler.transform(frame)), target)
for name, value in {"model": model, "pca": pca, "scaler": scaler}.items():
    joblib.dump(value, f"wine_{name}.joblib")
frame.to_csv("wine.csv", index=False)
asked = frame.head(24)
predicted = model.predict(pca.transform(scaler.transform(asked)))
native = {"rows": asked.to_dict("records"), "predictions": predicted.tolist()}
Path("native.json").write_text(json.dumps(native))
