"""The cells of a column: marks for missing numbers, separators, currency and percent signs."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.adopt.csv.cells import Cells, decorated, is_mark, plain_number
from workbench.adopt.csv.sample import read_sample

# (cell, its value with a decimal point, its value with a decimal comma)
DECORATED: list[tuple[str, float | None, float | None]] = [
    ("1,234", 1234, 1.234),
    ("1.234", 1.234, 1234),
    ("1,234.50", 1234.5, None),
    ("1.234,50", None, 1234.5),
    ("1,5", None, 1.5),
    ("12,34,567", 1234567, None),
    ("1 234,5", None, 1234.5),
    ("1\u00a0234 567", 1234567, 1234567),
    ("$99", 99, 99),
    ("-$1,200.00", -1200, None),
    ("$-1,200.00", -1200, None),
    ("12,50 €", None, 12.5),
    ("45%", 45, 45),
    ("10.65 %", 10.65, None),
    (".5", 0.5, None),
    ("1,23,4", None, None),
    ("1.2.3", None, None),
    ("10,20,30", None, None),
    ("3+", None, None),
    ("--1", None, None),
    ("$1%", None, None),
    ("12 monkeys", None, None),
    ("2020-01-02", None, None),
]


@pytest.mark.parametrize(("cell", "with_point", "with_comma"), DECORATED)
def test_a_number_as_people_write_it(
    cell: str, with_point: float | None, with_comma: float | None
) -> None:
    found = decorated(cell)
    values = found.values if found is not None else {}
    assert values.get(".") == with_point
    assert values.get(",") == with_comma


@pytest.mark.parametrize("cell", [" ", "   ", "?", " ? ", "-", "\u2013", "N/a", "#REF!", "Missing"])
def test_marks_for_a_missing_number(cell: str) -> None:
    assert is_mark(cell)
    assert plain_number(cell, ".") == ""


@pytest.mark.parametrize("cell", ["0", "x", "none of these", "-1", "?!"])
def test_what_is_no_mark(cell: str) -> None:
    assert not is_mark(cell)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), st.integers(0, 6))
def test_a_formatted_number_is_read_back(value: float, digits: int) -> None:
    text = f"{value:,.{digits}f}"
    found = decorated(text)
    if found is None:
        assert len(text) > 40
        return
    assert math.isclose(found.values["."], float(text.replace(",", "")), rel_tol=1e-12)


@given(st.text(max_size=60))
def test_any_cell_is_read(cell: str) -> None:
    cells = Cells()
    cells.add((cell, "1"))
    assert cells.rows == 2
    assert cells.plain + cells.decorated + cells.others + cells.missing + cells.marks.total() == 2


@given(st.lists(st.sampled_from(["1", "-2.5", "1e3", "?", "", "1,000", "x"]), max_size=40))
def test_chunks_give_what_single_cells_give(column: list[str]) -> None:
    at_once, one_by_one = Cells(), Cells()
    at_once.add(column)
    for cell in column:
        one_by_one.add((cell,))
    assert at_once == one_by_one


@pytest.mark.parametrize(
    "cell", ["1," * 100_000, " " * 100_000 + "x", "$" * 100_000, "1 " * 100_000]
)
def test_a_long_cell_takes_linear_time(cell: str) -> None:
    assert decorated(cell) is None
    assert not is_mark(cell)


# (delimiter, columns of cells, what each becomes: a range, "text" or "unclear")
FILES: list[tuple[str, dict[str, list[str]], dict[str, object]]] = [
    (",", {"a": ["1,234", "12,345"]}, {"a": (1234, 12345)}),
    (";", {"a": ["1,234", "12,345"]}, {"a": "unclear"}),
    (";", {"a": ["1,234", "2,5"]}, {"a": (1.234, 2.5)}),
    (";", {"a": ["1,234", "12,345"], "b": ["1,5", "2"]}, {"a": (1.234, 12.345), "b": (1.5, 2)}),
    (";", {"a": ["1.234", "12.345"], "b": ["1,5", "2"]}, {"a": "unclear", "b": (1.5, 2)}),
    (";", {"a": ["1.234", "9"], "b": ["1.000,5", "2"]}, {"a": (9, 1234), "b": (2, 1000.5)}),
    (";", {"a": ["1.234", "12.345"]}, {"a": (1.234, 12.345)}),
    (",", {"a": ["1,234.5", "1.234,5"]}, {"a": "text"}),
    (",", {"a": ["$5", "€5"]}, {"a": "text"}),
    (",", {"a": ["5%", "5"]}, {"a": "text"}),
    (",", {"a": ["?", "-"]}, {"a": "text"}),
    (",", {"a": ["?", "Private"]}, {"a": "text"}),
    (",", {"a": ["?", "7", ""]}, {"a": (7, 7)}),
]


@pytest.mark.parametrize(("delimiter", "columns", "expected"), FILES)
def test_columns_of_a_file(
    delimiter: str, columns: dict[str, list[str]], expected: dict[str, object], tmp_path: Path
) -> None:
    path = tmp_path / "sample.csv"
    rows = [[*columns, "n"], *([*row, "0"] for row in zip(*columns.values(), strict=True))]
    quoted = (delimiter.join(f'"{cell}"' for cell in row) for row in rows)
    path.write_text("\n".join(quoted), encoding="utf-8")
    sample = read_sample(path)
    for name, wanted in expected.items():
        column = sample.columns[name]
        if wanted in ("text", "unclear"):
            assert column.is_unclear is (wanted == "unclear")
            assert column.numeric is (wanted == "unclear")
        else:
            assert not column.is_unclear
            assert (column.minimum, column.maximum) == wanted
