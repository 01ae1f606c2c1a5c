"""The plainest first tries: a model file, and a model file with the CSV beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from first_try.runner import assert_native, first_try, trained

pytestmark = [pytest.mark.slow, pytest.mark.heavy]


@pytest.mark.parametrize("sample", ["", "train.csv"])
def test_a_forest_goes_through_at_the_first_try(tmp_path: Path, sample: str) -> None:
    folder = trained(tmp_path, "plain_forest.py", ["scikit-learn==1.6.1", "pandas==2.2.3"])
    tried = first_try(folder, model_path="model.pkl", sample_data=sample)
    assert_native(tried.project, folder)
