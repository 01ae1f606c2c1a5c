"""The bundled loan approval model: reproducible, described truthfully, plausible."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import EXAMPLE

LOAN = EXAMPLE
TARGET = "loan_status"
CONTRACT: dict[str, Any] = json.loads((LOAN / "features.json").read_text(encoding="utf-8"))
FEATURES: dict[str, dict[str, Any]] = {f["name"]: f for f in CONTRACT["features"]}
NULLABLE = [name for name, feature in FEATURES.items() if feature["nullable"]]
RANGED = [name for name, feature in FEATURES.items() if feature["type"] in ("number", "integer")]
CATEGORICAL = [name for name, feature in FEATURES.items() if feature["type"] == "category"]
TYPICAL = pd.DataFrame([{name: feature["default"] for name, feature in FEATURES.items()}])


class Run(NamedTuple):
    """What one run of train.py left: its folder and what it printed."""

    folder: Path
    printed: str


# Another BLAS kernel gives other last bits: the fitted parameters must not show it.
@pytest.fixture(scope="module", params=[None, "Prescott"], ids=["this-cpu", "an-old-cpu"])
def retrained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("retrained") / "output"
    kernel = {"OPENBLAS_CORETYPE": request.param} if request.param else {}
    command = [sys.executable, "-B", "-W", "error", str(LOAN / "train.py"), "--output", str(folder)]
    done = subprocess.run(
        command, env=os.environ | kernel, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return Run(folder, done.stdout)


@pytest.fixture(scope="module")
def model() -> Any:
    return joblib.load(LOAN / "model.joblib")


@pytest.fixture(scope="module")
def sample() -> pd.DataFrame:
    return pd.read_csv(LOAN / "sample.csv")


def with_missing(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    return frame.assign(**dict.fromkeys(names, np.nan))


def approval(model: Any, rows: pd.DataFrame) -> Any:
    return model.predict_proba(rows)[:, list(model.classes_).index("Y")]


# The files can be made again


def test_the_environment_is_the_pinned_one() -> None:
    lines = (LOAN / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert pins == {name: version(name) for name in pins}


@pytest.mark.parametrize("missing", [(), *[(name,) for name in NULLABLE], tuple(NULLABLE)], ids=str)
def test_retraining_predicts_exactly_the_same(
    model: Any, retrained: Run, sample: pd.DataFrame, missing: tuple[str, ...]
) -> None:
    again = joblib.load(retrained.folder / "model.joblib")
    rows = with_missing(sample.drop(columns=TARGET), *missing)
    np.testing.assert_array_equal(again.predict(rows), model.predict(rows))
    np.testing.assert_array_equal(again.predict_proba(rows), model.predict_proba(rows))


def test_retraining_writes_the_same_sample(retrained: Run) -> None:
    assert (retrained.folder / "sample.csv").read_bytes() == (LOAN / "sample.csv").read_bytes()


def test_the_readme_has_the_printed_metrics(retrained: Run) -> None:
    assert retrained.printed.startswith("| metric ")
    assert f"\n\n{retrained.printed}\n" in (LOAN / "README.md").read_text(encoding="utf-8")


def test_the_metrics_are_realistic(retrained: Run) -> None:
    cells = [line.strip("| ").split("|") for line in retrained.printed.splitlines()[2:]]
    printed = {name.strip(): float(value.strip(" %")) for name, value in cells}
    assert 65 <= printed["approved"] <= 70
    assert 0.78 <= printed["accuracy"] <= 0.83
    assert 0.83 <= printed["ROC AUC"] <= 0.88


def test_the_model_file_is_small() -> None:
    assert (LOAN / "model.joblib").stat().st_size < 20_000


# features.json says what the model and the sample say


def test_names_in_the_same_order_everywhere(model: Any, sample: pd.DataFrame) -> None:
    assert list(FEATURES) == list(model.feature_names_in_)
    assert [*FEATURES, TARGET] == list(sample.columns)


def test_categories_are_those_of_the_encoder(model: Any, sample: pd.DataFrame) -> None:
    columns = next(c for name, _, c in model["columns"].transformers_ if name == "categories")
    encoder = model["columns"].named_transformers_["categories"]["onehotencoder"]
    learned = dict(zip(columns, map(list, encoder.categories_), strict=True))
    assert learned == {name: FEATURES[name]["categories"] for name in CATEGORICAL}
    assert learned == {name: sorted(sample[name].dropna().unique()) for name in CATEGORICAL}


@pytest.mark.parametrize("name", RANGED)
def test_ranges_cover_the_sample(sample: pd.DataFrame, name: str) -> None:
    feature = FEATURES[name]
    assert feature["minimum"] <= sample[name].min()
    assert sample[name].max() <= feature["maximum"]


@pytest.mark.parametrize("name", FEATURES)
def test_defaults_are_valid(name: str) -> None:
    feature = FEATURES[name]
    if feature["type"] == "category":
        assert feature["default"] in feature["categories"]
    else:
        assert feature["minimum"] <= feature["default"] <= feature["maximum"]


def test_only_nullable_features_are_missing_in_the_sample(sample: pd.DataFrame) -> None:
    assert [name for name in sample if sample[name].isna().any()] == NULLABLE


@pytest.mark.parametrize("name", FEATURES)
def test_people_can_read_every_feature(name: str) -> None:
    assert FEATURES[name]["description"]
    assert bool(FEATURES[name].get("unit")) == (name in RANGED)


def test_labels_name_the_classes(model: Any, sample: pd.DataFrame) -> None:
    output = CONTRACT["output"]
    assert list(output["labels"]) == list(model.classes_) == sorted(sample[TARGET].unique())
    assert output["labels"][output["positive"]] == "approved"


# The model answers as the recipe says


@pytest.mark.parametrize("missing", [*[(name,) for name in NULLABLE], tuple(NULLABLE)], ids=str)
def test_one_row_may_lack_nullable_features(model: Any, missing: tuple[str, ...]) -> None:
    assert 0 < approval(model, with_missing(TYPICAL, *missing))[0] < 1


@pytest.mark.parametrize("name", CATEGORICAL)
def test_unknown_categories_are_refused(model: Any, name: str) -> None:
    with pytest.raises(ValueError, match="Found unknown categories"):
        model.predict(TYPICAL.assign(**{name: "elsewhere"}))


@pytest.mark.parametrize(
    ("name", "worse", "better"),
    [
        ("credit_history", "bad", "good"),
        ("applicant_income", 3000, 6000),
        ("coapplicant_income", 0, 2000),
        ("loan_amount", 300_000, 150_000),
        ("loan_term", 180, 360),
        ("dependents", "3+", "0"),
        ("education", "Not graduate", "Graduate"),
        ("self_employed", "Yes", "No"),
        ("property_area", "Rural", "Semiurban"),
        ("property_area", "Urban", "Semiurban"),
    ],
)
def test_approval_rises(
    model: Any, sample: pd.DataFrame, name: str, worse: str | int, better: str | int
) -> None:
    low, high = (approval(model, sample.assign(**{name: value})) for value in (worse, better))
    assert (low < high).all()
