"""A row alone and the same row among others: what counts as the same prediction."""

from __future__ import annotations

import pytest

from workbench.verify.prove import LARGE_COEFFICIENT, tolerance_for
from workbench.verify.trial import ProofFailed


@pytest.mark.parametrize(
    ("alone", "largest_coefficient", "tolerance"),
    [
        (56.6875, 0.0, 1e-9),
        (56.6875 + 1e-12, 0.0, 1e-9),
        (56.68751, 0.0, 1e-5),
        (56.677734375, 1e13, 1e-2),
        (56.68751, 1e13, 1e-5),
    ],
)
def test_the_narrowest_tolerance_is_taken(
    alone: float, largest_coefficient: float, tolerance: float
) -> None:
    found = tolerance_for([{"prediction": 56.6875}], [{"prediction": alone}], largest_coefficient)
    assert found == tolerance


@pytest.mark.parametrize(
    ("alone", "largest_coefficient"),
    [(56.677734375, 0.0), (56.677734375, LARGE_COEFFICIENT / 2), (40.0, 1e13)],
)
def test_other_differences_are_no_rounding(alone: float, largest_coefficient: float) -> None:
    with pytest.raises(ProofFailed, match=r"differently for one row alone and among others: "):
        tolerance_for([{"prediction": 56.6875}], [{"prediction": alone}], largest_coefficient)
