"""Start: the service starts with the adopted model as it was verified, or says why not."""

from __future__ import annotations

import ast
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import model_service
from model_service.contract.golden import Golden
from model_service.errors import ModelError
from model_service.model.loading import load_model
from model_service.model.model import Model
from model_service.web.app import create_app
from model_service.web.settings import Settings, SettingsError

Edit = Callable[..., Path]


def other_sha(manifest: dict[str, Any]) -> None:
    manifest["model"]["sha256"] = "0" * 64


def other_library(manifest: dict[str, Any]) -> None:
    manifest["libraries"]["numpy"] = "0.1"


def missing_library(manifest: dict[str, Any]) -> None:
    manifest["libraries"]["no-such-library"] = "1.0"


def other_python(manifest: dict[str, Any]) -> None:
    manifest["python"] = "3.1"


def other_file(manifest: dict[str, Any]) -> None:
    model = manifest["model"]["file"]
    # Of a bundle, transformers lie in the same file.
    for entry in (manifest["model"], *manifest["transformers"]):
        if entry["file"] == model:
            entry["file"] = "model.other"


def no_version(manifest: dict[str, Any]) -> None:
    del manifest["version"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_sha, "not the file that was adopted"),
        (other_library, "numpy is .* and should be 0.1"),
        (missing_library, "no-such-library is missing"),
        (other_python, r"was adopted for Python 3\.1"),
        (other_file, "model.other is missing"),
        (no_version, ".version. is missing"),
    ],
)
def test_another_model_or_environment_is_refused_in_one_line(
    edited: Edit, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        load_model(edited("manifest.json", change))
    assert "\n" not in str(caught.value)


def test_an_unknown_member_of_the_contract_is_refused_by_name(edited: Edit) -> None:
    def slip(contract: dict[str, Any]) -> None:
        contract["features"][0]["typ"] = "number"

    with pytest.raises(ModelError, match='unknown member "typ"; did you mean type'):
        load_model(edited("features.json", slip))


@pytest.mark.parametrize(
    ("predictions", "reason"),
    [([{"prediction": "something else"}], "does not reproduce"), (None, "restore golden.json")],
)
def test_golden_predictions_that_differ_stop_predictions_and_not_the_process(
    predictions: list[dict[str, Any]] | None,
    reason: str,
    model: Model,
    rows: list[dict[str, Any]],
) -> None:
    golden = Golden(rows[:1], predictions) if predictions is not None else None
    verified = dataclasses.replace(model.manifest, verified=True)
    changed = Model(model.estimator, model.contract, verified, golden, model.prepare, model.stages)
    client = create_app(changed).test_client()
    assert client.get("/health").status_code == 200
    for response in (client.get("/ready"), client.post("/predict", json=rows[0])):
        assert response.status_code == 503
        assert reason in json.loads(response.text)["detail"]


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"rows": [], "predictions": []}'])
def test_goldens_that_cannot_be_read_are_refused_in_one_line(text: str, edited: Edit) -> None:
    directory = edited("manifest.json", lambda _: None)
    (directory / "golden.json").write_text(text)
    with pytest.raises(ModelError, match="holds no recorded predictions"):
        load_model(directory)


LIMITS = {
    "MAX_JSON_BYTES": 1024 * 1024,
    "MAX_JSON_ROWS": 1000,
    "MAX_CSV_BYTES": 50 * 1024 * 1024,
    "MAX_CSV_ROWS": 200_000,
    "MAX_CSV_LINE_CHARACTERS": 1024 * 1024,
    "MAX_TEXT_CHARACTERS": 128 * 1024,
    "PREDICT_SECONDS": 20,
    "MAX_IN_FLIGHT": 48,
    "REQUESTS_PER_MINUTE": None,
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_has_a_default_and_is_set_by_its_name(name: str) -> None:
    assert getattr(Settings.from_environment({}), name.lower()) == LIMITS[name]
    assert getattr(Settings.from_environment({name: ""}), name.lower()) == LIMITS[name]
    assert getattr(Settings.from_environment({name: "7"}), name.lower()) == 7


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "٣"])
def test_a_limit_that_is_no_number_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is .*above 0, or unset it.$"):
        Settings.from_environment({name: value})


def test_only_one_module_can_unpickle() -> None:
    package = Path(model_service.__file__).parent
    dangerous = {"joblib", "pickle", "marshal", "shelve", "cloudpickle", "dill", "eval", "exec"}
    harmless = {"joblib.cpu_count", "joblib.parallel_backend"}
    found = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names += [f"{node.module}.{alias.name}" for alias in node.names]
            names += [node.id] if isinstance(node, ast.Name) else []
            if dangerous & {name.split(".")[0] for name in names if name not in harmless}:
                found.add(path.relative_to(package).as_posix())
    assert found == {"model/loading.py"}
