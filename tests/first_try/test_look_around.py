"""First tries with fitted files beside the model: through, or one refusal with the right line."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from conftest import environment
from first_try.runner import again, assert_native, first_try, trained

pytestmark = [pytest.mark.slow, pytest.mark.heavy]

PINS = ["scikit-learn==1.6.1", "pandas==2.2.3"]
OLDER = ["scikit-learn==1.5.2", "pandas==2.2.3"]
Case = tuple[str, list[str], Mapping[str, str]]

GO_THROUGH: list[Case] = [
    (
        "own_encoder",
        ["scikit-learn==1.6.1", "pandas==2.2.3", "xgboost-cpu==2.1.4"],
        {
            "model_path": "model.pkl",
            "transformers": "encoder.pkl",
            "model_code": "columns_encoder.py",
            "sample_data": "train.csv",
        },
    ),
    (
        "bundle_with_encoders",
        ["scikit-learn==1.7.2", "pandas==2.2.3"],
        {"model_path": "bundle.pkl", "sample_data": "train.csv"},
    ),
    (
        "course_pipeline",
        ["scikit-learn==1.3.2", "pandas==2.1.4", "numpy<2"],
        {"model_path": "pipeline.pickle", "features": "columns.json"},
    ),
    (
        "target_transformed_inside",
        OLDER,
        {"model_path": "model.joblib", "sample_data": "train.csv"},
    ),
    ("tuple_of_three", PINS, {"model_path": "cancer.joblib"}),
    ("raw_beside_scaler", PINS, {"model_path": "model.pkl", "sample_data": "diabetes.csv"}),
]
# What is beside the model certainly belongs to it: it is applied, and the last lines say so.
TAKEN: list[Case] = [
    (
        "scaler_of_some_columns",
        [*OLDER, "xgboost-cpu==2.1.1"],
        {"model_path": "fraud.pkl", "sample_data": "train.csv"},
    ),
    ("big_vectorizer", ["scikit-learn==1.8.0"], {"model_path": "model.pkl"}),
    ("multilabel_text", ["scikit-learn==1.3.2", "numpy<2"], {"model_path": "model.pkl"}),
    (
        "preprocessor_in_artifacts",
        OLDER,
        {"model_path": "artifacts/model.pkl", "sample_data": "artifacts/train.csv"},
    ),
    ("telco_churn", PINS, {"model_path": "model.pkl", "sample_data": "churn.csv"}),
    ("salaries_svr", PINS, {"model_path": "svr.pkl", "features": "level,years"}),
    ("home_prices", PINS, {"model_path": "home_prices_model.pickle"}),
    ("resume_screening", PINS, {"model_path": "clf.pkl"}),
    ("wine_components", PINS, {"model_path": "wine_model.joblib", "sample_data": "wine.csv"}),
    (
        "crop_two_scalers",
        PINS,
        {"model_path": "model.pkl", "sample_data": "Crop_recommendation.csv"},
    ),
    ("three_folders", PINS, {"model_path": "models/knn.pkl", "sample_data": "cars.csv"}),
    ("scaled_sample", PINS, {"model_path": "model.pkl", "sample_data": "X_train.csv"}),
    ("computed_columns", PINS, {"model_path": "model.pkl", "sample_data": "bank.csv"}),
    ("raw_kilometres", PINS, {"model_path": "car.pkl", "sample_data": "cars.csv"}),
]
STOP_ONCE: list[Case] = [
    ("pipeline_beside", PINS, {"model_path": "model.pkl", "sample_data": "bank.csv"}),
    ("spam_with_stemmer", [*PINS, "nltk==3.9.1"], {"model_path": "model.pkl"}),
    ("comments_in_notebook", PINS, {"model_path": "models/model.pkl"}),
    # Without the scaler the model predicts the sample better, so the last line leaves it out.
    ("leftover_scaler", PINS, {"model_path": "model.pkl", "sample_data": "loans.csv"}),
]
# Found when the model is verified: the answers that the notebook gives differ in one way.
DIFFER: list[tuple[str, Mapping[str, str], str]] = [
    (
        "log_target",
        {"model_path": "model.pkl", "sample_data": "sample.csv"},
        '"transform": "expm1"',
    ),
    (
        "words_expected",
        {"model_path": "iris.joblib", "sample_data": "iris.csv"},
        "0 is setosa, 1 is versicolor, 2 is virginica",
    ),
    (
        "own_threshold",
        {"model_path": "credit.joblib", "sample_data": "credit.csv"},
        '"threshold": 0.3',
    ),
]


@pytest.mark.parametrize(("script", "pins", "answers"), GO_THROUGH)
def test_it_goes_through(
    script: str, pins: list[str], answers: Mapping[str, str], tmp_path: Path
) -> None:
    folder = trained(tmp_path, f"{script}.py", pins)
    assert_native(first_try(folder, **answers).project, folder)


@pytest.mark.parametrize(("script", "pins", "answers"), TAKEN)
def test_what_certainly_belongs_is_applied(
    script: str, pins: list[str], answers: Mapping[str, str], tmp_path: Path
) -> None:
    folder = trained(tmp_path, f"{script}.py", pins)
    tried = first_try(folder, **answers)
    assert_native(tried.project, folder)
    assert "Not asked: " in tried.output


def test_what_was_applied_wrongly_is_undone_by_one_of_the_last_lines(tmp_path: Path) -> None:
    """Without the target nothing shows that the scaler was made for another model."""
    folder = trained(tmp_path, "leftover_scaler.py", PINS)
    tried = first_try(folder, model_path="model.pkl")
    last = tried.message.splitlines()[-6:]
    (line,) = (line for line in last if line.startswith("rm -rf "))
    assert line.endswith("transformers=-scaler.pkl")
    subprocess.run(["sh", "-c", line], cwd=folder, env=environment(), check=True)
    assert_native(tried.project, folder)


@pytest.mark.parametrize(("script", "pins", "answers"), STOP_ONCE)
def test_it_stops_once_and_the_last_line_works(
    script: str, pins: list[str], answers: Mapping[str, str], tmp_path: Path
) -> None:
    folder = trained(tmp_path, f"{script}.py", pins)
    before = first_try(folder, **answers)
    assert before.refused, before.output
    assert_native(again(before).project, folder)


@pytest.mark.parametrize(("script", "answers", "words"), DIFFER)
def test_answers_that_differ_in_one_way_are_explained(
    script: str, answers: Mapping[str, str], words: str, tmp_path: Path
) -> None:
    folder = trained(tmp_path, f"{script}.py", PINS)
    before = first_try(folder, **answers)
    assert before.refused, before.output
    assert words in before.message
    assert_native(again(before).project, folder)
