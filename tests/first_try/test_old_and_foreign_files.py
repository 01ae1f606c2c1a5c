"""First tries with old files, several objects, MLflow folders, pandas 3 and other libraries."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from first_try.runner import again, assert_native, first_try, trained

pytestmark = [pytest.mark.slow, pytest.mark.heavy]

BUNDLE = ("pandas_in_bundle", ["scikit-learn==1.5.2", "pandas==3.0.0"], "3.12")
NEWER = ("pandas_in_bundle", ["scikit-learn==1.7.2", "pandas==3.0.6"], "3.12")
SEVERAL = ("several_objects", ["scikit-learn==1.7.2", "pandas==2.3.3"], "3.11")
MLFLOW = ("mlflow_folder", ["scikit-learn==1.5.2", "cloudpickle==3.0.0"], "3.11")
Training = tuple[str, list[str], str]
GO_THROUGH: list[tuple[Training, Mapping[str, str], str]] = [
    (
        ("random_state_object", ["scikit-learn==1.2.2", "numpy==1.26.4", "joblib"], "3.11"),
        {"model_path": "model.pkl", "features": "features.txt"},
        "native.json",
    ),
    (
        ("gpu_xgboost", ["xgboost==1.7.6", "scikit-learn==1.2.2", "pandas<2", "numpy<2"], "3.11"),
        {"model_path": "model.pkl"},
        "native.json",
    ),
    (SEVERAL, {"model_path": "scaler_first.pkl"}, "native.json"),
    (SEVERAL, {"model_path": "model_first.pkl", "features": "age,income,debt"}, "native.json"),
    (SEVERAL, {"model_path": "three.pkl"}, "native.json"),
    (SEVERAL, {"model_path": "model_then_columns.pkl"}, "native-columns.json"),
    (MLFLOW, {"model_path": "mlmodel"}, "native.json"),
    (MLFLOW, {"model_path": "mlmodel/model.pkl"}, "native.json"),
    (BUNDLE, {"model_path": "frame.pkl"}, "native.json"),
    (BUNDLE, {"model_path": "columns.pkl"}, "native.json"),
    (NEWER, {"model_path": "head.pkl"}, "native.json"),
    (NEWER, {"model_path": "model.pkl", "features": "names.pkl"}, "native.json"),
]


def name_of(case: tuple[Training, Mapping[str, str], str]) -> str:
    return f"{case[0][0]}-{Path(case[1]['model_path']).stem}"


def alone(folder: Path, training: Training, *names: str) -> Path:
    """Train, and keep in the user's folder only these files."""
    script, pins, python = training
    made = trained(folder / "made", f"{script}.py", pins, python)
    user = folder / "user"
    user.mkdir()
    for name in names:
        source = made / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, user / name)
    return user


@pytest.mark.parametrize("case", GO_THROUGH, ids=name_of)
def test_it_goes_through(case: tuple[Training, Mapping[str, str], str], tmp_path: Path) -> None:
    training, answers, native = case
    names = [Path(answers["model_path"]).parts[0]]
    names += [answers["features"]] if Path(answers.get("features", "")).suffix else []
    user = alone(tmp_path, training, *names)
    shutil.copy(tmp_path / "made" / native, user / "native.json")
    assert_native(first_try(user, **answers).project, user)


def test_of_two_models_in_a_file_one_is_asked_for(tmp_path: Path) -> None:
    user = alone(tmp_path, SEVERAL, "two_models.pkl")
    tried = first_try(user, model_path="two_models.pkl")
    assert tried.refused
    assert "holds 2 models; which one?" in tried.message
    shutil.copy(tmp_path / "made" / "native-two.json", user / "native.json")
    assert_native(first_try(user, model_path="two_models.pkl#0").project, user)


def test_a_scorer_of_the_notebook(tmp_path: Path) -> None:
    training = ("custom_scorer", ["scikit-learn==1.5.2", "pandas==2.2.3"], "3.11")
    user = alone(tmp_path, training, "model.joblib", "metrics.py", "native.json")
    tried = first_try(user, model_path="model.joblib", model_code="metrics.py")
    assert_native(tried.project, user)


OLD = ["numpy==1.19.5", "scipy==1.5.4", "joblib==1.0.1"]


@pytest.mark.parametrize("scikit_learn", ["0.24.2", "0.23.2"])
@pytest.mark.parametrize("name", ["forest", "bayes", "texts", "scaled"])
def test_an_old_file_is_converted_by_the_line_in_the_refusal(
    name: str, scikit_learn: str, tmp_path: Path
) -> None:
    training = ("old_models", [f"scikit-learn=={scikit_learn}", *OLD], "3.8")
    user = alone(tmp_path, training, f"{name}.pkl")
    shutil.copy(tmp_path / "made" / f"native-{name}.json", user / "native.json")
    features = {} if name == "texts" else {"features": "a,b,c,d"}
    tried = first_try(user, model_path=f"{name}.pkl", **features)
    assert tried.refused
    assert f"fitted with scikit-learn {scikit_learn}, which cannot be installed" in tried.message
    assert_native(again(tried).project, user)


@pytest.mark.parametrize(("version", "name"), [("0.90", "model.pkl"), ("1.2.1", "pipeline.pkl")])
def test_an_old_xgboost_is_converted_by_the_last_line_of_the_refusal(
    version: str, name: str, tmp_path: Path
) -> None:
    pins = [f"xgboost=={version}", "scikit-learn==0.24.2", *OLD[:2], "pandas==1.2.5"]
    user = alone(tmp_path, ("old_xgboost", pins, "3.8"), name, "diabetes.csv", "native.json")
    tried = first_try(user, model_path=name, sample_data="diabetes.csv")
    assert tried.refused
    assert_native(again(tried).project, user)


STATSMODELS = ["statsmodels==0.14.4", "scipy==1.14.1", "numpy==1.26.4", "pandas==2.2.3"]
INTERPRET = ["interpret-core==0.6.9", "scikit-learn==1.5.2", "scipy==1.14.1", "pandas==2.2.3"]
OTHERS = [
    ("cox.pkl", ["lifelines==0.30.0", "pandas==2.2.3"], "of lifelines", "a curve over time"),
    ("tree.pkl", [*INTERPRET, "numpy==1.26.4"], "of interpret", "only EBMs of 0.6 or later"),
    ("hmm.pkl", ["hmmlearn==0.3.3", "pandas==2.2.3", "scikit-learn==1.6.1"], "of hmmlearn", ""),
    ("sarimax.pkl", STATSMODELS, "of statsmodels' time series", "a number of steps"),
    ("arima.pkl", STATSMODELS, "of statsmodels' time series", "a number of steps"),
    ("holt_winters.pkl", STATSMODELS, "of statsmodels' time series", "a number of steps"),
]


@pytest.mark.parametrize(("file", "pins", "library", "reason"), OTHERS)
def test_other_libraries_get_one_true_sentence(
    file: str, pins: list[str], library: str, reason: str, tmp_path: Path
) -> None:
    user = alone(tmp_path, ("other_libraries", pins, "3.12"), file)
    tried = first_try(user, model_path=file)
    assert tried.refused
    assert f"The file holds a model {library}, which is not served" in tried.message
    assert reason in tried.message
    for untrue in ("model_code=", "The file does not say which", "unknown number of features"):
        assert untrue not in tried.message
