"""The manifest: read into typed objects, and written as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import EXAMPLE, adopted
from sklearn.linear_model import Ridge

from model_service.contract.contract import Output
from model_service.errors import ModelError
from model_service.model import loading
from model_service.model.loading import load_model
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
    "explanations": {
        "proven": True,
        "reason": "There is one.",
        "file_sha256": "0" * 64,
        "of": "value",
        "by": "trees",
        "background": 500,
    },
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
    "left_out": ["other.pkl"],
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
    ("text", "message"),
    [
        ("", "cannot be read: Expecting value"),
        ("[" * 100_000, "cannot be read"),
        ("[]", ": it must be an object, not []. "),
        ("{}", ': "name" is missing; "title" is missing; "description" is missing. '),
    ],
)
def test_a_file_that_is_not_a_manifest_is_refused_in_one_line(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(ModelError) as caught:
        Manifest.read(path)
    assert str(caught.value).startswith(f"{path}")
    assert message in str(caught.value)
    assert str(caught.value).endswith(f"Restore it: git checkout -- {path}")
    assert "\n" not in str(caught.value)


# (edit, what the message says)
EDITS: list[tuple[dict[str, Any], str]] = [
    ({"task": "clasification"}, '"task" must be one of classification, regression, '),
    ({"examples": []}, '"examples" must be a list of rows with the same features, at least one'),
    ({"examples": [{"a": 1}, {"b": 1}]}, '"examples" must be a list of rows with the same'),
    ({"title": ["Loans"]}, '"title" must be text in one line, not ["Loans"]'),
    ({"title": "Loans\r\nX: y"}, '"title" must be text in one line'),
    ({"version": "2"}, '"version" must be a whole number above 0, not "2"'),
    ({"version": True}, '"version" must be a whole number above 0, not true'),
    ({"columns": "Income"}, '"columns" must be a list of names, or null, not "Income"'),
    ({"classes": {"Y": 1}}, '"classes" must be a list of classes, or null'),
    ({"verified": "yes"}, '"verified" must be true or false, not "yes"'),
    ({"input": "frames"}, '"input" must be one of frame, array, texts'),
    ({"libraries": ["numpy"]}, '"libraries" must be an object of versions by library'),
    ({"categories": []}, '"categories" must be an object of objects, not []'),
    ({"model": None}, '"model" must be an object, not null'),
    ({"model": {"file": "model.pkl"}}, '"model.loader" is missing; "model.sha256" is missing'),
    ({"model": {**FULL["model"], "sha256": 5}}, '"model.sha256" must be 64 hexadecimal digits'),
    ({"explanations": {"proven": 1}}, '"explanations.proven" must be true or false'),
    ({"fast_path": {"serves": "quick"}}, '"fast_path.serves" must be one of fast, native'),
    ({"transformers": [{}]}, '"transformers[1].file" is missing'),
    ({"python": 3.13}, '"python" must be a version such as 3.13'),
]


@pytest.mark.parametrize(("edit", "message"), EDITS)
def test_an_edited_member_is_named(edit: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(FULL | edit))
    with pytest.raises(ModelError) as caught:
        Manifest.read(path)
    assert message in str(caught.value)
    assert str(caught.value).endswith(f". Restore it: git checkout -- {path}")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"classes": ["Y", "N"]}, "\"classes\" must be ['N', 'Y'], in the order of the model"),
        (
            {"model": {"member": "a.scaler"}},
            'manifest.json: model.joblib has no member "a.scaler".',
        ),
        ({"columns": None}, '"columns" is null, and the model knows its columns by name'),
    ],
)
def test_an_edit_that_the_model_contradicts_is_refused(
    edit: dict[str, Any], message: str, tmp_path: Path
) -> None:
    features = str(EXAMPLE / "features.json")
    folder = adopted(tmp_path, EXAMPLE / "model.joblib", features=features) / "model"
    load_model(folder)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    if "model" in edit:
        edit = {"model": manifest["model"] | edit["model"]}
    path.write_text(json.dumps(manifest | edit))
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    assert message in str(caught.value)
    assert "Restore model/manifest.json from git" in str(caught.value)


@pytest.mark.parametrize("content", [{"a": {"b": 1}}, [{"b": 1}], {}, 5, "text", None, Ridge()])
def test_a_member_that_the_file_lacks_is_named(
    content: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = str(EXAMPLE / "features.json")
    folder = adopted(tmp_path, EXAMPLE / "model.joblib", features=features) / "model"
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["model"]["member"] = "a.scaler"
    path.write_text(json.dumps(manifest))
    monkeypatch.setattr(loading, "_load", lambda *_: content)
    with pytest.raises(ModelError, match=r'model.joblib has no member "a.scaler"\. Restore'):
        load_model(folder)
