"""Date columns: text in the request, datetime64 for the model, NaT for a missing date."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import joblib
import pandas as pd
import pytest
from conftest import SRC, adopted, environment, features_of
from running import trained
from sklearn.ensemble import HistGradientBoostingRegressor

from workbench.adopt.problems import AnswerError

# What people do with a date; the model file refers to it by name.
CODE = """
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin


def parts(frame):
    when = frame["when"].dt
    return pd.DataFrame({"amount": frame["amount"], "month": when.month, "weekday": when.weekday})


class Age(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.newest_ = X["when"].max()
        return self

    def transform(self, X):
        assert X["when"].dtype == "datetime64[ns]", X["when"].dtype
        return X.assign(when=(self.newest_ - X["when"]).dt.days)
"""
TRAIN = """
import joblib, json
import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

days = pd.date_range("2020-02-28", periods=90, freq="7D").astype("datetime64[ns]")
X = pd.DataFrame({"amount": np.linspace(1, 5, 90), "when": days})
y = X["amount"] * days.month
if MISSING:
    X.loc[::9, "when"] = pd.NaT
    model = make_pipeline(STEP, HistGradientBoostingRegressor(max_iter=5))
else:
    model = make_pipeline(STEP, KNeighborsRegressor(1))
joblib.dump(model.fit(X, y), "model.joblib")
X.to_csv("sample.csv", index=False)
texts = X["when"].dt.strftime("%Y-%m-%d").astype(object).where(X["when"].notna(), None)
rows = X.assign(when=texts).to_dict("records")
print(json.dumps([rows, model.predict(X).tolist()]))
"""
# In a process of its own: there `__main__` is another module, as it is under gunicorn.
PROVE_AND_ASK = """
import json, sys
from pathlib import Path
from model_service.web.app import create_app
from model_service.model.loading import load_model
from workbench.verify.prove import prove
prove(Path())
client = create_app(load_model(Path("model"))).test_client()
rows = json.loads(sys.stdin.read())
many = client.post("/predict", json={"rows": rows}).json["predictions"]
alone = [client.post("/predict", json=row).json for row in rows]
print(json.dumps([[answer["prediction"] for answer in answers] for answers in (many, alone)]))
"""
FEATURES = json.dumps([{"name": "amount"}, {"name": "when", "type": "date"}])


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("step", ["FunctionTransformer(parts)", "Age()"])
def test_a_date_reaches_the_model_as_in_its_training(
    step: str, missing: bool, tmp_path: Path
) -> None:
    settings = f"MISSING = {missing}\n"
    script = CODE + settings + TRAIN.replace("STEP", step)
    rows, native = trained(tmp_path, script)
    (tmp_path / "code.py").write_text(CODE)
    (tmp_path / "features.json").write_text(FEATURES)
    project = adopted(
        tmp_path,
        tmp_path / "model.joblib",
        sample_data="sample.csv",
        features="features.json",
        model_code="code.py",
    )
    asked = subprocess.run(
        [sys.executable, "-c", PROVE_AND_ASK],
        input=json.dumps(rows),
        cwd=project,
        env=environment(PYTHONPATH=str(SRC)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 0, asked.stderr
    many, alone = json.loads(asked.stdout.splitlines()[-1])  # after what the service logs
    assert many == native
    assert alone == native
    assert features_of(project)["when"] == {"name": "when", "type": "date", "nullable": missing}


def test_an_undeclared_date_of_a_model_of_numbers_is_refused(tmp_path: Path) -> None:
    """Nobody can know what the author's script made of it."""
    frame = pd.DataFrame({"amount": [1.0, 2.0], "when": ["2024-01-31", "2024-02-29"]})
    model = HistGradientBoostingRegressor(max_iter=1).fit(frame[["amount"]], [0.0, 1.0])
    model.feature_names_in_ = frame.columns.to_numpy(dtype=object)
    model.n_features_in_ = 2
    joblib.dump(model, tmp_path / "model.joblib")
    frame.to_csv(tmp_path / "sample.csv", index=False)
    with pytest.raises(AnswerError, match=r"takes numbers, and when of sample\.csv is text"):
        adopted(tmp_path, tmp_path / "model.joblib", sample_data="sample.csv")
