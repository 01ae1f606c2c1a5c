"""Files that several objects were pickled into, one after the other."""

from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import adopted
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from model_service.contract.batch import Batch
from model_service.model.loading import load_model
from workbench.adopt.problems import AnswerError

NAMES = ["age", "income", "debt"]
FRAME = pd.DataFrame(np.random.default_rng(0).normal(50, 20, size=(60, 3)), columns=NAMES)
TARGET = (FRAME["age"] + FRAME["debt"] > 100).astype(int)
SCALER = StandardScaler().fit(FRAME)
SCALED = LogisticRegression().fit(SCALER.transform(FRAME), TARGET)
NAMED = LogisticRegression(max_iter=500).fit(FRAME, TARGET)
FOREST = RandomForestClassifier(3, random_state=0).fit(SCALER.transform(FRAME), TARGET)
Dump = Callable[[object, object], object]


def saved(folder: Path, *objects: object, dump: Dump = pickle.dump) -> Path:
    path = folder / "model.pkl"
    with path.open("wb") as file:
        for one in objects:
            dump(one, file)
    return path


def predictions(project: Path) -> list[float]:
    rows = Batch.of_rows(FRAME.head(5).to_dict("records"))
    answers = load_model(project / "model").predict(rows)
    return [answer["probabilities"]["1"] for answer in answers]


@pytest.mark.parametrize("dump", [pickle.dump, joblib.dump])
@pytest.mark.parametrize("model", [SCALED, FOREST])
@pytest.mark.parametrize("scaler_first", [True, False])
def test_the_scaler_is_applied_wherever_it_is(
    dump: Dump, model: LogisticRegression, scaler_first: bool, tmp_path: Path
) -> None:
    objects = (SCALER, model) if scaler_first else (model, SCALER)
    project = adopted(tmp_path, saved(tmp_path, *objects, dump=dump))
    native = model.predict_proba(SCALER.transform(FRAME.head(5)))[:, 1]
    assert predictions(project) == pytest.approx(native, rel=1e-12)
    manifest = json.loads((project / "model" / "manifest.json").read_text())
    assert manifest["model"]["loader"] == "pickles"


def test_a_list_of_names_after_the_model(tmp_path: Path) -> None:
    nameless = LogisticRegression(max_iter=500).fit(FRAME.to_numpy(), TARGET)
    project = adopted(tmp_path, saved(tmp_path, nameless, NAMES))
    native = nameless.predict_proba(FRAME.head(5).to_numpy())[:, 1]
    assert predictions(project) == pytest.approx(native, rel=1e-12)


def test_of_two_models_one_has_to_be_named(tmp_path: Path) -> None:
    path = saved(tmp_path, NAMED, LogisticRegression(C=0.1).fit(FRAME, TARGET))
    with pytest.raises(AnswerError, match=r"model\.pkl#0 or .*model\.pkl#1"):
        adopted(tmp_path, path)
    path = path.rename(tmp_path / "two.pkl")
    project = adopted(tmp_path, Path(f"{path}#0"))
    assert predictions(project) == pytest.approx(NAMED.predict_proba(FRAME.head(5))[:, 1])


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ((NAMES, {"accuracy": 0.9}), "several objects, one after the other"),
        ((NAMED, "text"), None),
    ],
)
def test_what_is_no_model_among_them(
    objects: tuple[object, ...], message: str | None, tmp_path: Path
) -> None:
    path = saved(tmp_path, *objects)
    if message is None:
        assert adopted(tmp_path, path).exists()
        return
    with pytest.raises(AnswerError, match=message):
        adopted(tmp_path, path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content + b"\n", "there are bytes after its end"),
        (lambda content: content + pickle.dumps(NAMED)[:-200], "there are bytes after its end"),
        (lambda content: gzip.compress(content + pickle.dumps(NAMES)), "holds a second object"),
    ],
)
def test_what_no_loader_would_read(
    change: Callable[[bytes], bytes], message: str, tmp_path: Path
) -> None:
    path = saved(tmp_path, NAMED)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(AnswerError, match=message):
        adopted(tmp_path, path)
