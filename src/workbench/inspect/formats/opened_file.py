"""Open a model file, decompressed and hashed while it is read."""

from __future__ import annotations

import hashlib
import io
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from workbench.inspect.formats.decompression import (
    CHUNK,
    DECODERS,
    MAX_BYTES,
    DecompressedFile,
    compression_of,
)
from workbench.inspect.formats.file_signatures import (
    HEAD,
    LZ4,
    is_skops,
    lz4_file,
    refuse_foreign_file,
)
from workbench.inspect.refused_file import RefusedFile, too_big

TAIL = 64 << 10  # bytes at the end of a zip that hold its directory


@dataclass
class OpenedFile:
    """An opened model file."""

    stream: io.BufferedReader[Any]  # decompressed
    compression: str | None
    size: int  # bytes of the file
    sha256: Callable[[], str]  # complete after `stream` was read to its end
    skops_archive: BinaryIO | None = None  # the file itself if skops wrote it


@contextmanager
def open_model_file(path: Path) -> Iterator[OpenedFile]:
    """Open the model file at `path`, or raise RefusedFile with what it is instead."""
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
                yield OpenedFile(raw, None, size, hashed.digest.hexdigest, file)
                return
            if head.startswith(LZ4):
                raise lz4_file(path.name)
            compression = compression_of(head)
            stream = raw
            if compression is None:
                refuse_foreign_file(head, tail)
            else:
                decoder = DECODERS[compression]()
                stream = io.BufferedReader(DecompressedFile(raw, decoder, size), CHUNK)
                refuse_foreign_file(stream.peek(HEAD)[:HEAD], b"")
            yield OpenedFile(stream, compression, size, hashed.digest.hexdigest)
    except OSError as error:
        raise RefusedFile(
            "unreadable",
            f"The file {path.name} cannot be read ({error.strerror or error}).",
            "Check its permissions.",
        ) from error


def _size_of_regular_file(path: Path) -> int:
    try:
        status = path.stat()
    except OSError as error:
        raise RefusedFile(
            "missing", f"There is no file {path}.", "Give the path of a saved model."
        ) from error
    if stat.S_ISDIR(status.st_mode):
        if (path / "saved_model.pb").exists():
            raise RefusedFile(
                "unsupported",
                f"The path {path.name} is the folder of a TensorFlow model.",
                "Give a scikit-learn model saved by joblib.dump or pickle.dump.",
            )
        raise RefusedFile(
            "not_a_file", f"The path {path.name} is a folder.", "Give the model file in it."
        )
    if not stat.S_ISREG(status.st_mode):
        raise RefusedFile(
            "not_a_file",
            f"The path {path.name} is no regular file.",
            "Give the path of a saved model.",
        )
    if status.st_size == 0:
        raise RefusedFile("empty", f"The file {path.name} is empty.", "Save the model again.")
    if status.st_size > MAX_BYTES:
        raise too_big(f"it has {status.st_size >> 20:,} MB")
    return status.st_size


class _HashingFile(io.RawIOBase):
    """Hash a file while it is read: the hash is of exactly the inspected bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self._file.readinto(buffer)  # type: ignore[attr-defined]
        self.digest.update(buffer[:count])
        return int(count)
