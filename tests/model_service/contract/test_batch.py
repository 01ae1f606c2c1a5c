"""Batches: rows that are kept by feature."""

from __future__ import annotations

from model_service.contract.batch import Batch
from model_service.contract.contract import Contract, Feature
from model_service.contract.parsing import parse_rows

ROWS = [{"a": 1.0, "b": "x"}, {"a": 2.0, "b": "y"}, {"a": None, "b": "z"}]


def test_rows_become_columns_and_back() -> None:
    batch = Batch.of_rows(ROWS)
    assert batch.columns == {"a": [1.0, 2.0, None], "b": ["x", "y", "z"]}
    assert list(batch.row_numbers) == [1, 2, 3]
    assert len(batch) == 3
    assert batch.rows() == ROWS
    assert len(Batch.of_rows([])) == 0


def test_a_part_keeps_the_numbers_of_its_rows() -> None:
    batch = Batch.of_rows(ROWS)
    assert batch[1:].rows() == ROWS[1:]
    assert list(batch[1:].row_numbers) == [2, 3]
    kept = batch.without({1})
    assert kept.rows() == [ROWS[0], ROWS[2]]
    assert list(kept.row_numbers) == [1, 3]


def test_batches_of_several_requests_are_joined_in_order() -> None:
    joined = Batch.join([Batch.of_rows(ROWS[:2]), Batch.of_rows(ROWS[2:])])
    assert joined.rows() == ROWS
    assert list(joined.row_numbers) == [1, 2, 3]


def test_a_batch_has_the_valid_rows_and_the_problems_of_the_others() -> None:
    batch = parse_rows(Contract((Feature("a"),)), [{"a": 1}, {"a": "x"}, [], {"a": 4}])
    assert batch.columns == {"a": [1.0, 4.0]}
    assert batch.row_numbers == [1, 4]
    assert [(problem.row, problem.feature) for problem in batch.problems] == [(2, "a"), (3, None)]
