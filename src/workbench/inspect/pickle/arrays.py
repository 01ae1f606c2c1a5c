"""Read NumPy's dtypes, arrays and scalars from the calls and states in a pickle."""

from __future__ import annotations

import math
import re
import struct

from workbench.inspect.pickle.names import ARRAY_TYPES
from workbench.inspect.pickle.values import Array, Dict, DType, Global
from workbench.inspect.refused_file import RefusedFile, malformed

MAX_ITEM_BYTES = 1 << 40
MAX_DIMENSION = 1 << 48
MAX_DIMENSIONS = 64
MAX_VALUES = 200_000  # of an array whose values are returned

CODE = re.compile(r"([biufcOSUVmM])(\d{1,12})")
CHARACTER_BYTES = 4
STRUCT_CODES = {
    "b1": "?",
    **{f"i{size}": code for size, code in zip((1, 2, 4, 8), "bhiq", strict=True)},
    **{f"u{size}": code for size, code in zip((1, 2, 4, 8), "BHIQ", strict=True)},
    **{f"f{size}": code for size, code in zip((2, 4, 8), "efd", strict=True)},
}
# Positions in the state that numpy.dtype.__reduce__ returns.
BYTEORDER, SUBARRAY, FIELDS, ITEMSIZE, FLAGS = 1, 2, 4, 5, 7
ITEM_IS_OBJECT = 1
ARRAY_STATE_LENGTH = 5  # version, shape, dtype, Fortran order, data


def make_dtype(args: tuple[object, ...]) -> DType:
    """Read the call `numpy.dtype(code, False, True)`."""
    code = args[0] if args else None
    if not all(isinstance(flag, bool | int) for flag in args[1:]):
        raise malformed("a numpy dtype is unreadable")
    if isinstance(code, bytes):  # from Python 2
        code = code.decode("ascii", "replace")
    match = CODE.fullmatch(code) if isinstance(code, str) else None
    if match is None:
        raise RefusedFile(
            "unsupported",
            "The model holds a numpy array of a type that is not supported.",
            "Convert it to plain numbers or text and fit the model again.",
        )
    kind, size = match[1], int(match[2])
    itemsize = size * CHARACTER_BYTES if kind == "U" else size
    if itemsize > MAX_ITEM_BYTES:
        raise malformed("an array has impossibly large items")
    return DType(kind, itemsize, has_object=kind == "O")


def build_dtype(dtype: DType, state: object) -> None:
    """Apply the pickled state of a dtype: byte order, sub-array or fields.

    The state must agree with the dtype's code: the item size decides where an array ends.
    """
    if dtype.built or not isinstance(state, tuple) or len(state) <= FLAGS:
        raise malformed("a numpy dtype is unreadable")
    dtype.built = True
    if state[BYTEORDER] in ("<", ">"):
        dtype.byteorder = str(state[BYTEORDER])
    if dtype.kind in "USV" and state[ITEMSIZE] != dtype.itemsize:
        raise malformed("a numpy dtype contradicts its own size")
    if dtype.kind == "V":
        _build_parts(dtype, state[SUBARRAY], state[FIELDS])
    elif state[SUBARRAY] is not None or state[FIELDS] is not None:
        raise malformed("a plain numpy dtype has fields")
    flags = state[FLAGS]
    if not isinstance(flags, int) or bool(flags & ITEM_IS_OBJECT) != dtype.has_object:
        raise malformed("a numpy dtype hides that it holds objects")


def _build_parts(dtype: DType, subarray: object, fields: object) -> None:
    if isinstance(subarray, tuple):
        base, shape = subarray if len(subarray) == 2 else (None, None)
        if not isinstance(base, DType):
            raise malformed("a numpy sub-array is unreadable")
        if base.itemsize * math.prod(read_shape(shape)) != dtype.itemsize:
            raise malformed("a numpy sub-array contradicts its own size")
        dtype.has_object = base.has_object
    for _, field in fields.pairs() if isinstance(fields, Dict) else ():
        part, offset = field[:2] if isinstance(field, tuple) and len(field) > 1 else (None, None)
        if not isinstance(part, DType) or not isinstance(offset, int):
            raise malformed("a numpy field is unreadable")
        if not 0 <= offset <= dtype.itemsize - part.itemsize:
            raise malformed("a numpy field lies outside of its record")
        dtype.has_object |= part.has_object


