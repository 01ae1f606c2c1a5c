"""Read the members of a skops file, a zip, within limits; nothing is extracted."""

from __future__ import annotations

import errno
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import IO, BinaryIO

from workbench.inspect.pickle.budget import Budget
from workbench.inspect.pickle.npy import Unreadable, read_header
from workbench.inspect.pickle.pickle_stream import HEAD, TAIL
from workbench.inspect.pickle.values import Array, Blob
from workbench.inspect.refused_file import RefusedFile, too_big

SCHEMA = "schema.json"
MAX_SCHEMA_BYTES = 24 << 20
MAX_SCHEMA_ITEMS = 2_000_000  # brackets and commas, each of which costs memory when parsed
MAX_DIRECTORY_BYTES = 16 << 20
MAX_MEMBER_BYTES = 256 << 20
CHUNK = 1 << 20  # more than TAIL
READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 1  # bit of a member's flags
# The records at the end of a zip's directory, and their sizes.
END, END_64 = b"PK\x05\x06", b"PK\x06\x07"
END_SIZE, LOCATOR_SIZE = 22, 20
# What zipfile raises for damages. ValueError: a name is no UTF-8, or a position is too large.
_DAMAGES = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(EOFError, NotImplementedError, OverflowError, ValueError),
)


def broken(detail: str) -> RefusedFile:
    """Return the refusal of a file that breaks the format, `detail` being a clause."""
    return RefusedFile(
        "malformed",
        f"The file is not a readable skops file: {detail}.",
        "Save the fitted model again with skops.io.dump(model, 'model.skops') and give that file.",
    )


def parse_json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise broken("it holds JSON that is unreadable") from None


class SkopsArchive:
    """The zip of a skops file; large members are skipped rather than kept."""

    def __init__(self, archive: zipfile.ZipFile, budget: Budget) -> None:
        self._archive = archive
        self._budget = budget

    def schema(self) -> object:
        """Return the parsed schema.json."""
        info = self.member(SCHEMA)
        if info.file_size > MAX_SCHEMA_BYTES:
            raise too_big("its schema is too long")
        with self._archive.open(info) as stream:
            text = stream.read()
        if not text.isascii():
            raise broken("its schema holds what skops escapes")
        if sum(text.count(sign) for sign in (b"{", b"[", b",")) > MAX_SCHEMA_ITEMS:
            raise too_big("its schema describes too many objects")
        return parse_json(text.decode("ascii"))

    def member(self, name: str) -> zipfile.ZipInfo:
        """Return a member that can be read without a password or a rare decompressor."""
        try:
            info = self._archive.getinfo(name)
        except KeyError:
            raise broken(f"{name!r:.60} is missing in it") from None
        if info.flag_bits & ENCRYPTED or info.compress_type not in READABLE:
            raise RefusedFile(
                "unsupported",
                "The file is compressed in a way that cannot be inspected.",
                "Save the model again with skops.io.dump(model, 'model.skops').",
            )
        return info

    def read_bytes(self, name: str) -> bytes | Blob:
        """Return a member, or both ends of one that is too long to keep."""
        info = self.member(name)
        if info.file_size > MAX_MEMBER_BYTES:
            raise too_big(f"{info.filename!r:.60} in it is too large")
        with self._archive.open(info) as stream:
            if self._budget.can_keep(info.file_size):
                return stream.read()
            head = _exactly(stream, HEAD)
            last = chunk = b""
            while piece := stream.read(CHUNK):
                last, chunk = chunk, piece
        return Blob(info.file_size, head, (last + chunk)[-TAIL:])

    def read_array(self, name: str) -> Array:
        """Return the array of an .npy member, with its data if facts can be in them."""
        with self._archive.open(self.member(name)) as stream:
            try:
                shape, dtype = read_header(stream)
            except Unreadable as error:
                raise broken(str(error)) from None
            array = Array(shape, dtype)
            size = prod(shape) * dtype.itemsize
            # As in a pickle: feature names and classes are flat arrays.
            if len(shape) <= 1 and dtype.kind != "V" and self._budget.can_keep(size):
                array.data = _exactly(stream, size)
        return array


@contextmanager
def open_archive(file: BinaryIO, budget: Budget) -> Iterator[SkopsArchive]:
    """Open a skops file. Raises RefusedFile for a damaged zip, within the block too."""
    _check_directory(file)
    try:
        with zipfile.ZipFile(file) as archive:
            yield SkopsArchive(archive, budget)
    except _DAMAGES as error:
        raise broken("the zip is damaged") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # a member's position lies before the file
            raise
        raise broken("the zip is damaged") from error


def _check_directory(file: BinaryIO) -> None:
    """Refuse a directory that would fill the memory before zipfile reads it."""
    size = file.seek(0, 2)
    file.seek(max(0, size - END_SIZE - LOCATOR_SIZE))
    tail = file.read()
    end = tail[-END_SIZE:]
    if not end.startswith(END) or end[-2:] != b"\0\0":
        raise broken("the directory of the zip is not at its end")
    if tail.startswith(END_64) or int.from_bytes(end[12:16], "little") > MAX_DIRECTORY_BYTES:
        raise too_big("it is a zip with too many members")


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise broken("an array ends early")
    return data
