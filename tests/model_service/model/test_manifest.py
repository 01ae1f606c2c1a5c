"""The manifest: read into typed objects, and written as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import EXAMPLE, adopted

from model_service.contract.contract import Output
from model_service.errors import ModelError
from model_service.model.manifest import MEMBERS, NOT_PUBLIC, Manifest

FITTED = {"loader": "joblib", "sha256": "0" * 64, "bytes": 5, "source": "a.pkl"}
# Every member with a value that is not its default.
FULL: dict[str, Any] = {
    "name": "loans",
    "title": "Loans",
    "description": "About them.",
    "version": 3,
    "verified": True,
    "fast_path": {"serves": "native", "reason": "It is not equal."},
    "task": "regression",
    "classes": None,
    "estimator": "XGBoost Booster",
    "binary": [0, 1],
    "outputs": 1,
    "probabilities": False,
    "input": "frame",
    "columns": ["Income", "Area"],
    "python": "3.13",
    "libraries": {"numpy": "2.4.0", "pandas": None},
    "model": {"file": "model.pkl", "member": "a.b", **FITTED, "constant": 0, "columns": ["x"]},
    "categories": {"Area": {"values": ["Rural", 1], "dtype": "object"}},
    "code": {
        "file": "custom_code.py",
        "sha256": "0" * 64,
        "modules": {"__main__": ["Ratio"]},
        "prepare": True,
    },
    "transformers": [
        {"file": "scaler.skops", "member": None, **FITTED, "loader": "skops"}
        | {"trusted": ["notebook.Ratio"], "estimator": "StandardScaler"}
    ],
    "sample": "sample.csv",
    "derived": {"Income": {"nullable": False}},
    "examples": [{"Income": 1, "Area": "Rural"}, {"Income": 2, "Area": 1}],
    "profile": [{"name": "Income", "type": "number", "missing": 0.5, "shares": [1], "values": [1]}],
}


def test_a_manifest_is_written_as_it_was_read() -> None:
    assert Manifest.from_json(FULL).to_json() == FULL
    assert list(FULL) == MEMBERS


def test_an_adopted_manifest_is_written_as_it_was_read(tmp_path: Path) -> None:
    path = adopted(tmp_path, EXAMPLE / "model.joblib") / "model" / "manifest.json"
    document = json.loads(path.read_text())
    manifest = Manifest.read(path)
    assert list(manifest.to_json().items()) == list(document.items())
    assert manifest.model.reference == "model.joblib"
    assert not manifest.serves_fast_path


def test_the_public_part_has_no_row_of_the_sample() -> None:
    public = Manifest.from_json(FULL).public()
    assert set(public) == set(FULL) - NOT_PUBLIC
    assert public["model"]["sha256"] == "0" * 64


def test_a_raw_booster_predicts_the_classes_that_the_output_names() -> None:
    manifest = Manifest.from_json(FULL)
    assert manifest.for_output(Output()) is manifest
    asked = manifest.for_output(Output(labels={"0": "no", "1": "yes"}))
    assert asked.task.kind == "classification"
    assert asked.public()["classes"] == [0, 1]
    assert asked.public()["probabilities"] is True


def test_an_example_has_each_value_from_another_row() -> None:
    manifest = Manifest.from_json(FULL)
    assert manifest.example() == {"Income": 1, "Area": 1}
    assert manifest.example(1) == {"Income": 2, "Area": "Rural"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        *(json.dumps({k: v for k, v in FULL.items() if k != name}) for name in ("title", "model")),
        json.dumps(FULL | {"model": {"file": "model.pkl"}}),
        json.dumps(FULL | {"categories": []}),
    ],
)
def test_a_file_that_is_not_a_manifest_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(ModelError, match=r"is not a manifest \(.*\); run make adopt\.$") as caught:
        Manifest.read(path)
    assert "\n" not in str(caught.value)
