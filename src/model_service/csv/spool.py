"""Files that are sent and answered: in memory while they are small, then on the disk."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from typing import IO

from flask import Request

MOST_IN_MEMORY = 1 << 20


class TemporaryFile(tempfile.SpooledTemporaryFile[bytes]):
    """A file that is gone when it is closed. It stays in memory where no folder is writable."""

    def __init__(self) -> None:
        super().__init__(MOST_IN_MEMORY)

    def rollover(self) -> None:
        """Go on on the disk. Raises OSError where it is full."""
        with suppress(FileNotFoundError):
            super().rollover()

    # io.TextIOWrapper asks; before Python 3.11 there was no answer.
    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


class RequestWithFiles(Request):
    """A request whose uploaded files are kept like those of the API."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return TemporaryFile()
