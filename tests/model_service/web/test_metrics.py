"""/metrics of models with hostile names, as Prometheus' own client reads it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import adopted
from prometheus_client.parser import text_string_to_metric_families
from sklearn.tree import DecisionTreeClassifier
from werkzeug.routing import Map

from model_service.model.loading import load_model
from model_service.web.app import create_app
from model_service.web.metrics import MAX_NAMES, Metrics

HOSTILE = ['a"b', "back\\slash", "\\n", "π, x", "{}=", " # HELP "]


def read(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    return {
        family.name: [(sample.labels, sample.value) for sample in family.samples]
        for family in text_string_to_metric_families(text)
    }


def test_hostile_names_are_escaped(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = HOSTILE + [f"x{number}" for number in range(2 * MAX_NAMES)]
    classes = np.array(HOSTILE + [f"c{number}" for number in range(MAX_NAMES)])
    frame = pd.DataFrame(rng.normal(size=(500, len(names))), columns=names)
    model = DecisionTreeClassifier(max_depth=5).fit(frame, np.resize(classes, 500))
    joblib.dump(model, tmp_path / "model.joblib")
    directory = adopted(tmp_path, tmp_path / "model.joblib") / "model"
    client = create_app(load_model(directory)).test_client()
    row = dict.fromkeys(names, 0.0)
    without = [{k: v for k, v in row.items() if k != name} for name in names]
    assert client.post("/predict", json={"rows": without}).status_code == 422
    predicted = client.post("/predict", json=row).get_json()["prediction"]

    found = read(client.get("/metrics").text)

    rejected = {labels.get("feature"): count for labels, count in found["model_rejected_rows"]}
    assert rejected == {**dict.fromkeys(names[:MAX_NAMES], 1), None: len(names) - MAX_NAMES}
    assert found["model_predictions"][0][0]["class"] in (predicted, "other")
    assert found["model_rows"] == [({}, 1)]
    assert sum(count for _, count in found["http_requests"]) == 2
    of_predict = [
        count for labels, count in found["http_request_duration_seconds"] if "le" in labels
    ]
    assert of_predict[-1] == 2


@pytest.mark.parametrize(
    ("classes", "labels"),
    [
        (["a", "b"], ["a", "b", "other"]),
        (["a", "other"], ["a", "other", "_other"]),
        (["_other", "other"], ["_other", "other", "__other"]),
        ([1, "1"], ["1", "other"]),
    ],
)
def test_each_class_is_one_series(loan: Path, classes: list[Any], labels: list[str]) -> None:
    model = load_model(loan / "model")
    task = replace(model.manifest.task, classes=classes)
    metrics = Metrics(Map(), model.contract, replace(model.manifest, task=task))
    metrics.count_predictions([{"prediction": value} for value in (*classes, "unforeseen")])
    counted = read(metrics.text([]))["model_predictions"]
    assert [labels["class"] for labels, _ in counted] == labels
    assert sum(count for _, count in counted) == len(classes) + 1
