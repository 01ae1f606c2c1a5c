"""Answers as CSV: the columns of the caller, then those of the prediction."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from service.contract import Output

# What makes a spreadsheet take a text for a formula, at once or when the cell is edited.
# OWASP ASVS 5.0, 1.2.10, and the line ends that some programs skip.
_FORMULA = frozenset("=+-@\t\r\n\0")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?", re.ASCII)

# The keys from an answer to one of its values.
Path = tuple[str, ...]


def answer_columns(
    output: Output, example: Mapping[str, Any], features: Collection[str]
) -> dict[str, Path]:
    """Return where the value of each appended column is in an answer like the example.

    A name that a feature or a column before it has gets underscores until it is free.
    """
    columns: dict[str, Path] = {}
    for path in _paths(output, example):
        kind, *of = path
        name = "_".join(("probability" if kind == "probabilities" else kind, *of))
        columns[free_name(name, {*features, *columns})] = path
    return columns


def free_name(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _paths(output: Output, example: Mapping[str, Any]) -> Iterable[Path]:
    probabilities = example.get("probabilities", {})
    for target in output.targets or (None,):
        of: Path = () if target is None else (target,)
        yield ("prediction", *of)
        if output.labels:
            yield ("label", *of)
        classes = probabilities if target is None else probabilities.get(target, {})
        yield from (("probabilities", *of, name) for name in classes)


def cells_of(answer: Mapping[str, Any] | None, paths: Iterable[Path]) -> list[object]:
    """Return the values of an answer as cells; without an answer all are empty."""
    return [_cell(_at(answer, path)) for path in paths]


def _at(answer: Any, path: Path) -> object:
    for key in path:
        answer = answer.get(key) if answer is not None else None
    return answer


def _cell(value: object) -> object:
    """Return what csv writes as JSON does; numbers and None it writes so by itself."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return neutral(value) if isinstance(value, str) else value


def neutral(text: str) -> str:
    """Return the text, behind an apostrophe if a spreadsheet would execute it."""
    return f"'{text}" if text[:1] in _FORMULA and not _NUMBER.fullmatch(text) else text


def neutral_all(cells: Sequence[str]) -> list[str]:
    return [neutral(text) for text in cells]


def written(records: Iterable[Sequence[object]], delimiter: str, bom: bool = False) -> bytes:
    """Return records as the bytes of a CSV file."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(records)
    return codecs.BOM_UTF8 * bom + text.getvalue().encode()
