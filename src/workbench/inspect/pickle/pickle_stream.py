"""Read a pickle's bytes, with the frames of protocol 4."""

from __future__ import annotations

import io
from typing import BinaryIO

from workbench.inspect.pickle.values import Blob
from workbench.inspect.refused_file import malformed, truncated

HEAD = TAIL = 512  # bytes kept at both ends of values that are too long to keep
MAX_LINE_BYTES = 16 << 20  # protocol 0 writes an array as one line
# Python's pickler closes a frame at 64 KiB and writes longer values outside of frames.
MAX_FRAME_BYTES = 1 << 20
SKIP_CHUNK = 1 << 20


class PickleStream:
    """Read a stream as `pickle.Unpickler` does: from the open frame first, then from the file."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._frame: io.BytesIO | None = None
        self._frame_length = 0
        self._read = stream.read

    def take(self, size: int) -> bytes:
        """Return exactly `size` bytes."""
        data = self._read(size)
        return data if len(data) == size else self._take_after_frame(size, data)

    def _take_after_frame(self, size: int, data: bytes) -> bytes:
        if self._frame is None:
            raise truncated()
        if data:
            raise malformed("a value crosses the end of a frame")
        self._close_frame()
        return self.take(size)

    def line(self) -> bytes:
        """Return the bytes up to the next newline, without it."""
        source: BinaryIO | io.BytesIO = self._stream
        if self._frame is not None and not self.at_frame_end():
            source = self._frame
        else:
            self._close_frame()
        line = source.readline(MAX_LINE_BYTES)
        if line.endswith(b"\n"):
            return line[:-1]
        if len(line) == MAX_LINE_BYTES:
            raise malformed("a line is too long")
        raise truncated()

    def blob(self, size: int) -> Blob:
        """Skip `size` bytes (at least HEAD + TAIL) and return both ends of them."""
        if not self.at_frame_end():
            if size > MAX_FRAME_BYTES:
                raise malformed("a value crosses the end of a frame")
            data = self.take(size)
            return Blob(size, data[:HEAD], data[-TAIL:])
        head = self.take(HEAD)
        self.skip(size - HEAD - TAIL)
        return Blob(size, head, self.take(TAIL))

    def skip(self, size: int) -> None:
        """Skip `size` bytes of the file, which must not be in a frame."""
        self._close_frame()
        for _ in range(size // SKIP_CHUNK):
            self.take(SKIP_CHUNK)
        self.take(size % SKIP_CHUNK)

    def open_frame(self, size: int) -> None:
        """Begin a frame of `size` bytes."""
        if not self.at_frame_end():
            raise malformed("a frame begins inside another")
        if size > MAX_FRAME_BYTES:
            raise malformed("a frame is longer than any that Python writes")
        self._close_frame()
        self._frame = io.BytesIO(self.take(size))
        self._frame_length = size
        self._read = self._frame.read

    def at_frame_end(self) -> bool:
        """Return whether the next byte is outside of frames."""
        return self._frame is None or self._frame.tell() == self._frame_length

    def _close_frame(self) -> None:
        self._frame = None
        self._read = self._stream.read
