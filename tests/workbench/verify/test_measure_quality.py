"""Verify compares the predictions with the target of the sample, if that is certain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import adopted
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from model_service.contract.contract import Output
from model_service.model.loading import load_model
from model_service.model.quality import Quality, read_quality
from workbench import files
from workbench.verify.measure_quality import class_names
from workbench.verify.prove import prove

RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame({"a": RANDOM.normal(size=200), "b": RANDOM.normal(size=200)}).round(3)
NOISY = FRAME["a"] + RANDOM.normal(0, 0.5, 200)
CODES = (NOISY > 0).astype(int)

Measure = Callable[..., Quality | None]


@pytest.fixture
def measure(tmp_path: Path) -> Measure:
    """Adopt and prove a model with a sample; return what is in quality.json."""

    def measure(model: Any, sample: pd.DataFrame, **answers: str) -> Quality | None:
        joblib.dump(model, tmp_path / "model.joblib")
        sample.to_csv(tmp_path / "sample.csv", index=False)
        answers = {"sample_data": str(tmp_path / "sample.csv"), **answers}
        prove(adopted(tmp_path, tmp_path / "model.joblib", **answers))
        folder = tmp_path / "project" / "model"
        return read_quality(folder, load_model(folder))

    return measure


def test_classes_are_counted_by_truth_and_prediction(measure: Measure) -> None:
    model = LogisticRegression().fit(FRAME, CODES)
    quality = measure(model, FRAME.assign(target=CODES))
    assert quality is not None
    assert quality.classes is not None
    assert (quality.target, quality.rows) == ("target", 200)
    found = pd.crosstab(CODES, model.predict(FRAME)).to_numpy()
    assert quality.classes.confusion == tuple(map(tuple, found.tolist()))
    assert quality.classes.accuracy == pytest.approx(model.score(FRAME, CODES))
    assert quality.classes.most_frequent[1] == max(CODES.mean(), 1 - CODES.mean())
    assert quality.classes.positive == "1"
    probabilities = model.predict_proba(FRAME)[:, 1]
    last = quality.classes.calibration[-1]
    above = probabilities >= 0.9
    assert last.rows == above.sum()
    assert last.predicted == pytest.approx(probabilities[above].mean(), abs=1e-4)
    assert last.observed == pytest.approx(CODES[above].mean(), abs=1e-4)


def test_numbers_have_quantiles_of_their_residuals(measure: Measure) -> None:
    target = 1000 * NOISY
    model = LinearRegression().fit(FRAME, target)
    quality = measure(model, FRAME.assign(price=target))
    assert quality is not None
    assert quality.numbers is not None
    residuals = model.predict(FRAME) - target
    assert quality.numbers.mean_absolute == pytest.approx(residuals.abs().mean(), rel=1e-4)
    assert quality.numbers.mean_absolute_of_median == pytest.approx(
        (target - target.median()).abs().mean(), rel=1e-4
    )
    assert quality.numbers.quantiles[2] == pytest.approx(residuals.median(), abs=50)
    assert list(quality.numbers.quantiles) == sorted(quality.numbers.quantiles)


@pytest.mark.parametrize(
    "sample",
    [
        FRAME,
        FRAME.assign(customer=range(200)),
        FRAME.assign(target=[*CODES[:10], *[None] * 190]),  # too few
    ],
    ids=["no target", "another column", "few rows"],
)
def test_without_a_certain_target_nothing_is_measured(
    measure: Measure, sample: pd.DataFrame
) -> None:
    assert measure(LogisticRegression().fit(FRAME, CODES), sample) is None


def test_what_was_measured_of_this_model_is_kept_without_a_sample(
    measure: Measure, tmp_path: Path
) -> None:
    quality = measure(LogisticRegression().fit(FRAME, CODES), FRAME.assign(target=CODES))
    project = tmp_path / "project"
    (project / files.KEPT_SAMPLE).unlink()
    prove(project)
    assert read_quality(project / files.MODEL, load_model(project / files.MODEL)) == quality


def test_what_was_measured_of_another_model_is_not_shown(measure: Measure, tmp_path: Path) -> None:
    measure(LogisticRegression().fit(FRAME, CODES), FRAME.assign(target=CODES))
    folder = tmp_path / "project" / "model"
    model = load_model(folder)
    text = (folder / "quality.json").read_text(encoding="utf-8")
    (folder / "quality.json").write_text(text.replace(read_subject(folder, model), "0" * 64))
    assert read_quality(folder, model) is None
    (folder / "quality.json").write_text('{"target": 1}')
    assert read_quality(folder, model) is None


def read_subject(folder: Path, model: Any) -> str:
    quality = read_quality(folder, model)
    assert quality is not None
    return quality.subject


@pytest.mark.parametrize(
    ("classes", "labels", "cell", "name"),
    [
        (["N", "Y"], {}, "Y", "Y"),
        (["N", "Y"], {"Y": "approved"}, "approved", "Y"),
        ([0, 1], {"0": "No", "1": "Yes"}, "Yes", "1"),
        ([0, 1], {}, "1.0", "1"),
        ([0.0, 1.0], {}, "1", "1.0"),
        ([False, True], {}, "True", "true"),
        ([False, True], {}, "1", None),
        ([0, 1], {}, "Yes", None),
    ],
)
def test_a_cell_means_a_class_by_its_text_or_its_label(
    classes: list[Any], labels: dict[str, str], cell: str, name: str | None
) -> None:
    assert class_names(classes, Output(labels=labels)).get(cell) == name


def test_a_scaler_that_was_made_for_another_model_is_doubted(
    measure: Measure, tmp_path: Path
) -> None:
    scaler = StandardScaler().fit(FRAME + 3)
    joblib.dump(scaler, tmp_path / "scaler.pkl")
    answers = {"transformers": str(tmp_path / "scaler.pkl")}
    right = LogisticRegression().fit(scaler.transform(FRAME), CODES)
    for model, target in [(right, CODES), (Ridge().fit(scaler.transform(FRAME), NOISY), NOISY)]:
        quality = measure(model, FRAME.assign(target=target), **answers)
        assert quality is not None
        assert quality.doubt is None
    for model, target in [
        (LogisticRegression().fit(FRAME, CODES), CODES),
        (Ridge().fit(FRAME, NOISY), NOISY),
    ]:
        quality = measure(model, FRAME.assign(target=target), **answers)
        assert quality is not None
        assert quality.doubt is not None
        assert quality.doubt.startswith("Without StandardScaler the predictions of target")