def read_shape(value: object) -> tuple[int, ...]:
    """Return the shape of an array, checked."""
    dimensions = (value,) if type(value) is int else value
    if not isinstance(dimensions, tuple) or len(dimensions) > MAX_DIMENSIONS:
        raise malformed("an array has an unreadable shape")
    for dimension in dimensions:
        if type(dimension) is not int or not 0 <= dimension <= MAX_DIMENSION:
            raise malformed("an array has an impossible shape")
    return dimensions


def reconstruct(args: tuple[object, ...]) -> Array:
    """Read `_reconstruct(type, (0,), b'b')`: an array whose state follows."""
    if len(args) != 3 or not isinstance(args[0], Global) or args[1] != (0,):
        raise malformed("an array is unreadable")
    if args[0] not in ARRAY_TYPES or not isinstance(args[2], bytes | str):
        raise malformed(f"an array is a {args[0].qualified}")
    return Array(shape=())


def build_array(array: Array, state: object) -> None:
    """Apply the pickled state of an array."""
    if array.dtype is not None or not isinstance(state, tuple) or len(state) != ARRAY_STATE_LENGTH:
        raise malformed("an array is unreadable")
    _, shape, dtype, by_column, data = state
    if not isinstance(dtype, DType):
        raise malformed("an array has no readable type")
    array.shape, array.dtype, array.data = read_shape(shape), dtype, _as_bytes(data)
    array.by_column = bool(by_column)


def _as_bytes(data: object) -> object:
    """Return data that Python 2 wrote as its `str` as bytes, and anything else unchanged."""
    if not isinstance(data, str):
        return data
    try:
        return data.encode("latin-1")
    except UnicodeEncodeError:
        raise malformed("the data of an array is unreadable") from None


def frombuffer(args: tuple[object, ...]) -> Array:
    """Read `_frombuffer(data, dtype, shape, order)` of protocol 5."""
    data, dtype, shape, order = args if len(args) == 4 else (None,) * 4
    if not isinstance(dtype, DType) or not isinstance(order, str):
        raise malformed("an array has no readable type")
    return Array(read_shape(shape), dtype, data, by_column=order == "F")


def make_scalar(args: tuple[object, ...]) -> object:
    """Read `scalar(dtype, data)`: a Python number, or an array without dimensions."""
    dtype, data = args if len(args) == 2 else (None, None)
    if not isinstance(dtype, DType):
        raise malformed("a numpy scalar has no readable type")
    code = STRUCT_CODES.get(f"{dtype.kind}{dtype.itemsize}")
    data = _as_bytes(data) if code else data
    if code and isinstance(data, bytes) and len(data) == dtype.itemsize:
        return struct.unpack(dtype.byteorder + code, data)[0]
    # Text stays an array: as a str it could become a computed name to import.
    return Array((), dtype, [data] if dtype.has_object else data)


def values_of(array: object) -> list[object] | None:
    """Return the values of an array, flat, or None if they were not kept or are too many.

    A table comes row after row, in whichever order the file holds it.
    """
    values = _stored_values(array)
    if values is None or not isinstance(array, Array) or not array.by_column:
        return values
    if len(array.shape) != 2:
        return values if len(array.shape) < 2 else None
    height = array.shape[0]
    return [value for row in range(height) for value in values[row::height]]


def _stored_values(array: object) -> list[object] | None:
    if not isinstance(array, Array) or array.dtype is None:
        return None
    dtype, count = array.dtype, math.prod(array.shape)
    if count > MAX_VALUES:
        return None
    if dtype.kind == "O":
        if not isinstance(array.data, list) or len(array.data) != count:
            return None
        return [plain(item) for item in array.data]
    if not isinstance(array.data, bytes) or len(array.data) != count * dtype.itemsize:
        return None
    if dtype.kind == "U":
        return _texts(array.data, dtype, count)
    code = STRUCT_CODES.get(f"{dtype.kind}{dtype.itemsize}")
    if code is None:
        return None
    return list(struct.unpack(f"{dtype.byteorder}{count}{code}", array.data))


def _texts(data: bytes, dtype: DType, count: int) -> list[object] | None:
    codec = "utf-32-le" if dtype.byteorder == "<" else "utf-32-be"
    width = dtype.itemsize
    try:
        return [
            data[start * width : (start + 1) * width].decode(codec).rstrip("\0")
            for start in range(count)
        ]
    except UnicodeDecodeError:
        return None


def plain(value: object) -> object:
    """Return a NumPy scalar as a Python value, and anything else unchanged."""
    if isinstance(value, Array) and value.shape == () and value.dtype and value.dtype.kind != "O":
        values = values_of(value)
        return values[0] if values else value
    return value
