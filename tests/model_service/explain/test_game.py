"""The game by its definition: exact values, estimates with standard errors, and the time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_service.contract.batch import Batch
from model_service.explain.blackbox import BlackBox, Budget, DoesNotFit
from model_service.explain.game import Permutations, enumerate_coalitions

BACKGROUND = np.random.default_rng(0).integers(0, 4, size=(6, 8)).astype(float)
ROW = np.array([1.0, 2.0, 3.0, 0.0, 2.0, 1.0, 0.0, 3.0])
DIFFERS = BACKGROUND != ROW


def additive(rows: Any) -> Any:
    return rows @ np.arange(1.0, 9.0)


def product(rows: Any) -> Any:
    return (rows[:, 0] + 1) * rows[:, 1] * rows[:, 7] * (rows[:, 4] - 1) + np.sin(rows[:, 3])


def evaluated(function: Callable[[Any], Any]) -> Any:
    return lambda numbers, mixed: function(np.where(mixed, ROW, BACKGROUND[numbers]))[:, np.newaxis]


def test_an_additive_model_has_the_distances_from_the_mean() -> None:
    found = enumerate_coalitions(evaluated(additive), DIFFERS)
    expected = (ROW - BACKGROUND.mean(axis=0)) * np.arange(1.0, 9.0)
    assert found.contributions[0].tolist() == pytest.approx(expected.tolist())
    assert found.base[0] + found.contributions.sum() == pytest.approx(found.value[0])


def test_a_feature_without_influence_has_no_part() -> None:
    found = enumerate_coalitions(evaluated(product), DIFFERS).contributions[0]
    assert found[[2, 5, 6]].tolist() == pytest.approx([0.0] * 3, abs=1e-14)


def test_equal_features_share_their_product() -> None:
    background = np.zeros((1, 2))
    both = lambda numbers, mixed: (mixed[:, :1] & mixed[:, 1:]).astype(float)  # noqa: E731
    found = enumerate_coalitions(both, background == 0)
    assert found.contributions.tolist() == [[0.5, 0.5]]


def test_values_that_are_equal_everywhere_need_no_rows() -> None:
    rows = []

    def counted(numbers: Any, mixed: Any) -> Any:
        rows.append(len(numbers))
        return evaluated(product)(numbers, mixed)

    enumerate_coalitions(counted, DIFFERS)
    assert sum(rows) == (1 << DIFFERS.sum(axis=1)).sum() < 6 * 256


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_estimates_add_up_and_are_within_their_errors(seed: int) -> None:
    exact = enumerate_coalitions(evaluated(product), DIFFERS)
    estimate = Permutations(evaluated(product), DIFFERS, seed)
    for _ in range(40):
        estimate.add_pair()
    found = estimate.solution()
    assert found.base[0] + found.contributions.sum() == pytest.approx(found.value[0])
    assert found.value[0] == pytest.approx(exact.value[0])
    off = np.abs(found.contributions - exact.contributions)
    assert (off <= 6 * found.error + 1e-9).all()


class Clock:
    """A clock that the model moves on: each row takes so many seconds, and each call so many."""

    def __init__(self, seconds_per_row: float, calls: Iterable[float] = ()) -> None:
        self.now, self.seconds_per_row, self._calls = 0.0, seconds_per_row, iter(calls)

    def __call__(self) -> float:
        return self.now

    def respond(self, rows: list[list[float]]) -> Any:
        self.now += self.seconds_per_row * len(rows) + next(self._calls, 0.0)
        return product(np.array(rows))[:, np.newaxis]


class Rows:
    """Takes a batch to a list of rows, as ModelInput does to the model's input."""

    def native(self, batch: Batch) -> Any:
        return [list(row) for row in zip(*batch.columns.values(), strict=True)]


def batch(rows: Any) -> Batch:
    return Batch.of_rows([dict(zip("abcdefgh", row, strict=True)) for row in rows.tolist()])


def black_box_of(clock: Clock) -> BlackBox:
    return BlackBox(Rows(), clock.respond, batch(BACKGROUND))  # type: ignore[arg-type]


def solve(seconds_per_row: float, row_count: int, milliseconds: int) -> Any:
    clock = Clock(seconds_per_row)
    black_box = black_box_of(clock)
    rows = batch(np.repeat(ROW[np.newaxis], row_count, axis=0))
    with Budget(milliseconds, clock) as budget:
        return black_box.solve(rows, budget), clock.now


@pytest.mark.parametrize(
    ("seconds_per_row", "row_count", "milliseconds"), [(1e-6, 1, 250), (1e-6, 32, 250)]
)
def test_what_fits_is_exact(seconds_per_row: float, row_count: int, milliseconds: int) -> None:
    found, seconds = solve(seconds_per_row, row_count, milliseconds)
    assert [solution.error for solution in found] == [None] * row_count
    assert seconds <= milliseconds / 1000


def test_rows_that_do_not_fit_are_counted() -> None:
    with pytest.raises(DoesNotFit) as caught:
        solve(1e-4, 32, 250)
    fitting = caught.value.row_count
    assert 1 <= fitting < 32
    found, seconds = solve(1e-4, fitting, 250)
    assert len(found) == fitting
    assert seconds <= 0.25


def test_a_row_that_cannot_be_enumerated_is_estimated() -> None:
    found, seconds = solve(5e-4, 1, 250)
    assert found[0].error is not None
    assert found[0].error.max() > 0
    assert seconds <= 0.25
    assert found[0].base[0] + found[0].contributions.sum() == pytest.approx(found[0].value[0])


def test_a_row_that_cannot_be_estimated_is_refused() -> None:
    with pytest.raises(DoesNotFit, match="no rows fit into the 50 ms"):
        solve(1e-2, 1, 50)


def test_the_first_call_of_a_fresh_model_takes_no_time_from_a_request() -> None:
    clock = Clock(1e-6, calls=[0.4])
    with Budget(250, clock) as budget:
        (found,) = black_box_of(clock).solve(batch(ROW[np.newaxis]), budget)
    assert found.error is None
    assert clock.now > 0.4


def test_the_overhead_of_a_call_is_not_taken_for_the_cost_of_its_rows() -> None:
    clock = Clock(1e-6, calls=itertools.repeat(0.005))
    with Budget(250, clock) as budget:
        black_box_of(clock).solve(batch(ROW[np.newaxis]), budget)
    assert clock.now <= 0.25


def test_a_slow_moment_does_not_refuse_later_requests() -> None:
    clock = Clock(1e-6, calls=[0.0, 10.0])
    black_box = black_box_of(clock)
    with pytest.raises(DoesNotFit), Budget(250, clock) as budget:
        black_box.solve(batch(ROW[np.newaxis]), budget)
    with Budget(250, clock) as budget:
        (found,) = black_box.solve(batch(ROW[np.newaxis]), budget)
    assert found.error is None
