"""Read UBJSON (https://ubjson.org) as XGBoost writes it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAX_VALUES = 300_000  # a model of five thousand trees
MAX_NESTING = 30

INTEGERS = {b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q"}
SIZES = {b"i": 1, b"U": 1, b"I": 2, b"l": 4, b"L": 8, b"d": 4, b"D": 8}
LITERALS = {b"T": True, b"F": False, b"Z": None}


class TooLong(ValueError):
    """The document has more values than are worth the time to read them."""


@dataclass(frozen=True)
class PackedArray:
    """A typed array that is unpacked only on request: every tree holds a dozen."""

    kind: bytes
    data: memoryview

    def numbers(self, *, unsigned: bool) -> list[int]:
        code = INTEGERS.get(self.kind)
        if code is None:
            return []
        code = code.upper() if unsigned else code
        return [number for (number,) in struct.iter_unpack(code, self.data)]

    def floats(self) -> list[float]:
        code = {b"d": ">f", b"D": ">d"}.get(self.kind)
        if code is None:
            return []
        return [number for (number,) in struct.iter_unpack(code, self.data)]


class UbjsonReader:
    """Read one UBJSON value; typed arrays stay packed, and floats are skipped."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._left = MAX_VALUES

    def root(self) -> object:
        return self._value(self._take(1), 0)

    def _take(self, size: int) -> bytes:
        end = self._position + size
        if size < 0 or end > len(self._data):
            raise ValueError("the data ends early")
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def _value(self, marker: bytes, depth: int) -> object:
        self._left -= 1
        if self._left < 0:
            raise TooLong("it has too many values")
        if depth > MAX_NESTING:
            raise ValueError("it is nested too deeply")
        if marker == b"{":
            return self._object(depth)
        if marker == b"[":
            return self._array(depth)
        if marker == b"S":
            return self._text(self._take(1))
        if marker in INTEGERS:
            return self._integer(marker)
        if marker in LITERALS:
            return LITERALS[marker]
        self._take(SIZES[marker])
        return None

    def _integer(self, marker: bytes) -> int:
        (number,) = struct.unpack(INTEGERS[marker], self._take(SIZES[marker]))
        return int(number)

    def _text(self, marker: bytes) -> str:
        return self._take(self._integer(marker)).decode("utf-8", "replace")

    def _object(self, depth: int) -> dict[str, object]:
        members: dict[str, object] = {}
        while (marker := self._take(1)) != b"}":
            key = self._text(marker)
            members[key] = self._value(self._take(1), depth + 1)
        return members

    def _array(self, depth: int) -> list[object] | PackedArray:
        marker = self._take(1)
        kind = b""
        if marker == b"$":
            kind, marker = self._take(1), self._take(1)
        if marker == b"#":
            count = self._integer(self._take(1))
            if kind:
                start = self._position
                self._take(count * SIZES[kind])
                return PackedArray(kind, memoryview(self._data)[start : self._position])
            return [self._value(self._take(1), depth + 1) for _ in range(count)]
        found: list[object] = []
        while marker != b"]":
            found.append(self._value(marker, depth + 1))
            marker = self._take(1)
        return found
