"""Answers as CSV: the columns of the caller, then those of the prediction."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from service.contract import Output

# What makes a spreadsheet take a text for a formula, at once or when the cell is edited:
# OWASP ASVS 5.0, 1.2.10, and the line ends that some programs skip.
_FORMULA = frozenset("=+-@\t\r\n\0")
# As far as spreadsheets write them: with a decimal comma too.
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
    """Return the name with as many underscores as make it another one."""
    while name in taken:
        name += "_"
    return name


def _paths(output: Output, example: Mapping[str, Any]) -> Iterable[Path]:
    of_target: Iterable[Path] = [()] if output.targets is None else [(t,) for t in output.targets]
    for target in of_target:
        yield ("prediction", *target)
        if output.labels:
            yield ("label", *target)
        (classes,) = _at([example], ("probabilities", *target))
        yield from (("probabilities", *target, name) for name in classes or ())


def cells_at(answers: Sequence[Mapping[str, Any] | None], path: Path) -> list[object]:
    """Return the cells of an appended column; without an answer they are empty."""
    values = _at(answers, path)
    # Numbers and None csv writes as JSON does.
    return list(map(_cell, values)) if {str, bool} & set(map(type, values)) else values


def _at(answers: Sequence[Any], path: Path) -> list[Any]:
    values = list(answers)
    for key in path:
        values = [value.get(key) if value is not None else None for value in values]
    return values


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return neutral(value) if isinstance(value, str) else value


def neutral(text: str) -> str:
    """Return the text, behind an apostrophe if a spreadsheet would execute it."""
    return f"'{text}" if text[:1] in _FORMULA and not _NUMBER.fullmatch(text) else text


def neutral_all(texts: Sequence[str]) -> Sequence[str]:
    """Return texts, those that a spreadsheet would execute behind an apostrophe."""
    if _FORMULA.isdisjoint({text[:1] for text in texts}):
        return texts
    return list(map(neutral, texts))


def written(records: Iterable[Sequence[object]], delimiter: str, bom: bool = False) -> bytes:
    """Return records as the bytes of a CSV file."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(records)
    return codecs.BOM_UTF8 * bom + text.getvalue().encode()
