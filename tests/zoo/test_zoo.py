"""The model zoo of one year; `make zoo` runs all years."""

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
