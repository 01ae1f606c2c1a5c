"""Predictions as CSV: the columns of the request, then those of the predictions."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from model_service.contract.contract import Output
from model_service.contract.json_values import json_text
from model_service.contract.typed_text import is_spreadsheet_number
from model_service.model.predictions import Path, values_at

# A spreadsheet executes a text that begins with one of these, when the file is opened or the cell
# is edited: OWASP ASVS 5.0, 1.2.10, and the line ends that some programs skip.
_FORMULA = frozenset("=+-@\t\r\n\0")
LINE_END = "\r\n"
# Of a prediction; what is beside them has columns behind theirs.
MEMBERS = ("prediction", "label", "probabilities")


def answer_columns(
    output: Output, example: Mapping[str, Any], features: Collection[str]
) -> dict[str, Path]:
    """Return the appended columns, and the path to the value of each in a prediction.

    All predictions have the shape of `example`. A name that is taken by a feature or by an
    earlier column gets underscores until it is free.
    """
    columns: dict[str, Path] = {}
    for path in _paths(output, example):
        kind, *of = path
        name = "_".join(("probability" if kind == "probabilities" else kind, *of))
        columns[free_name(name, {*features, *columns})] = path
    return columns


def free_name(name: str, taken: Collection[str]) -> str:
    """Return the name, with as many underscores as it needs to be free."""
    while name in taken:
        name += "_"
    return name


def _paths(output: Output, example: Mapping[str, Any]) -> Iterable[Path]:
    of_target: Iterable[Path] = [()] if output.targets is None else [(t,) for t in output.targets]
    for target in of_target:
        yield ("prediction", *target)
        if output.labels:
            yield ("label", *target)
        (classes,) = values_at([example], ("probabilities", *target))
        yield from (("probabilities", *target, name) for name in classes or ())
    yield from ((name,) for name in example if name not in MEMBERS)


def cells_at(answers: Sequence[Mapping[str, Any] | None], path: Path) -> list[str]:
    """Return the cells of an appended column as JSON text; a missing value is an empty cell."""
    values = values_at(answers, path)
    types = set(map(type, values))
    if types <= {float, int}:
        return list(map(repr, values))  # as json does, and faster
    if types == {str}:  # of a few classes
        cells = {text: escape_formula(text) for text in set(values)}
        return list(map(cells.__getitem__, values))
    return ["" if value is None else escape_formula(json_text(value)) for value in values]


def escape_formula(text: str) -> str:
    """Return the text, behind an apostrophe if a spreadsheet would execute it."""
    return f"'{text}" if text[:1] in _FORMULA and not is_spreadsheet_number(text) else text


def unescape_formula(text: str) -> str:
    """Return the text without the apostrophe of `escape_formula`."""
    return text[1:] if text[:1] == "'" and escape_formula(text[1:]) == text else text


def escape_formulas(texts: Sequence[str]) -> Sequence[str]:
    """Escape each text that a spreadsheet would execute."""
    if _FORMULA.isdisjoint({text[:1] for text in texts}):
        return texts
    return list(map(escape_formula, texts))


def may_be_formulas(lines: Sequence[str], delimiter: str) -> bool:
    """Return whether a cell of lines without quotes begins as a formula does, or a number."""
    text = delimiter.join(["", *lines])
    return any(mark in text and f"{delimiter}{mark}" in text for mark in _FORMULA)


def csv_lines(columns: Sequence[Sequence[str]], delimiter: str) -> list[str]:
    """Return the rows of two or more columns as lines of a CSV file, without their ends."""
    row_count = len(columns[0])
    lines = list(map(delimiter.join, zip(*columns, strict=True)))
    text = "\n".join([*lines, ""])
    plain = {'"': 0, "\r": 0, "\n": row_count, delimiter: row_count * (len(columns) - 1)}
    if all(text.count(mark) == count for mark, count in plain.items()):
        return lines
    # Some cell needs quotes: csv checks each cell, which takes twice the time.
    return quoted_lines(zip(*columns, strict=True), delimiter)


def quoted_cells(cells: Sequence[str], delimiter: str) -> Sequence[str]:
    """Return cells as they are in lines of two or more; with quotes if needed."""
    text = "".join(cells)
    if not any(mark in text for mark in ('"', "\r", "\n", delimiter)):
        return cells
    special = re.compile(f'["\r\n{re.escape(delimiter)}]').search
    return [
        '"' + cell.replace('"', '""') + '"' if cell and special(cell) else cell for cell in cells
    ]


def quoted_lines(records: Iterable[Sequence[str]], delimiter: str) -> list[str]:
    """Return records as lines of a CSV file, without their ends; cells have quotes if needed."""
    lines = _Lines()
    csv.writer(lines, delimiter=delimiter).writerows(records)
    return lines


class _Lines(list[str]):
    """A list that csv.writer takes for a file."""

    def write(self, line: str) -> None:
        """Append a record, which csv.writer writes in one piece with its end."""
        self.append(line[:-2])


def encode_lines(lines: Iterable[str]) -> bytes:
    """Return lines as the bytes of a CSV file."""
    return LINE_END.join([*lines, ""]).encode()
