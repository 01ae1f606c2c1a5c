"""Guess which numbers the training made of the texts of a column, for a proposal to be checked.

What the model compares a column with tells some encodings apart: a tree's threshold is half way
between two values of the training, so shares of the rows, counts and means of the target are
recognized. Codes of a LabelEncoder can only be excluded, and are preferred to counts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

MAX_TEXTS = 10_000  # of a column for which codes are proposed
MIN_SEEN = 3  # different thresholds that recognize an encoding
TOLERANCE = 2e-7  # of a threshold that was compared with a float of 32 bits
FEW = 4  # texts, of which the upper half is too small to say anything
MAX_LISTED = 100  # texts of a column, whatever they are: a short sample has few rows
ROWS_FOR_EACH = 2  # a column with fewer rows for each text is an identifier


@dataclass(frozen=True)
class GuessedCodes:
    """Numbers by text, and a clause about where they come from."""

    codes: Mapping[str, float]
    why: str


def guess_codes(
    texts: Sequence[str], targets: Sequence[float | None], seen: Iterable[float]
) -> GuessedCodes | None:
    """Return the likeliest codes for the cells of a column; None if no encoding is likely.

    `targets` are the numbers of the target in the same rows, empty if there is none, and `seen`
    what the model compares the column with.
    """
    counts = Counter(texts)
    compared = list(seen)
    thresholds = sorted(set(compared))
    if len(thresholds) >= MIN_SEEN:
        for candidate in _recognizable(counts, texts, targets):
            if are_between(thresholds, sorted(set(candidate.codes.values()))):
                return candidate
    if len(counts) > MAX_TEXTS:
        return None
    if not _can_be_labels(thresholds, len(counts)) or _are_of_fewer(compared, len(counts)):
        in_rows = "the number of rows that have the same text"
        counted = GuessedCodes(dict(sorted(counts.items())), in_rows)
        is_count = are_between(thresholds, sorted(set(counts.values())))
        return counted if is_count and len(thresholds) >= MIN_SEEN else None
    if is_identifier(len(counts), len(texts)):
        return None
    return GuessedCodes(
        {text: code for code, text in enumerate(sorted(counts))},
        "in alphabetical order, as a LabelEncoder counts",
    )


def is_identifier(count: int, row_count: int) -> bool:
    """Return whether so many different texts in so many rows say which row it is."""
    return count > MAX_LISTED and count * ROWS_FOR_EACH > row_count


def _recognizable(
    counts: Mapping[str, int], texts: Sequence[str], targets: Sequence[float | None]
) -> Iterable[GuessedCodes]:
    total = sum(counts.values())
    if len(set(counts.values())) > 1:
        shares = {text: count / total for text, count in sorted(counts.items())}
        yield GuessedCodes(shares, "the share of the rows that have the same text")
    sums: dict[str, float] = {}
    for text, target in zip(texts, targets, strict=False):
        if target is None:
            return
        sums[text] = sums.get(text, 0.0) + target
    if sums:
        means = {text: sums[text] / counts[text] for text in sorted(sums)}
        yield GuessedCodes(means, "the mean of the target in the rows that have the same text")


def _can_be_labels(thresholds: Sequence[float], count: int) -> bool:
    """Return whether thresholds lie between codes from 0 to count - 1."""
    halves = all(abs(value * 2 - round(value * 2)) <= 1e-6 for value in thresholds)
    return halves and (not thresholds or (thresholds[0] >= 0 and thresholds[-1] <= count - 1))


def _are_of_fewer(compared: Sequence[float], count: int) -> bool:
    """Return whether so many comparisons would have met the upper half of the codes too.

    Code that makes few texts of many (m, male and Male are one) is followed by codes of the few.
    """
    return count > FEW and len(compared) >= count and max(compared) < (count - 1) / 2


def are_between(thresholds: Iterable[float], values: Sequence[float]) -> bool:
    """Return whether each threshold is a value, or half way between two of them."""
    return all(_is_between(threshold, values) for threshold in thresholds)


def _is_between(threshold: float, values: Sequence[float]) -> bool:
    allowed = 2 * TOLERANCE * max(abs(threshold), 1e-12)
    for value in values:
        place = bisect_left(values, 2 * threshold - value - allowed)
        if place < len(values) and values[place] <= 2 * threshold - value + allowed:
            return True
    return False
