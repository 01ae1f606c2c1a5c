"""The model zoo of one year, and a part of two older ones; `make zoo` runs all years."""

from __future__ import annotations

from pathlib import Path

import pytest
from zoo.run_zoo import count

pytestmark = [pytest.mark.slow, pytest.mark.heavy]


def test_models_are_adopted_with_equal_predictions_or_refused_as_expected(tmp_path: Path) -> None:
    found = count("newest", tmp_path)
    assert found.wrong == ()
    assert found.adopted > 100
    assert found.refused > 10


@pytest.mark.parametrize("year", ["1.0", "1.4"])
def test_boosters_and_forests_of_older_years_are_explained(year: str, tmp_path: Path) -> None:
    """Trees with missing values of five libraries, compared with the definition."""
    found = count(year, tmp_path, ["gaps"])
    assert found.wrong == ()
    assert found.adopted == 5
