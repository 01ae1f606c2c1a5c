"""Which way serves, and how it is proven; the plan under other versions of scikit-learn."""

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

from model_service.contract.contract import Column
from model_service.fast_path import FastPath, NotCompiled
from model_service.fast_path.steps import registry
from model_service.model.model import Model, load_model
from workbench.verify import fast_path_proof, prove


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The loan example, adopted and proven."""
    folder = tmp_path_factory.mktemp("proven")
    for name in ("model.joblib", "sample.csv", "features.json"):
        shutil.copy(EXAMPLE / name, folder)
    answers = {"sample_data": "sample.csv", "features": "features.json"}
    project = adopted(folder, folder / "model.joblib", **answers)
    assert "Its plan answers as the model's own methods do" in prove.prove(project)
    return project


@pytest.fixture
def model(proven: Path) -> Model:
    return load_model(proven / "model")


def changed(plan: FastPath, change: Callable[[list[Column], Any, Any], Any]) -> FastPath:
    """Return a plan whose answers are changed; the table that it is asked is passed along.

    A single row has no path of its own there.
    """

    def predict(data: Any) -> Any:
        return change(data.columns, *plan.predict(data))

    return dataclasses.replace(plan, predict=predict, predict_row=None)


def lie(shares: Any, where: Any) -> Any:
    """Move the shares a little, where it says so."""
    return np.where(np.asarray(where)[:, np.newaxis], shares + np.array([1e-9, -1e-9]), shares)


LIES: dict[str, Callable[[list[Column], Any, Any], Any]] = {
    "one class for another": lambda columns, values, shares: (values[::-1], shares),
    "the ninth digit": lambda columns, values, shares: (values, lie(shares, shares[:, 0] > 0)),
    "rows with a missing amount": lambda columns, values, shares: (
        values,
        lie(shares, [v is None for v in columns[5].values]),
    ),
    "numbers beyond the range": lambda columns, values, shares: (
        values,
        lie(shares, [v > 25000 for v in columns[0].values]),  # type: ignore[operator]
    ),
    "one row alone": lambda columns, values, shares: (
        values,
        lie(shares, [len(values) == 1] * len(values)),
    ),
    "rows of a batch": lambda columns, values, shares: (
        values,
        lie(shares, np.arange(len(values)) > 90),
    ),
}


@pytest.mark.parametrize("change", LIES.values(), ids=LIES)
def test_the_proof_notices_a_plan_that_lies(
    model: Model, change: Callable[[list[Column], Any, Any], Any]
) -> None:
    assert model.golden is not None
    assert model.plan is not None
    assert fast_path_proof.find_difference(model, model.plan, model.golden.rows) is None
    reason = fast_path_proof.find_difference(model, changed(model.plan, change), model.golden.rows)
    assert reason is not None
    assert reason.startswith("The fast path predicts differently from the model")


ROW_LIES: dict[str, Callable[[list[Any], Any, Any], Any]] = {
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


@pytest.mark.parametrize("change", ROW_LIES.values(), ids=ROW_LIES)
def test_the_proof_notices_a_row_alone_that_is_answered_otherwise(
    model: Model, change: Callable[[list[Any], Any, Any], Any]
) -> None:
    assert model.golden is not None
    assert model.plan is not None
    predict_row = model.plan.predict_row
    assert predict_row is not None
    lying = dataclasses.replace(
        model.plan, predict_row=lambda row: change(list(row), *predict_row(row))
    )
    reason = fast_path_proof.find_difference(model, lying, model.golden.rows)
    assert reason is not None
    assert reason.startswith("The fast path predicts differently from the model")


def test_a_scaler_that_forgets_its_shift_serves_no_row(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert model.golden is not None
    assert fast_path_proof.examine(model, model.golden.rows) == {"serves": "plan"}

    compile_scaler = registry.TRANSFORMERS["sklearn", "StandardScaler"]

    def forgetful(scaler: Any) -> registry.CompiledTransformer:
        def scale_row(values: list[Any]) -> list[Any]:
            return [v / s for v, s in zip(values, scaler.scale_, strict=True)]

        return dataclasses.replace(compile_scaler(scaler), row=scale_row)

    monkeypatch.setitem(registry.TRANSFORMERS, ("sklearn", "StandardScaler"), forgetful)
    found = fast_path_proof.examine(model, model.golden.rows)
    assert found["serves"] == "native"
    assert found["reason"].startswith("The fast path predicts differently from the model")


def test_a_step_that_takes_no_single_rows_leaves_them_to_the_plan(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert model.golden is not None
    rows, _ = model.contract.parse_rows(model.golden.rows)
    alone = [model.predict([row]) for row in rows]
    compile_scaler = registry.TRANSFORMERS["sklearn", "StandardScaler"]

    def without_row(scaler: Any) -> registry.CompiledTransformer:
        return dataclasses.replace(compile_scaler(scaler), row=None, no_row="for this test")

    monkeypatch.setitem(registry.TRANSFORMERS, ("sklearn", "StandardScaler"), without_row)
    model.plan = model.make_plan()
    assert model.plan.predict_row is None
    assert [model.predict([row]) for row in rows] == alone


def test_what_a_row_alone_fails_on_the_plan_answers(model: Model) -> None:
    assert model.golden is not None
    assert model.plan is not None
    expected = model.predict(model.golden.rows[:1])

    def fail(row: Any) -> Any:
        raise ZeroDivisionError

    failing = dataclasses.replace(model.plan, predict_row=fail)
    assert model.by_plan(failing, model.golden.rows[:1]) == expected


def test_the_proof_notices_a_plan_that_answers_what_the_model_refuses(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert model.golden is not None
    assert model.plan is not None
    native = model.natively

    def refusing(rows: Any) -> Any:
        if any(row["loan_amount"] is None for row in rows):
            raise ValueError("missing")
        return native(rows)

    monkeypatch.setattr(model, "natively", refusing)
    reason = fast_path_proof.find_difference(model, model.plan, model.golden.rows)
    assert reason == "The fast path predicts a row that the model fails on."


def test_a_plan_that_fails_does_not_serve(model: Model) -> None:
    assert model.golden is not None
    assert model.plan is not None

    def fail(columns: list[Column], values: Any, shares: Any) -> Any:
        raise KeyError("a step")

    failing = changed(model.plan, fail)
    reason = fast_path_proof.find_difference(model, failing, model.golden.rows)
    assert reason == "The fast path fails on the first golden row (KeyError)."
    # Were it to serve, the model's own methods would answer.
    expected = model.predict(model.golden.rows)
    model.plan = failing
    assert model.predict(model.golden.rows) == expected


def test_rows_are_drawn_where_a_plan_may_be_wrong(model: Model) -> None:
    assert model.golden is not None
    rows = fast_path_proof.proof_rows(model, model.natively, model.golden.rows)
    assert rows == fast_path_proof.proof_rows(model, model.natively, model.golden.rows)
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
    asked = {
        row["x"] for row in fast_path_proof.proof_rows(model, model.predict, model.golden.rows)
    }
    thresholds = tree.tree_.threshold[tree.tree_.feature == 0]
    assert len(thresholds) == 3
    # A tree compares in float32: the number that is last on the left is found to the last bit.
    for threshold in thresholds:
        left = max(x for x in asked if np.float32(x) <= threshold)
        assert np.float32(np.nextafter(left, np.inf)) > threshold
        assert np.nextafter(left, np.inf) in asked


def test_the_manifest_says_which_way_serves_and_why(proven: Path, tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(proven / "model", copy)
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["plan"] == {"serves": "plan"}
    for change in ({"verified": False}, {"plan": {"serves": "native", "reason": "It lies."}}):
        (copy / "manifest.json").write_text(json.dumps(manifest | change), encoding="utf-8")
        loaded = load_model(copy)
        assert loaded.plan is None
        assert loaded.manifest.public()["plan"] == (manifest | change)["plan"]


def test_what_takes_a_frame_stays_native(model: Model) -> None:
    model.prepare = lambda frame: frame
    with pytest.raises(NotCompiled, match=r"prepare\(\)"):
        model.make_plan()
    assert fast_path_proof.examine(model, [])["serves"] == "native"


FAST_PATH_TESTS = ROOT / "tests" / "model_service" / "fast_path"


@pytest.mark.slow
@pytest.mark.parametrize(
    "libraries",
    [
        "scikit-learn==1.2.2 numpy==1.24.2 scipy==1.10.1 pandas==1.5.3 joblib==1.2.0",
        "scikit-learn==1.5.2 numpy==1.26.4 scipy==1.14.1 pandas==2.2.3 joblib==1.4.2",
        "scikit-learn==1.9.1 pandas==3.1.1 xgboost-cpu==3.2.0 lightgbm==4.6.0 catboost==1.2.10",
    ],
)
def test_other_versions_answer_as_they_do(libraries: str, tmp_path: Path) -> None:
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
