"""Verify builds explanations, proves them, and leaves them out where it cannot."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import adopted
from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from model_service.contract.batch import Batch
from model_service.explain.answer import ExplainRequest
from model_service.explain.blackbox import BlackBox, Budget
from model_service.explain.parts import Explained, LinearPart
from model_service.model.loading import load_model
from model_service.model.model import Model
from model_service.web.settings import Settings
from workbench import files
from workbench.verify import explain_proof
from workbench.verify.explain_proof import prove_explanations
from workbench.verify.prove import prove

RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame(RANDOM.normal(size=(80, 3)).round(2), columns=["a", "b", "c"])
YES = np.where(FRAME["a"] + FRAME["b"] > 0, "Y", "N")
WIDE = pd.DataFrame(RANDOM.normal(size=(80, 14)).round(2), columns=[f"x{n}" for n in range(14)])
WIDEST = pd.DataFrame(RANDOM.normal(size=(80, 70)).round(2), columns=[f"w{n}" for n in range(70)])

Make = Callable[..., Path]


@pytest.fixture
def proven_project(tmp_path: Path) -> Make:
    """Adopt and prove a model."""

    def make(model: Any, frame: pd.DataFrame, **answers: str) -> Path:
        joblib.dump(model, tmp_path / "model.joblib")
        frame.to_csv(tmp_path / "sample.csv", index=False)
        sample = {"sample_data": str(tmp_path / "sample.csv")}
        project = adopted(tmp_path, tmp_path / "model.joblib", **sample, **answers)
        prove(project)
        return project

    return make


def noting(seen: list[tuple[Budget, int]], solve: Any) -> Any:
    """Return the method `solve`, which notes the budget and how often it was called before."""
    calls: dict[int, int] = {}
    kept = []

    def noted(self: BlackBox, batch: Batch, budget: Budget) -> Any:
        kept.append(self)  # so that no other gets its id
        seen.append((budget, calls.get(id(self), 0)))
        calls[id(self)] = calls.get(id(self), 0) + 1
        return solve(self, batch, budget)

    return noted


def logistic() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME, YES)


def explanation(model: Model, row: dict[str, Any]) -> dict[str, Any]:
    batch = Batch.of_rows([row])
    (found,) = model.explain(batch, model.predict(batch), ExplainRequest(), Budget(None))
    content: dict[str, Any] = found["explanation"]
    return content


def recorded(project: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((project / files.MANIFEST).read_text())["explanations"]
    return document


@pytest.mark.parametrize(
    ("model", "frame", "of", "by", "background"),
    [
        (logistic(), FRAME, "log-odds", "linear", 80),
        (LogisticRegression().fit(WIDEST, YES), WIDEST, "log-odds", "linear", 80),
        (
            RandomForestClassifier(5, random_state=0).fit(WIDE, YES),
            WIDE,
            "probability",
            "trees",
            80,
        ),
        (KMeans(3, n_init=1, random_state=0).fit(FRAME), FRAME, "vote", "mixed rows", 24),
        (
            IsolationForest(n_estimators=5, random_state=0).fit(FRAME),
            FRAME,
            "score",
            "mixed rows",
            27,
        ),
        # Eleven features: the service estimates, and an enumeration is affordable for the proof.
        (
            KNeighborsClassifier().fit(WIDE.iloc[:, :11], YES),
            WIDE.iloc[:, :11],
            "probability",
            "mixed rows",
            24,
        ),
    ],
    ids=["linear", "very many features", "many features", "clusters", "outliers", "estimated"],
)
def test_explanations_are_proven_and_recorded(
    proven_project: Make, model: Any, frame: pd.DataFrame, of: str, by: str, background: int
) -> None:
    project = proven_project(model, frame)
    found = recorded(project)
    assert {k: found[k] for k in ("proven", "of", "by", "background")} == {
        "proven": True,
        "of": of,
        "by": by,
        "background": background,
    }
    loaded = load_model(project / "model")
    assert loaded.explainer is not None
    row = {name: float(value) for name, value in frame.iloc[0].items()}
    one = explanation(loaded, row)
    total = one["base"] + sum(entry["contribution"] for entry in one["features"])
    assert total == pytest.approx(one["value"])


def test_the_file_holds_no_row(proven_project: Make) -> None:
    project = proven_project(RandomForestClassifier(5, random_state=0).fit(FRAME, YES), FRAME)
    with np.load(project / files.EXPLAIN, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    numbers = {float(n) for a in arrays.values() if a.dtype.kind == "f" for n in a.ravel()}
    for row in FRAME.to_numpy().tolist():
        assert not set(row) <= numbers
    assert all(array.dtype.kind in "fiubU" for array in arrays.values())


def test_the_same_model_and_sample_give_the_same_file(proven_project: Make) -> None:
    project = proven_project(logistic(), FRAME)
    content = (project / files.EXPLAIN).read_bytes()
    prove(project)
    assert (project / files.EXPLAIN).read_bytes() == content


def test_wrong_explanations_are_not_served(
    proven_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    solve = LinearPart.solve_values

    def solve_wrongly(self: LinearPart, values: Sequence[float], output: int) -> Explained:
        terms = solve(self, values, output)
        return dataclasses.replace(terms, contributions=terms.contributions[::-1])

    monkeypatch.setattr(LinearPart, "solve_values", solve_wrongly)
    project = proven_project(logistic(), FRAME)
    found = recorded(project)
    assert not found["proven"]
    assert "differ from the definition" in found["reason"]
    assert not (project / files.EXPLAIN).exists()
    assert load_model(project / "model").explainer is None


def test_without_a_sample_the_file_of_the_same_model_is_kept(proven_project: Make) -> None:
    project = proven_project(logistic(), FRAME)
    content = (project / files.EXPLAIN).read_bytes()
    (project / files.KEPT_SAMPLE).unlink()
    prove(project)
    assert (project / files.EXPLAIN).read_bytes() == content
    assert recorded(project)["proven"]


@pytest.mark.parametrize("change", ["file", "contract"])
def test_another_file_is_not_kept(proven_project: Make, change: str) -> None:
    project = proven_project(logistic(), FRAME)
    (project / files.KEPT_SAMPLE).unlink()
    if change == "file":
        (project / files.EXPLAIN).write_bytes(b"another")
    else:
        document = json.loads((project / files.FEATURES).read_text())
        document["output"] |= {"positive": "Y", "background": "positive"}
        (project / files.FEATURES).write_text(json.dumps(document))
    prove(project)
    assert "make verify SAMPLE=" in recorded(project)["reason"]
    assert not (project / files.EXPLAIN).exists()


def test_the_background_can_be_the_rows_that_get_the_positive_class(proven_project: Make) -> None:
    project = proven_project(logistic(), FRAME)
    row = {name: float(value) for name, value in FRAME.iloc[0].items()}
    whole = explanation(load_model(project / "model"), row)
    document = json.loads((project / files.FEATURES).read_text())
    document["output"] |= {"positive": "Y", "background": "positive"}
    (project / files.FEATURES).write_text(json.dumps(document))
    assert load_model(project / "model").explainer is None  # until it is verified again
    prove(project)
    positive = explanation(load_model(project / "model"), row)
    assert positive["value"] == pytest.approx(whole["value"])
    assert positive["background"] < whole["background"]
    assert positive["base"] > whole["base"]


def test_a_model_that_fails_on_mixed_rows_is_not_explained(
    proven_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = proven_project(KMeans(3, n_init=1, random_state=0).fit(FRAME), FRAME)
    model = load_model(project / "model")

    def fail(rows: Any) -> Any:
        raise ValueError("such rows are impossible")

    monkeypatch.setattr(model.estimator, "predict", fail)
    proof = prove_explanations(model, project)
    assert not proof.explanations.proven
    assert proof.content is None


def test_one_explanation_that_a_request_has_no_time_for_is_named(
    proven_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The explanations are served all the same: EXPLAIN_MILLISECONDS can be larger."""
    assert Settings().explain_milliseconds == explain_proof.REQUEST_MILLISECONDS
    project = proven_project(KNeighborsClassifier().fit(FRAME, YES), FRAME)
    model = load_model(project / files.MODEL)
    assert "EXPLAIN_MILLISECONDS" not in prove_explanations(model, project).report
    seen = []
    monkeypatch.setattr(BlackBox, "solve", noting(seen, BlackBox.solve))
    monkeypatch.setattr(explain_proof, "REQUEST_MILLISECONDS", 0)
    proof = prove_explanations(model, project)
    assert proof.content is not None
    assert "/explain answers 422 until EXPLAIN_MILLISECONDS is larger" in proof.report
    # Asked as the service loads it: that knows of no row yet what it costs.
    (last, explained_before) = seen[-1]
    assert last.is_limited
    assert explained_before == 0
