"""Score a part of a CSV file: its records in, the same records with their predictions out."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, TextIO

from model_service.batch.parsed import Rejection
from model_service.batch.scorer import Scored, Scorer
from model_service.csv.reader import Chunk, ChunkSize, Layout, max_chunk_rows
from model_service.csv.rows import RowReader

CHUNK_ROWS = 8192
# A call of a model's own methods takes milliseconds for a row, and little more for thousands.
NATIVE_CHUNK_ROWS, NATIVE_BLOCK_BYTES = 1 << 15, 1 << 20


@dataclass
class PartReport:
    """What came of a part, and its first rejected rows as a CSV of row, line, feature, message.

    Rows count from 1 at the beginning of the part.
    """

    rejected_file: TextIO
    max_listed: int  # rejected rows; others are only counted
    rows: int = 0
    rejected: int = 0
    warned: int = 0  # rows with something unusual
    first: tuple[int, int | None, Rejection] | None = field(default=None)

    def add(
        self,
        first_row: int,
        row_count: int,
        scored: Scored,
        line_at: Callable[[int], int | None],
    ) -> None:
        """Add some rows; `line_at` takes a place among them, counted from 0."""
        self.rows += row_count
        self.warned += len(scored.warnings)
        writer = csv.writer(self.rejected_file, lineterminator="\r\n")
        for place, of_row in scored.parsed.rejections.items():
            line = line_at(place)
            if self.first is None:
                self.first = first_row + place, line, of_row[0]
            if self.rejected < self.max_listed:
                writer.writerows(
                    (first_row + place, line, one.feature, one.message) for one in of_row
                )
            self.rejected += 1


def scored_chunks(
    scorer: Scorer, file: IO[bytes], layout: Layout, end: int, report: PartReport
) -> Iterator[tuple[Chunk, Scored]]:
    """Yield the chunks up to a byte of the file, scored; add them to the report.

    The chunks of a part are the same at each run, and so are the last bits of the predictions.
    """
    contract, is_native = scorer.model.contract, scorer.model.fast_path is None
    reader = RowReader(contract, layout.header)
    max_rows = max_chunk_rows(contract, NATIVE_CHUNK_ROWS if is_native else CHUNK_ROWS)
    size = ChunkSize(max_rows, max_rows, NATIVE_BLOCK_BYTES if is_native else None)
    for chunk in layout.chunks(file, size, end=end):
        scored = scorer.score(reader.parse(chunk))
        report.add(chunk.first, len(chunk), scored, chunk.lines.__getitem__)
        yield chunk, scored
