"""The lines of an answer in a file: a column for warnings can come later than the first lines."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np

from model_service.csv.answer import AnswerLines, AnswerWriter
from model_service.csv.writer import LINE_END, encode_lines

# A file is copied in pieces of so many bytes, or of so many lines.
COPIED_BYTES, COPIED_LINES = 1 << 16, 4096


class AnswerFile:
    """Writes lines into a file, and notes where those without a cell for warnings would have it.

    The first warning of an answer brings a column for all lines, also for those before it.
    """

    def __init__(self, file: IO[bytes], writer: AnswerWriter, *, can_warn: bool) -> None:
        self._file, self._writer, self._can_warn = file, writer, can_warn
        # In the file, for each line without a cell for warnings. They are the first lines.
        self.places = array("Q")

    def write(self, lines: AnswerLines) -> None:
        """Write lines, which have a cell for warnings if the writer has the column."""
        if self._can_warn and not self._writer.has_warnings:
            starts = _byte_counts(lines.starts)
            ends = _byte_counts(lines.ends) if lines.ends else 0
            whole = starts + ends + len(LINE_END)
            begins = self._file.tell() + np.cumsum(whole) - whole
            self.places.frombytes((begins + starts).astype(np.uint64).tobytes())
        self._file.write(encode_lines(lines.joined()))


def _byte_counts(texts: Sequence[str]) -> Any:
    """Return how many bytes each text has."""
    if not all(map(str.isascii, texts)):
        return np.array([len(text.encode()) for text in texts], dtype=np.int64)
    return np.fromiter(map(len, texts), np.int64, len(texts))


def with_empty_cells(file: IO[bytes], places: Sequence[int], delimiter: str) -> Iterator[bytes]:
    """Yield the content of a file with an empty cell at each of some places, in order."""
    file.seek(0)
    position = 0
    for first in range(0, len(places), COPIED_LINES):
        chosen = np.array(places[first : first + COPIED_LINES], dtype=np.int64)
        piece = np.frombuffer(file.read(int(chosen[-1]) - position), np.uint8)
        yield np.insert(piece, chosen - position, ord(delimiter)).tobytes()
        position = int(chosen[-1])
    while rest := file.read(COPIED_BYTES):
        yield rest
