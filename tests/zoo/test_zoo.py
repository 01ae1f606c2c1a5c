"""The zoo of one year; `make zoo` counts those of all years."""

from __future__ import annotations

from pathlib import Path

import pytest
from zoo.keeper import count

pytestmark = pytest.mark.slow


def test_each_animal_is_adopted_and_answers_or_is_refused_as_it_should_be(tmp_path: Path) -> None:
    found = count("newest", tmp_path)
    assert found.wrong == ()
    assert found.adopted > 100
    assert found.refused > 10
