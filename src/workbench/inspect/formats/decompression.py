"""Detect how a file is compressed and decompress it, within limits."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from workbench.inspect.refused_file import RefusedFile, malformed, truncated

CHUNK = 64 << 10
MAX_BYTES = 2 << 30  # of a decompressed file
# Real models compress to a tenth of their size: a ratio over 200 is a decompression bomb.
MAX_RATIO, RATIO_CHECKED_FROM = 200, 64 << 20
LZMA_MEMORY = 128 << 20


class Decoder(Protocol):
    """The interface of the decompressors of bz2 and lzma."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _ZlibDecoder:
    """zlib's decompressor with the interface of `Decoder`; it reads gzip too."""

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def needs_input(self) -> bool:
        return not self._decoder.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._decoder.decompress(self._decoder.unconsumed_tail + data, max_length)


DECODERS: dict[str, Callable[[], Decoder]] = {
    "zlib": _ZlibDecoder,
    "gzip": _ZlibDecoder,
    "bz2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, LZMA_MEMORY),
    "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, LZMA_MEMORY),
}


def compression_of(head: bytes) -> str | None:
    """Return joblib's name of the compression, or None for an uncompressed file."""
    # RFC 1950: compression method 8, and a header that is a multiple of 31.
    if head[:1] == b"x" and len(head) > 1 and int.from_bytes(head[:2], "big") % 31 == 0:
        return "zlib"
    for signature, name in (
        (b"\x1f\x8b", "gzip"),
        (b"BZh", "bz2"),
        (b"\xfd7zXZ\x00", "xz"),
        (b"]\x00\x00", "lzma"),
    ):
        if head.startswith(signature):
            return name
    return None


class DecompressedFile(io.RawIOBase):
    """The content of a compressed file; refuses bombs and bytes after the compressed data."""

    def __init__(self, source: io.BufferedReader[Any], decoder: Decoder, size: int) -> None:
        self._source = source
        self._decoder = decoder
        self._produced = 0
        self._max_bytes = min(MAX_BYTES, max(RATIO_CHECKED_FROM, MAX_RATIO * size))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = self._next(len(buffer))
        buffer[: len(piece)] = piece
        self._produced += len(piece)
        if self._produced > self._max_bytes:
            raise RefusedFile(
                "bomb",
                f"The file inflates to more than {self._max_bytes >> 20} MB.",
                "Save the model without compression.",
            )
        return len(piece)

    def _next(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end."""
        while not self._decoder.eof:
            needs_input = self._decoder.needs_input
            data = self._source.read(CHUNK) if needs_input else b""
            try:
                piece = self._decoder.decompress(data, size)
            except (zlib.error, lzma.LZMAError, OSError) as error:
                raise malformed("its compressed data is damaged") from error
            if piece:
                return piece
            if needs_input and not data and not self._decoder.eof:
                raise truncated()
        if self._decoder.unused_data or self._source.read(1):
            raise malformed("there are bytes after the compressed data")
        return b""
