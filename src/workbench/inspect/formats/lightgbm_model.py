"""Read facts from a booster in LightGBM's text format, which records no library version."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from workbench.inspect.facts import BoosterFacts, Categories, ClassLabel
from workbench.inspect.pickle.values import Blob
from workbench.inspect.refused_file import RefusedFile

HEADER_BYTES = 1 << 20  # enough for the names of ten thousand features
# Every complete model has one of these near its end; R does not write the last.
ENDINGS = ("\nend of trees\n", "\nend of parameters\n", "\npandas_categorical:")
DEFAULT_NAME = re.compile(r"Column_\d+")
NUMBER = re.compile(r"\d{1,9}")
MAX_LIST_LENGTH = 1 << 22  # characters of the line with the categories
CATEGORICAL_FEATURES = re.compile(r"^\[categorical_feature: ([\d,]{1,100000})\]$", re.MULTILINE)
RANGE = re.compile(r"\[(-?\d{1,9}):(-?\d{1,9})\]")
CODE = re.compile(r"-?\d{1,9}")
MAX_TREES = 50  # whose thresholds are read
SPLITS = re.compile(
    r"^split_feature=([\d ]+)\n(?:split_gain=[^\n]*\n)?threshold=([^\n]*)\ndecision_type=([\d ]*)$",
    re.MULTILINE,
)
MAX_PAIRS = 1_000_000  # of columns and category lists to match


def format_of(model: str | Blob) -> str | None:
    """Return the format version: "v3" from LightGBM 3, "v4" from LightGBM 4."""
    text = (
        model.head.decode("utf-8", "replace") if isinstance(model, Blob) else model[:HEADER_BYTES]
    )
    match = re.match(r"tree\nversion=(v\d{1,3})\n", text)
    return match[1] if match else None


def read(model: str | Blob) -> BoosterFacts | None:
    """Return the facts of a booster, or None if it cannot be read."""
    text = (
        model.head.decode("utf-8", "replace") if isinstance(model, Blob) else model[:HEADER_BYTES]
    )
    if not text.startswith("tree\n"):
        return None
    lines = text.partition("\n\n")[0].split("\n")  # the header ends with an empty line
    if "\n\n" not in text:
        lines.pop()  # its last line can be cut off
    header = dict(line.partition("=")[::2] for line in lines)
    names = tuple(header.get("feature_names", "").split(" "))
    last, per_row = header.get("max_feature_idx", ""), header.get("num_tree_per_iteration", "")
    return BoosterFacts(
        feature_names=None if all(DEFAULT_NAME.fullmatch(n) or not n for n in names) else names,
        n_features=int(last) + 1 if NUMBER.fullmatch(last) else None,
        # Such as "binary sigmoid:1"; empty for an objective of the user's own.
        objective=header.get("objective", "").partition(" ")[0] or None,
        n_classes=int(per_row) if NUMBER.fullmatch(per_row) else 1,
        categories=_categories(model, header) if isinstance(model, str) else {},
    )


def thresholds(text: str) -> Iterator[tuple[int, float]]:
    """Yield the column and the threshold of the splits of the first trees; no category splits."""
    for match in islice(SPLITS.finditer(text), MAX_TREES):
        columns, numbers, kinds = (match[n].split(" ") for n in (1, 2, 3))
        for column, number, kind in zip(columns, numbers, kinds, strict=False):
            if column.isdecimal() and kind.isdecimal() and not int(kind) & 1:
                with suppress(ValueError):
                    yield int(column), float(number)


def is_whole(model: str | Blob) -> bool:
    """Return whether a model has its end."""
    text = model.tail.decode("utf-8", "replace") if isinstance(model, Blob) else model
    return any(ending in text for ending in ENDINGS)


@lru_cache(maxsize=8)  # several facts are read from the same model
def _pandas_categories(text: str) -> tuple[tuple[ClassLabel, ...], ...]:
    """Return the category lists of the last line, one for each pandas category in column order."""
    line = text[text.rfind("\npandas_categorical:") + 1 :].partition("\n")[0]
    try:
        lists = json.loads(line.partition(":")[2]) if len(line) < MAX_LIST_LENGTH else None
    except (ValueError, RecursionError):
        return ()
    if not isinstance(lists, list) or not all(isinstance(values, list) for values in lists):
        return ()
    if not all(isinstance(v, str | int | float) for values in lists for v in values):
        return ()
    return tuple(map(tuple, lists))


def _categories(text: str, header: Mapping[str, str]) -> dict[int, Categories]:
    """Return the columns that were pandas categories. Raises RefusedFile if they are ambiguous.

    The file lists the categories without their columns. Usually they belong to the columns that
    the parameters call categorical. But LightGBM takes an ordered category for a number, and users
    can declare other columns categorical, so each list is also matched with the columns' ranges.
    """
    lists = _pandas_categories(text)
    if not lists:
        return {}
    ranges = header.get("feature_infos", "").split(" ")
    declared_in = CATEGORICAL_FEATURES.search(text, max(text.rfind("\nparameters:\n"), 0))
    numbers = declared_in[1].split(",") if declared_in else []
    declared = frozenset(int(number) for number in numbers if number)
    everything, none = frozenset(range(len(ranges))), frozenset[int]()
    # Columns that can have a list, that must have one, and whose range must be exactly their list.
    attempts = (
        (declared & everything, declared, none),
        (everything, declared, everything),
        (everything, declared, everything - declared),
        (everything, declared, none),
        (everything, none, none),
    )
    for columns, required, exact in attempts:
        found = _only_way(
            [_Column(n, _codes(ranges[n]), n in required, n in exact) for n in sorted(columns)],
            [len(values) for values in lists],
        )
        if found is not None:
            return {c: Categories(values) for c, values in zip(found, lists, strict=True)}
    raise RefusedFile(
        "unclear_categories",
        f"The LightGBM model in the file was trained on {len(lists)} pandas categories, and the "
        "file does not tell which columns they are.",
        "Fit it again with categories that are not ordered (.cat.as_unordered()).",
    )


def _codes(info: str) -> tuple[int, int] | None:
    """Return the lowest and the highest code of a column, or None if it is not one of codes."""
    if match := RANGE.fullmatch(info):
        return int(match[1]), int(match[2])
    codes = [int(code) for code in info.split(":") if CODE.fullmatch(code)]
    return (min(codes), max(codes)) if codes else (0, -1) if info == "none" else None


@dataclass(frozen=True)
class _Column:
    number: int
    codes: tuple[int, int] | None
    required: bool
    exact: bool

    def fits(self, size: int) -> bool:
        """Return whether the column can have a list of this length; code -1 is a missing value."""
        if self.codes is None or self.codes[0] < -1 or self.codes[1] >= size:
            return False
        return not self.exact or (max(self.codes[0], 0), self.codes[1]) == (0, size - 1)


def _only_way(columns: Sequence[_Column], sizes: Sequence[int]) -> list[int] | None:
    """Return the column of each list if exactly one assignment keeps the order."""
    if len(columns) * len(sizes) > MAX_PAIRS:
        return None
    # ways[i][j]: number of assignments (0, 1, or 2 for more) of lists j… to columns i…
    ways = [[0] * (len(sizes) + 1) for _ in range(len(columns) + 1)]
    ways[-1][-1] = 1
    for i in reversed(range(len(columns))):
        for j in reversed(range(len(sizes) + 1)):
            taken = ways[i + 1][j + 1] if j < len(sizes) and columns[i].fits(sizes[j]) else 0
            passed = 0 if columns[i].required else ways[i + 1][j]
            ways[i][j] = min(2, taken + passed)
    if ways[0][0] != 1:
        return None
    found: list[int] = []
    for i, column in enumerate(columns):
        j = len(found)
        if j < len(sizes) and column.fits(sizes[j]) and ways[i + 1][j + 1]:
            found.append(column.number)
    return found
