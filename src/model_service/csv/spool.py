"""Temporary files of uploads and answers: in memory while they are small, then on disk."""

from __future__ import annotations

import tempfile
from contextlib import suppress

MAX_BYTES_IN_MEMORY = 1 << 20


class SpooledFile(tempfile.SpooledTemporaryFile[bytes]):
    """A file that is deleted when it is closed. It stays in memory if no folder is writable."""

    def __init__(self, max_bytes_in_memory: int | None = None) -> None:
        super().__init__(max_bytes_in_memory or MAX_BYTES_IN_MEMORY)

    def rollover(self) -> None:
        """Move the file to disk. Raises OSError if the disk is full."""
        with suppress(FileNotFoundError):
            super().rollover()

    # io.TextIOWrapper calls these; SpooledTemporaryFile has them from Python 3.11 on.
    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True
