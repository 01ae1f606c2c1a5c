"""The proof of the fast path finds every difference; other versions of scikit-learn pass it."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import EXAMPLE, ROOT, adopted
from sklearn.tree import DecisionTreeRegressor

from model_service.contract.batch import Batch, Column
from model_service.contract.parsing import parse_rows
from model_service.fast_path import FastPath, NotCompiled
from model_service.fast_path.steps import registry
from model_service.model.loading import load_model
from model_service.model.manifest import ServedBy
from model_service.model.model import Model
from workbench.verify import fast_path_proof, prove


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the loan example, adopted and proven."""
    folder = tmp_path_factory.mktemp("proven")
    for name in ("model.joblib", "sample.csv", "features.json"):
        shutil.copy(EXAMPLE / name, folder)
    answers = {"sample_data": "sample.csv", "features": "features.json"}
    project = adopted(folder, folder / "model.joblib", **answers)
    assert "Its fast path predicts what the model's own methods predict" in prove.prove(project)
    return project


@pytest.fixture
def model(proven: Path) -> Model:
    return load_model(proven / "model")


def changed(fast_path: FastPath, change: Callable[[list[Column], Any, Any], Any]) -> FastPath:
    """Return a fast path whose outputs are changed by a function of the input columns and outputs.

    It has no path of its own for a single row.
    """

    def predict(data: Any) -> Any:
        return change(data.columns, *fast_path.predict(data))

    return dataclasses.replace(fast_path, predict=predict, predict_row=None)


def shifted(shares: Any, where: Any) -> Any:
    """Move the probabilities a little in the rows that `where` selects."""
    return np.where(np.asarray(where)[:, np.newaxis], shares + np.array([1e-9, -1e-9]), shares)


WRONG_OUTPUTS: dict[str, Callable[[list[Column], Any, Any], Any]] = {
    "one class for another": lambda columns, values, shares: (values[::-1], shares),
    "the ninth digit": lambda columns, values, shares: (values, shifted(shares, shares[:, 0] > 0)),
    "rows with a missing amount": lambda columns, values, shares: (
        values,
        shifted(shares, [v is None for v in columns[5].values]),
    ),
    "numbers beyond the range": lambda columns, values, shares: (
        values,
        shifted(shares, [v > 25000 for v in columns[0].values]),  # type: ignore[operator]
    ),
    "one row alone": lambda columns, values, shares: (
        values,
        shifted(shares, [len(values) == 1] * len(values)),
    ),
    "rows of a batch": lambda columns, values, shares: (
        values,
        shifted(shares, np.arange(len(values)) > 90),
    ),
}


@pytest.mark.parametrize("change", WRONG_OUTPUTS.values(), ids=WRONG_OUTPUTS)
def test_the_proof_finds_wrong_outputs(
    model: Model, change: Callable[[list[Column], Any, Any], Any]
) -> None:
    assert model.golden is not None
    assert model.fast_path is not None
    assert fast_path_proof.find_difference(model, model.fast_path, model.golden.rows) is None
    reason = fast_path_proof.find_difference(
        model, changed(model.fast_path, change), model.golden.rows
    )
    assert reason is not None
    assert reason.startswith("The fast path predicts differently from the model")


WRONG_SINGLE_ROWS: dict[str, Callable[[list[Any], Any, Any], Any]] = {
    "one class for another": lambda row, value, shares: ("N" if value == "Y" else "Y", shares),
    "the ninth digit": lambda row, value, shares: (value, [shares[0] + 1e-9, shares[1] - 1e-9]),
    "rows with nothing missing": lambda row, value, shares: (
        value,
        shares if None in row else shares[::-1],
    ),
    "one category where another is missing": lambda row, value, shares: (
        value,
        shares[::-1] if row[2] == "3+" and row[7] is None else shares,
    ),
}


