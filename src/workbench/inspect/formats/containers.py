"""Open a model file by its content: plain or compressed, hashed while it is read."""

from __future__ import annotations

import bz2
import hashlib
import io
import lzma
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from workbench.inspect.errors import Refused, malformed, too_big, truncated
from workbench.inspect.formats.recognition import (
    HEAD,
    LZ4,
    is_skops,
    lz4_file,
    refuse_foreign_file,
)

CHUNK = 64 << 10
TAIL = 64 << 10
LARGEST = 2 << 30  # bytes, of the file and of what it inflates to
# Real models shrink to a tenth; beyond this much, a higher ratio can only be a bomb.
HIGHEST_RATIO, RATIO_MATTERS_FROM = 200, 64 << 20
LZMA_MEMORY = 128 << 20


@dataclass
class Container:
    """An opened model file; `sha256` is complete once `stream` has been read to its end."""

    stream: io.BufferedReader[Any]
    compression: str | None
    size: int
    sha256: Callable[[], str]
    archive: BinaryIO | None = None  # the file itself if skops wrote it: read it after the stream


@contextmanager
def open_container(path: Path) -> Iterator[Container]:
    """Open the model file at `path`, or raise Refused with what it is instead."""
    size = _size_of_regular_file(path)
    try:
        with path.open("rb") as file:
            file.seek(max(0, size - TAIL))
            tail = file.read(TAIL)
            file.seek(0)
            hashed = _HashingFile(file)
            raw: io.BufferedReader[Any] = io.BufferedReader(hashed, CHUNK)
            head = raw.peek(HEAD)[:HEAD]
            if is_skops(head, tail):
                yield Container(raw, None, size, hashed.digest.hexdigest, file)
                return
            if head.startswith(LZ4):
                raise lz4_file(path.name)
            compression = _compression_of(head)
            stream = raw
            if compression is None:
                refuse_foreign_file(head, tail)
            else:
                decoder = DECODERS[compression]()
                stream = io.BufferedReader(_DecompressedFile(raw, decoder, size), CHUNK)
                refuse_foreign_file(stream.peek(HEAD)[:HEAD], b"")
            yield Container(stream, compression, size, hashed.digest.hexdigest)
    except OSError as error:
        raise Refused(
            "unreadable",
            f"The file {path.name} cannot be read ({error.strerror or error}).",
            "Check its permissions.",
        ) from error


def _size_of_regular_file(path: Path) -> int:
    try:
        status = path.stat()
    except OSError as error:
        raise Refused(
            "missing", f"There is no file {path}.", "Give the path of a saved model."
        ) from error
    if stat.S_ISDIR(status.st_mode):
        if (path / "saved_model.pb").exists():
            raise Refused(
                "unsupported",
                f"The path {path.name} is the folder of a TensorFlow model.",
                "Give a scikit-learn model saved by joblib.dump or pickle.dump.",
            )
        raise Refused(
            "not_a_file", f"The path {path.name} is a folder.", "Give the model file in it."
        )
    if not stat.S_ISREG(status.st_mode):
        raise Refused(
            "not_a_file",
            f"The path {path.name} is no regular file.",
            "Give the path of a saved model.",
        )
    if status.st_size == 0:
        raise Refused("empty", f"The file {path.name} is empty.", "Save the model again.")
    if status.st_size > LARGEST:
        raise too_big(f"it has {status.st_size >> 20:,} MB")
    return status.st_size


class _HashingFile(io.RawIOBase):
    """A file that is hashed while it is read, so that the hash is that of the inspected bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self._file.readinto(buffer)  # type: ignore[attr-defined]
        self.digest.update(buffer[:count])
        return int(count)


class Decoder(Protocol):
    """The interface that bz2's and lzma's decompressors share."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _ZlibDecoder:
    """zlib's decompressor with the interface of bz2's and lzma's; reads gzip too."""

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


def _compression_of(head: bytes) -> str | None:
    """Return the name that joblib gives to the compression, or None."""
    # RFC 1950: method 8 (CM), and a header that is a multiple of 31.
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


class _DecompressedFile(io.RawIOBase):
    """The content of a compressed file, within limits, and nothing after its end."""

    def __init__(self, source: io.BufferedReader[Any], decoder: Decoder, size: int) -> None:
        self._source = source
        self._decoder = decoder
        self._produced = 0
        self._most = min(LARGEST, max(RATIO_MATTERS_FROM, HIGHEST_RATIO * size))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = self._next(len(buffer))
        buffer[: len(piece)] = piece
        self._produced += len(piece)
        if self._produced > self._most:
            raise Refused(
                "bomb",
                f"The file inflates to more than {self._most >> 20} MB.",
                "Save the model without compression.",
            )
        return len(piece)

    def _next(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end."""
        while not self._decoder.eof:
            wanted = self._decoder.needs_input
            data = self._source.read(CHUNK) if wanted else b""
            try:
                piece = self._decoder.decompress(data, size)
            except (zlib.error, lzma.LZMAError, OSError) as error:
                raise malformed("its compressed data is damaged") from error
            if piece:
                return piece
            if wanted and not data and not self._decoder.eof:
                raise truncated()
        if self._decoder.unused_data or self._source.read(1):
            raise malformed("there are bytes after the compressed data")
        return b""
