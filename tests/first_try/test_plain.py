"""The plainest first tries: a model file, and a model file with the CSV beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from first_try.runner import assert_native, first_try, trained

pytestmark = [pytest.mark.slow, pytest.mark.heavy]


EBM = ["interpret-core==0.7.8", "scikit-learn==1.8.0", "scipy==1.17.0", "pandas==2.3.3"]


def test_an_ebm_goes_through_at_the_first_try(tmp_path: Path) -> None:
    folder = trained(tmp_path, "explainable_boosting.py", [*EBM, "numpy==2.4.1"])
    tried = first_try(folder, model_path="model.pkl", sample_data="train.csv")
    assert_native(tried.project, folder)


@pytest.mark.parametrize("sample", ["", "train.csv"])
def test_a_forest_goes_through_at_the_first_try(tmp_path: Path, sample: str) -> None:
    folder = trained(tmp_path, "plain_forest.py", ["scikit-learn==1.6.1", "pandas==2.2.3"])
    tried = first_try(folder, model_path="model.pkl", sample_data=sample)
    assert_native(tried.project, folder)


def test_nobody_is_asked_for_columns_that_the_pipeline_drops(tmp_path: Path) -> None:
    folder = trained(tmp_path, "titanic_dropped.py", ["scikit-learn==1.6.1", "pandas==2.2.3"])
    tried = first_try(folder, model_path="titanic.pkl", sample_data="titanic.csv")
    contract = json.loads((tried.project / "model" / "features.json").read_text(encoding="utf-8"))
    names = [feature["name"] for feature in contract["features"]]
    assert names == ["Pclass", "Sex", "Age", "Fare", "Embarked"]
    assert_native(tried.project, folder)
