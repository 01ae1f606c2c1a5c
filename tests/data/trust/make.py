"""Make the files of this folder, or say what their models answer natively.

    python make.py make NAME            # writes NAME.joblib or NAME.pkl beside this script
    python make.py answer FILE          # prints the predictions and probabilities of the rows

Each was made with its library: category_encoders 2.8.1 and feature_engine 1.8.3 beside
scikit-learn 1.6.1 and pandas 2.2.3; the pickled ones on the Python in their name, 3.10 with
cloudpickle 2.2.1, 3.12 with 3.0.0, the others with 3.1.2, 3.13 beside scikit-learn 1.7.2.
"""

# Each library is only in the environment that makes its file.
# ruff: noqa: PLC0415

from __future__ import annotations

import json
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

ROWS = pd.DataFrame(
    {
        "income": np.linspace(1000, 9000, 60).round(1),
        "loan": np.tile([100.0, 250.0, 400.0], 20),
        "area": np.tile(["Rural", "Urban", "Semi urban", "Rural"], 15),
    }
)
NUMBERS = ROWS[["income", "loan"]]
ANSWERS = np.tile([0, 1, 1, 0, 1], 12)
OFFSET = 1.0


def ratio(one, other):
    return one / (other + OFFSET)


class RatioAdder(TransformerMixin, BaseEstimator):
    def fit(self, rows, y=None):
        self.n_features_in_ = rows.shape[1]
        return self

    def transform(self, rows):
        rows = np.asarray(rows, dtype=float)
        return np.column_stack([rows, ratio(rows[:, 0], rows[:, 1])])


class Cautious(ClassifierMixin, BaseEstimator):
    """Approves only what is certain."""

    def fit(self, rows, y):
        self.model_ = LogisticRegression().fit(rows, y)
        self.classes_ = self.model_.classes_
        self.n_features_in_ = rows.shape[1]
        return self

    def predict(self, rows):
        return self.classes_[(self.predict_proba(rows)[:, 1] > 0.6).astype(int)]

    def predict_proba(self, rows):
        return self.model_.predict_proba(rows)


def category_encoders():
    from category_encoders import TargetEncoder

    steps = TargetEncoder(cols=["area"]), StandardScaler(), LogisticRegression()
    return make_pipeline(*steps).fit(ROWS, ANSWERS)


def feature_engine():
    from feature_engine.encoding import OrdinalEncoder
    from feature_engine.transformation import LogTransformer

    encoder = OrdinalEncoder(variables=["area"], encoding_method="ordered")
    steps = encoder, LogTransformer(variables=["income"]), LogisticRegression()
    return make_pipeline(*steps).fit(ROWS, ANSWERS)


def pickled_pipeline():
    doubled = FunctionTransformer(lambda rows: rows * 2)
    steps = RatioAdder(), doubled, StandardScaler(), LogisticRegression()
    return make_pipeline(*steps).fit(NUMBERS.to_numpy(), ANSWERS)


def pickled_classifier():
    return Cautious().fit(NUMBERS.to_numpy(), ANSWERS)


def without_folders(content: bytes) -> bytes:
    """Return pickled code without the folders of this machine, which its files are named by."""
    for folder in (str(Path(__file__).resolve().parent), sys.prefix):
        # As long as before: the pickle says how long each text is.
        content = content.replace(folder.encode(), b"." * len(folder.encode()))
    return content


def main() -> None:
    command, name = sys.argv[1:]
    folder = Path(__file__).parent
    if command == "answer":
        model = joblib.load(name)
        rows = NUMBERS.to_numpy() if "pickled" in name else ROWS
        native = model.predict(rows), model.predict_proba(rows)
        print(json.dumps([part.tolist() for part in native]))
    elif name.startswith("pickled"):
        import cloudpickle

        what, _, python = name.partition("-")
        assert sys.version.startswith(python)
        (folder / f"{name}.pkl").write_bytes(without_folders(cloudpickle.dumps(globals()[what]())))
    else:
        joblib.dump(globals()[name](), folder / f"{name}.joblib")


if __name__ == "__main__":
    main()