@pytest.mark.parametrize("change", WRONG_SINGLE_ROWS.values(), ids=WRONG_SINGLE_ROWS)
def test_the_proof_finds_wrong_outputs_for_a_single_row(
    model: Model, change: Callable[[list[Any], Any, Any], Any]
) -> None:
    assert model.golden is not None
    assert model.fast_path is not None
    predict_row = model.fast_path.predict_row
    assert predict_row is not None
    wrong = dataclasses.replace(
        model.fast_path, predict_row=lambda row: change(list(row), *predict_row(row))
    )
    reason = fast_path_proof.find_difference(model, wrong, model.golden.rows)
    assert reason is not None
    assert reason.startswith("The fast path predicts differently from the model")


def test_the_proof_finds_a_scaler_that_forgets_its_mean(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert model.golden is not None
    assert fast_path_proof.choose_path(model, model.golden.rows) == ServedBy(path="fast")

    compile_scaler = registry.TRANSFORMERS["sklearn", "StandardScaler"]

    def forgetful(scaler: Any) -> registry.CompiledTransformer:
        def scale_row(values: list[Any]) -> list[Any]:
            return [v / s for v, s in zip(values, scaler.scale_, strict=True)]

        return dataclasses.replace(compile_scaler(scaler), row=scale_row)

    monkeypatch.setitem(registry.TRANSFORMERS, ("sklearn", "StandardScaler"), forgetful)
    found = fast_path_proof.choose_path(model, model.golden.rows)
    assert found.path == "native"
    assert found.reason is not None
    assert found.reason.startswith("The fast path predicts differently from the model")


def test_a_step_without_a_row_path_takes_single_rows_as_matrices(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert model.golden is not None
    batch = parse_rows(model.contract, model.golden.rows)
    rows = [batch[number : number + 1] for number in range(len(batch))]
    alone = [list(model.predict(row)) for row in rows]
    compile_scaler = registry.TRANSFORMERS["sklearn", "StandardScaler"]

    def without_row(scaler: Any) -> registry.CompiledTransformer:
        return dataclasses.replace(compile_scaler(scaler), row=None, no_row="for this test")

    monkeypatch.setitem(registry.TRANSFORMERS, ("sklearn", "StandardScaler"), without_row)
    model.fast_path = model.compile_fast_path()
    assert model.fast_path.predict_row is None
    assert [list(model.predict(row)) for row in rows] == alone


def test_a_row_that_fails_alone_is_predicted_as_a_matrix(model: Model) -> None:
    assert model.golden is not None
    assert model.fast_path is not None
    batch = Batch.of_rows(model.golden.rows[:1])
    expected = list(model.predict(batch))

    def fail(row: Any) -> Any:
        raise ZeroDivisionError

    failing = dataclasses.replace(model.fast_path, predict_row=fail)
    assert list(model.by_fast_path(failing, batch)) == expected


def test_the_proof_finds_a_prediction_for_a_row_that_the_model_refuses(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert model.golden is not None
    assert model.fast_path is not None
    native = model.natively

    def refusing(batch: Batch) -> Any:
        if None in batch.columns["loan_amount"]:
            raise ValueError("missing")
        return native(batch)

    monkeypatch.setattr(model, "natively", refusing)
    reason = fast_path_proof.find_difference(model, model.fast_path, model.golden.rows)
    assert reason == "The fast path predicts a row that the model fails on."


def test_a_fast_path_that_fails_does_not_serve(model: Model) -> None:
    assert model.golden is not None
    assert model.fast_path is not None

    def fail(columns: list[Column], values: Any, shares: Any) -> Any:
        raise KeyError("a step")

    failing = changed(model.fast_path, fail)
    reason = fast_path_proof.find_difference(model, failing, model.golden.rows)
    assert reason == "The fast path fails on the first golden row (KeyError)."
    # If it served, the model's own methods would predict instead.
    batch = Batch.of_rows(model.golden.rows)
    expected = list(model.predict(batch))
    model.fast_path = failing
    assert list(model.predict(batch)) == expected


def predicting(model: Model) -> fast_path_proof.PredictRows:
    return lambda rows: model.natively(Batch.of_rows(rows))


def test_rows_are_drawn_of_all_kinds_of_values(model: Model) -> None:
    assert model.golden is not None
    rows = fast_path_proof.proof_rows(model, predicting(model), model.golden.rows)
    assert rows == fast_path_proof.proof_rows(model, predicting(model), model.golden.rows)
    assert len(rows) >= 2000
    for feature in model.contract.features:
        values = {row[feature.name] for row in rows}
        assert (None in values) == feature.nullable
        assert {*(feature.categories or ())} <= values
        if feature.maximum is not None:
            assert any(v is not None and v > feature.maximum for v in values)  # type: ignore[operator]


def test_rows_are_drawn_on_both_sides_of_thresholds(tmp_path: Path) -> None:
    data = pd.DataFrame({"x": np.linspace(0, 7, 50)})
    tree = DecisionTreeRegressor(max_depth=2).fit(data, data["x"].round())
    joblib.dump(tree, tmp_path / "tree.joblib")
    data.to_csv(tmp_path / "sample.csv", index=False)
    project = adopted(tmp_path, tmp_path / "tree.joblib", sample_data="sample.csv")
    prove.prove(project)
    model = load_model(project / "model")
    assert model.golden is not None
    drawn = fast_path_proof.proof_rows(model, predicting(model), model.golden.rows)
    asked = {row["x"] for row in drawn}
    thresholds = tree.tree_.threshold[tree.tree_.feature == 0]
    assert len(thresholds) == 3
    # A tree compares in float32: the largest number left of a threshold is found to the last bit.
    for threshold in thresholds:
        left = max(x for x in asked if np.float32(x) <= threshold)
        assert np.float32(np.nextafter(left, np.inf)) > threshold
        assert np.nextafter(left, np.inf) in asked


def test_the_manifest_decides_whether_the_fast_path_serves(proven: Path, tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(proven / "model", copy)
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["fast_path"] == {"serves": "fast"}
    for change in (
        {"verified": False},
        {"fast_path": {"serves": "native", "reason": "It differs."}},
    ):
        (copy / "manifest.json").write_text(json.dumps(manifest | change), encoding="utf-8")
        loaded = load_model(copy)
        assert loaded.fast_path is None
        assert loaded.manifest.public()["fast_path"] == (manifest | change)["fast_path"]


def test_prepare_has_no_fast_path(model: Model) -> None:
    model.prepare = lambda frame: frame
    with pytest.raises(NotCompiled, match=r"prepare\(\)"):
        model.compile_fast_path()
    assert fast_path_proof.choose_path(model, []).path == "native"


FAST_PATH_TESTS = ROOT / "tests" / "model_service" / "fast_path"


@pytest.mark.slow
@pytest.mark.heavy
@pytest.mark.parametrize(
    "libraries",
    [
        "scikit-learn==1.2.2 numpy==1.24.2 scipy==1.10.1 pandas==1.5.3 joblib==1.2.0",
        "scikit-learn==1.5.2 numpy==1.26.4 scipy==1.14.1 pandas==2.2.3 joblib==1.4.2",
        "scikit-learn==1.9.1 pandas==3.1.1 xgboost-cpu==3.2.0 lightgbm==4.6.0 catboost==1.2.10",
    ],
)
def test_other_versions_of_scikit_learn_pass_the_tests_of_the_fast_path(
    libraries: str, tmp_path: Path
) -> None:
    python = tmp_path / "bin" / "python"
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, tmp_path], check=True)
    wanted = [*libraries.split(), "pytest", "hypothesis", "flask"]
    install = [*uv, "pip", "install", "--quiet", "--python", python, "--only-binary", ":all:"]
    subprocess.run([*install, *wanted], check=True)
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-m", "not slow", "-W", "ignore", FAST_PATH_TESTS],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
