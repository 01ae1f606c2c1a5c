"""Compare a transformer with the values of the sample: evidence for or against that they belong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from model_service.contract.typed_text import sample_number
from workbench.adopt.beside.transformer_files import Fitted
from workbench.adopt.csv.sample import ColumnFacts, Sample

TAIL = 20  # the lowest and highest 5 % of a column can be mistakes
FEW_ROWS = 20  # say little about the range of a column
FEW_VALUES = 5  # say nothing about the values of a column
NARROW = 0.2  # share of the sample's range


def middle_numbers(sample: Sample, name: str) -> list[float]:
    """Return the numbers of a column without the lowest and the highest ones."""
    column = sample.columns[name]
    cells = (column.plain(str(row.get(name, ""))) for row in sample.rows)
    numbers = sorted(
        number for cell in cells if isinstance(number := sample_number(cell), float | int)
    )
    outer = len(numbers) // TAIL
    return numbers[outer : len(numbers) - outer]


def has_other_values(column: ColumnFacts, values: Iterable[float]) -> bool:
    """Return whether a model compares a column with values that are not those of the sample."""
    seen = {*values}
    if not column.numeric or len(seen) < FEW_VALUES:
        return False
    beyond = sum(not column.minimum <= value <= column.maximum for value in seen)
    is_narrow = max(seen) - min(seen) < NARROW * (column.maximum - column.minimum)
    return beyond * 2 > len(seen) or (beyond > 0 and is_narrow)


def is_scaled_by(sample: Sample, one: Fitted, names: Sequence[str]) -> bool:
    """Return whether the sample holds values that this scaler has scaled already."""
    votes = {
        scaling.was_applied(middle_numbers(sample, name))
        for name, scaling in zip(names, one.facts.scalings, strict=False)
        if name in sample.columns and sample.columns[name].numeric
    }
    return True in votes and False not in votes


def fits_ranges(sample: Sample, one: Fitted, names: Sequence[str]) -> bool | None:
    """Return whether a scaler's usual values are within the sample's; None if that is not known."""
    votes = set()
    for name, scaling in zip(names, one.facts.scalings, strict=False):
        column = sample.columns.get(name)
        if column is None or not scaling.is_evidence:
            continue
        if column.numeric and column.rows >= FEW_ROWS:
            low, high = column.minimum - scaling.spread, column.maximum + scaling.spread
            votes.add(low <= scaling.centre <= high)
    return votes == {True} if votes else None


def knows_values(sample: Sample, one: Fitted, names: Sequence[str]) -> bool:
    """Return whether an encoder was fitted on the values that the sample has."""
    for name, labels in zip(names, one.facts.categories or (), strict=False):
        column = sample.columns.get(name)
        if column is None:
            continue
        if not {*(column.categories or ())} <= {*labels}:
            return False
        if column.numeric and all(isinstance(label, str) for label in labels):
            return False
    return True
