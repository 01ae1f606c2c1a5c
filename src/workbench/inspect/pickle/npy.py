"""Read the header of NumPy's .npy format: the shape and dtype of an array."""

from __future__ import annotations

import ast
import re
from typing import IO

from workbench.inspect.pickle.arrays import CHARACTER_BYTES, read_shape
from workbench.inspect.pickle.values import DType
from workbench.inspect.refused_file import RefusedFile

MAGIC = b"\x93NUMPY"
MAX_HEADER_BYTES = 10_000  # as in numpy.load
CODE = re.compile(r"([<>|=])([biufcSUVmM])(\d{1,9})(\[\w+\])?")


class Unreadable(Exception):
    """The bytes are no array in .npy format; the message is a clause."""


def read_header(stream: IO[bytes], *, objects: bool = False) -> tuple[tuple[int, ...], DType]:
    """Return the shape and dtype of an array, and leave `stream` at its data. Raises Unreadable.

    The data of an array of `objects` is a pickle.
    """
    start = stream.read(8)
    width = {1: 2, 2: 4, 3: 4}.get(start[6]) if start[:6] == MAGIC and len(start) == 8 else None
    if width is None:
        raise Unreadable("an array does not begin as numpy's do")
    length = int.from_bytes(stream.read(width), "little")
    if length > MAX_HEADER_BYTES:
        raise Unreadable("the head of an array is too long")
    try:
        header = ast.literal_eval(stream.read(length).decode("latin-1").strip())
        shape, descr = read_shape(header["shape"]), header["descr"]
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError, RefusedFile):
        raise Unreadable("the head of an array is unreadable") from None
    if isinstance(descr, list):  # fields, as in the nodes of a tree
        return shape, DType("V", 0)
    if objects and descr == "|O":
        return shape, DType("O", 8, has_object=True)
    match = CODE.fullmatch(descr) if isinstance(descr, str) else None
    if match is None:
        raise Unreadable("an array is of a type that is not supported")
    size = int(match[3]) * (CHARACTER_BYTES if match[2] == "U" else 1)
    return shape, DType(match[2], size, ">" if match[1] == ">" else "<")
