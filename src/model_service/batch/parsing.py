"""Read a column of a file: numbers as arrays, other values once for each distinct one.

The contract's own parser decides about every value that is not plainly valid, so the same values
are refused with the same messages as in a JSON request.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from itertools import count
from typing import Any

import numpy as np

from model_service.batch.parsed import ColumnRejections, ParsedColumn, Rejection, coded_column
from model_service.contract.contract import Feature
from model_service.contract.parsing import INTEGER_LIMIT, Suggestions, parse_value
from model_service.contract.problems import Invalid
from model_service.contract.typed_text import (
    is_plainly_no_number,
    is_unlisted,
    no_number_message,
)

# How many cells are cached with their values, and how long such a cell is at most.
MAX_CACHED_CELLS, MAX_CACHED_CHARACTERS = 100_000, 40
# Up to here a float holds every whole number.
EXACT_INTEGER_LIMIT = 2**53
# Numbers are looked up if among so many there are at most so many different ones.
SAMPLED_CELLS, MAX_DISTINCT_CELLS = 1000, 750
_NUMBER_MARKS = str.maketrans("", "", "+-.eE")


class ValueReader:
    """Reads single values of a feature: a value that the contract takes, or a Rejection."""

    def __init__(
        self, feature: Feature, suggestions: Suggestions, to_json: Callable[[Any], object]
    ) -> None:
        self.feature, self._suggestions, self._to_json = feature, suggestions, to_json
        self._unlisted = Rejection("category", feature.name, feature.categories_message)

    def read(self, value: Any) -> Any:
        """Return the value as the model meets it, or a Rejection."""
        if self._suggestions.are_used_up and is_unlisted(self.feature, value):
            return self._unlisted  # a small file can have 100,000 of them
        found = value
        try:
            found = self._to_json(value)
            return parse_value(self.feature, found)
        except Invalid as error:
            message = str(error) + self._suggestions.for_value(found, self.feature)
            return Rejection(error.reason, self.feature.name, message)


class TextColumn(dict[str, Any]):
    """Parses the cells of a feature; as a dictionary it caches short cells with their values."""

    def __init__(self, reader: ValueReader, max_cells: int) -> None:
        super().__init__()
        self._reader, self._max_cells = reader, max_cells

    def __missing__(self, text: str) -> object:
        found = self._reader.read(text)
        if len(self) < self._max_cells and len(text) <= MAX_CACHED_CHARACTERS:
            self[text] = found
        return found

    def parse(self, texts: Sequence[str]) -> ParsedColumn:
        """Return the values of the cells, and what is wrong with some of them."""
        feature = self._reader.feature
        is_number = is_plain_number(feature)
        if (
            is_number
            and not _repeat(texts)
            and (numbers := _plain_numbers(texts, feature)) is not None
        ):
            return ParsedColumn(numbers)
        distinct: defaultdict[str, int] = defaultdict(count().__next__)  # a text's code by its text
        codes = np.fromiter(map(distinct.__getitem__, texts), np.intp, len(texts))
        if is_number and (numbers := _plain_numbers(distinct, feature)) is not None:
            return ParsedColumn(numbers[codes])
        if feature.type not in ("number", "integer"):
            return coded_column(feature.name, codes, list(map(self.__getitem__, distinct)))
        found = [text if is_plainly_no_number(text) else self[text] for text in distinct]
        return coded_column(feature.name, codes, found, self._no_number)

    def _no_number(self, text: str) -> Rejection:
        """Return what the reader says of text that is plainly no number, at a tenth of the cost."""
        return Rejection("type", self._reader.feature.name, no_number_message(text))


def is_plain_number(feature: Feature) -> bool:
    """Return whether the model takes the feature's numbers as they are."""
    return feature.type in ("number", "integer") and not feature.encoded


def _repeat(texts: Sequence[str]) -> bool:
    """Return whether texts repeat, as rounded numbers do: reading one takes longer than looking."""
    return len(set(texts[:SAMPLED_CELLS])) <= MAX_DISTINCT_CELLS


def _plain_numbers(texts: Collection[str], feature: Feature) -> Any:
    """Return cells as an array if each is plainly a valid number, or missing; else None."""
    joined = "".join(texts)
    if not joined.isascii() or not joined.translate(_NUMBER_MARKS).isdecimal():
        return None
    # Of these characters, float() takes what typed_text.number takes.
    is_missing = feature.nullable and "" in texts
    readable = [text or "nan" for text in texts] if is_missing else texts
    try:
        numbers = np.fromiter(map(float, readable), np.float64, len(texts))
    except ValueError:
        return None
    if "-" in joined and (np.signbit(numbers) & (numbers == 0)).any():
        return None  # to JSON and the contract's parser "-0" is the integer 0
    return as_column(numbers, feature) if is_valid(numbers, feature).all() else None


def is_valid(numbers: Any, feature: Feature) -> Any:
    """Return for each float whether the feature takes it; NaN is missing.

    Of the others, the contract's parser decides which are wrong, and why.
    """
    with np.errstate(invalid="ignore"):
        valid = np.isfinite(numbers)
        if feature.strict and feature.minimum is not None:
            valid &= numbers >= feature.minimum
        if feature.strict and feature.maximum is not None:
            valid &= numbers <= feature.maximum
        if feature.type == "integer":
            limit = EXACT_INTEGER_LIMIT if feature.kind == "int" else INTEGER_LIMIT
            valid &= (numbers == np.floor(numbers)) & (np.abs(numbers) < limit)
    return valid | np.isnan(numbers) if feature.nullable else valid


def as_column(numbers: Any, feature: Feature) -> Any:
    """Return valid numbers in the dtype of the model's column."""
    return numbers.astype(np.int64) if feature.kind == "int" else numbers


def parse_numbers(
    numbers: Any, reader: ValueReader, value_at: Callable[[int], Any]
) -> ParsedColumn:
    """Parse a column of floats; `value_at` returns the value at a position, None if missing."""
    feature = reader.feature
    if feature.type == "integer":
        numbers = numbers + 0.0  # -0.0 is the integer 0
    uncertain = np.flatnonzero(~is_valid(numbers, feature)).tolist()
    if not uncertain:
        return ParsedColumn(as_column(numbers, feature))
    values = np.where(is_valid(numbers, feature), numbers, np.nan)
    exact: dict[int, Any] = {}
    rejections: dict[int, Rejection] = {}
    for position in uncertain:
        found = reader.read(value_at(position))
        if found.__class__ is Rejection:
            rejections[position] = found
        else:
            exact[position] = found
    rejected = ColumnRejections(feature.name, list(rejections), list(rejections.values()))
    if feature.kind != "int":
        for position, value in exact.items():
            values[position] = np.nan if value is None else value
        return ParsedColumn(values, rejected)
    whole = np.nan_to_num(values).astype(np.int64)
    for position, value in exact.items():
        whole[position] = value
    return ParsedColumn(whole, rejected)
