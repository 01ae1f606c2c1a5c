"""What the cells of a column hold: plain numbers, numbers as people write them, marks, text.

pandas.read_csv takes a column for text as soon as one cell is no number. Authors repair that in
their notebooks: blank cells and question marks become missing values, and "$1,200" becomes 1200.
Standard library only. Each cell is looked at once, in time linear in its length.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from model_service.contract.typed_text import (
    SAMPLE_BOOLEANS,
    SAMPLE_MISSING,
    is_number,
    number,
)

# A text column with at most 20 distinct values is a category; with at most 100 if each value occurs
# in 10 rows on average.
MAX_CATEGORIES = 100
# Cells that stand for a missing number. White space around them is ignored, and so is their case.
MARKS = frozenset(
    (
        *("", "?", "-", "--", "---", "\u2013", "\u2014", ".", "..", "...", "*", "#"),
        *("na", "n.a.", "n.a", "n/a", "nan", "nil", "none", "null", "missing", "unknown"),
        *("not available", "#div/0!", "#name?", "#null!", "#num!", "#ref!", "#value!"),
    )
)
POINT, COMMA = ".", ","  # the two signs between a number's whole and its fraction
MAX_DECORATED = 40  # characters of a number with separators and signs
_PLAIN = frozenset("0123456789.+-eE \t")
_CURRENCY = r"[$€£¥₹₽₩₺₴₫₱฿]|R\$|[A-Z]{2,3}\$|EUR|USD|GBP|CHF|INR|JPY|Rs\.?|kr\.?|zł"
_SPACE = "[ '\u2019\u00a0\u2009\u202f]"
_DECORATED = re.compile(
    rf"(?P<sign>[+-]?)(?P<before>{_CURRENCY})?\s?(?P<sign_after>[+-]?)"
    rf"(?P<digits>[.,]?\d(?:[\d.,]|{_SPACE}(?=\d))*)\s?(?P<after>{_CURRENCY}|%)?",
    re.ASCII,
)
# By the decimal sign: with or without groups of digits, and an optional fraction.
_GROUPED = {
    POINT: re.compile(
        rf"(\d+|\d{{1,3}}(,\d{{2,3}})*,\d{{3}}|\d{{1,3}}({_SPACE}\d{{3}})+)?(\.\d*)?", re.ASCII
    ),
    COMMA: re.compile(
        rf"(\d+|\d{{1,3}}(\.\d{{3}})+|\d{{1,3}}({_SPACE}\d{{3}})+)?(,\d*)?", re.ASCII
    ),
}
# 22,000 km, 16GB, 18.5 kmpl
_WITH_UNIT = re.compile(r"[+-]?\d[\d., ]*(?P<unit>[^\W\d_][^\d,;:]{0,11})", re.ASCII)
WITH_UNIT = 0.8  # of the different cells: the others are mistakes, or missing values
_DIGITS = re.compile(r"\d+", re.ASCII)
_NO_DIGIT = re.compile(r"\D")


@dataclass(frozen=True)
class Decorated:
    """A number as a person writes it, by the decimal sign with which it can be read."""

    values: dict[str, float]
    currency: str = ""
    percent: bool = False


def decorated(cell: str) -> Decorated | None:
    """Return the number in a cell with separators or signs, or None."""
    text = cell.strip()
    found = _DECORATED.fullmatch(text) if len(text) <= MAX_DECORATED else None
    if found is None or (found["sign"] and found["sign_after"]):
        return None
    after = found["after"] or ""
    if found["before"] and after:
        return None
    values = {}
    for decimal, pattern in _GROUPED.items():
        if pattern.fullmatch(found["digits"]):
            whole, _, fraction = found["digits"].partition(decimal)
            plain = f"{_NO_DIGIT.sub('', whole) or 0}.{fraction or 0}"
            negative = "-" in (found["sign"], found["sign_after"])
            values[decimal] = -float(plain) if negative else float(plain)
    if not values:
        return None
    return Decorated(values, found["before"] or after.replace("%", ""), after == "%")


@dataclass
class _Range:
    low: float = math.inf
    high: float = -math.inf

    def add(self, values: Sequence[float]) -> None:
        low, high = min(values), max(values)
        if not (math.isfinite(low) and math.isfinite(high)):
            values = [value for value in values if math.isfinite(value)] or [self.low, self.high]
            low, high = min(values), max(values)
        self.low, self.high = min(self.low, low), max(self.high, high)


@dataclass
class Cells:
    """What is known about the cells of a column, updated as they are read."""

    rows: int = 0
    missing: int = 0
    plain: int = 0  # numbers without separators and signs
    decorated: int = 0
    percents: int = 0
    others: int = 0  # cells that are neither numbers nor marks
    spaced: int = 0  # cells of several words
    boolean: bool = True
    marks: Counter[str] = field(default_factory=Counter)  # by the mark as it is written
    currencies: set[str] = field(default_factory=set)
    other: str = ""  # the first of the others
    distinct: dict[str, None] = field(default_factory=dict)  # in order; incomplete if too many
    # The decimal signs with which every number can be read, and the range by decimal sign.
    decimals: frozenset[str] = frozenset((POINT, COMMA))
    differs: bool = False  # whether a number is another one with the other decimal sign
    groups_by_point: bool = False  # 1.234,5: a point separates thousands for certain
    shown: str = ""  # the first decorated number, or the first that can be read in two ways
    ranges: dict[str, _Range] = field(default_factory=lambda: {POINT: _Range(), COMMA: _Range()})

    def add(self, cells: Sequence[str]) -> None:
        """Add cells of a CSV, many at a time."""
        self.rows += len(cells)
        if len(self.distinct) <= MAX_CATEGORIES:
            self.distinct.update(dict.fromkeys(c for c in cells if c not in SAMPLE_MISSING))
        if self._add_plain(cells):
            return
        for cell, count in Counter(cells).items():
            self._add(cell, count)

    def _add_plain(self, cells: Sequence[str]) -> bool:
        """Add cells that are all plain numbers; return whether they are."""
        if not set("".join(cells)) <= _PLAIN:
            return False
        try:
            values = list(map(float, cells))
        except ValueError:
            return False
        self.plain += len(values)
        if not values:
            return True
        self.boolean = False
        self.ranges[POINT].add(values)
        if COMMA in self.decimals:
            self._read_with_comma(cells)
        return True

    def _read_with_comma(self, cells: Iterable[str]) -> None:
        """Find out whether plain numbers can be read with a decimal comma, too: 1.234 can."""
        for cell in cells:
            if _DIGITS.fullmatch(cell.strip()):
                self.ranges[COMMA].add((float(cell.strip()),))
                continue
            found = decorated(cell)
            if found is None or COMMA not in found.values:
                self.decimals -= {COMMA}
                return
            if found.values[COMMA] != float(cell.strip()):
                self.differs, self.shown = True, self.shown or cell
            self.ranges[COMMA].add((found.values[COMMA],))

    def _add(self, cell: str, count: int) -> None:
        if cell in SAMPLE_MISSING:
            self.missing += count
            return
        self.boolean = self.boolean and cell in SAMPLE_BOOLEANS
        if is_number(cell):
            self.plain += count
            self.ranges[POINT].add((float(cell.strip()),))
            if COMMA in self.decimals:
                self._read_with_comma((cell,))
        elif is_mark(cell):
            self.marks[cell] += count
        elif (found := decorated(cell)) is not None:
            self._add_decorated(cell, found, count)
        else:
            self._add_text(cell, count)

    def add_text(self, cell: str) -> None:
        """Add a text that is no number, whatever it holds."""
        self.rows += 1
        self.boolean = False
        if len(self.distinct) <= MAX_CATEGORIES:
            self.distinct[cell] = None
        self._add_text(cell, 1)

    def _add_text(self, cell: str, count: int) -> None:
        self.others += count
        self.spaced += count * (" " in cell.strip())
        self.other = self.other or cell

    def _add_decorated(self, cell: str, found: Decorated, count: int) -> None:
        self.decorated += count
        self.percents += count * found.percent
        self.currencies |= {found.currency} - {""}
        self.shown = self.shown or cell
        self.groups_by_point = self.groups_by_point or ("." in cell and POINT not in found.values)
        self.decimals &= set(found.values)
        self.differs = self.differs or len(set(found.values.values())) > 1
        for decimal, value in found.values.items():
            self.ranges[decimal].add((value,))

    @property
    def numbers(self) -> int:
        """How many cells are numbers."""
        return self.plain + self.decorated

    @property
    def numeric(self) -> bool:
        """Whether all cells are numbers, or marks for missing ones."""
        mixed = not self.decimals or len(self.currencies) > 1 or (0 < self.percents < self.numbers)
        return self.others == 0 and (self.numbers > 0 or not self.marks) and not mixed

    @property
    def decimal(self) -> str | None:
        """The decimal sign, if the column itself shows it: 1,5 or 1.234.567,8 or 1,234.5."""
        one = len(self.decimals) == 1 and (self.decorated > 0 or self.decimals == {POINT})
        return next(iter(self.decimals)) if one and self.numeric and self.numbers else None


def is_mark(cell: str) -> bool:
    """Return whether a cell stands for a missing number, though pandas takes it for text."""
    return cell.isspace() or (len(cell) <= MAX_DECORATED and cell.strip().casefold() in MARKS)


def plain_number(cell: str, decimal: str) -> str:
    """Return the number in a cell as pandas reads it; an empty text for a missing one.

    A cell that is no number is returned as it is.
    """
    if number(cell) is not None and decimal == POINT:
        return cell
    if is_mark(cell):
        return ""
    found = decorated(cell)
    value = found.values.get(decimal) if found is not None else None
    return cell if value is None else repr(value)


def are_written_numbers(cells: Cells) -> bool:
    """Return whether a column of texts holds numbers: with a unit behind, or with a few texts.

    The unit is the same in nearly all cells: 2 BHK and 4 Bedroom can be categories.
    """
    present = cells.numbers + cells.others
    if cells.numbers * 2 > present:
        return True
    ends = Counter(_unit(cell) for cell in cells.distinct)
    ends.pop(None, None)
    return bool(ends) and max(ends.values()) >= WITH_UNIT * len(cells.distinct)


def _unit(cell: str) -> str | None:
    """Return what stands behind a number: km of 22,000 km; None for any other text."""
    found = _WITH_UNIT.fullmatch(cell.strip()) if len(cell) <= MAX_DECORATED else None
    return found["unit"].casefold() if found is not None else None
