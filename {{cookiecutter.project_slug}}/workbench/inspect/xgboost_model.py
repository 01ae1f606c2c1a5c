"""What XGBoost's own format (UBJSON, before 1.6 JSON) says about a booster.

A pickled booster holds `{"Config": …, "Model": {"learner": …, "version": […]}}`.
"""

from __future__ import annotations

import json
import re
import struct
from functools import lru_cache

from .facts import BoosterFacts
from .values import Blob

MOST_VALUES = 1_000_000  # ten thousand trees are half of it
DEEPEST_NESTING = 30
LONGEST_JSON = 8 << 20  # Python's objects take ten times that
# How both formats end: the version comes last, alphabetically and in the file.
JSON_END = re.compile(rb'"version":\[(\d{1,3}),(\d{1,3}),(\d{1,3})\]\}+\s*$')
UBJSON_END = re.compile(rb"version\[#L\0{7}\x03i([\0-\x7f])i([\0-\x7f])i([\0-\x7f])\}+$", re.DOTALL)

INTEGERS = {b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q"}
SIZES = {b"i": 1, b"U": 1, b"I": 2, b"l": 4, b"L": 8, b"d": 4, b"D": 8}
LITERALS = {b"T": True, b"F": False, b"Z": None}


def version_of(model: bytes | Blob) -> str | None:
    """Return the version of XGBoost that wrote a booster."""
    tail = model.tail if isinstance(model, Blob) else model[-200:]
    if match := UBJSON_END.search(tail):
        return ".".join(str(number[0]) for number in match.groups())
    if match := JSON_END.search(tail):
        return ".".join(number.decode() for number in match.groups())
    return None


@lru_cache(maxsize=32)  # each question about a model asks again
def read(model: bytes) -> BoosterFacts | None:
    """Return the facts of a booster, or None where it cannot be read."""
    try:
        if model.startswith(b'{"'):
            root = json.loads(model) if len(model) <= LONGEST_JSON else None
        else:
            root = _Reader(model).root()
    except (ValueError, IndexError, KeyError, struct.error, RecursionError):
        return None
    learner = _member(_member(root, "Model"), "learner")
    parameters = _member(learner, "learner_model_param")
    names = _member(learner, "feature_names")
    texts = tuple(n for n in names if isinstance(n, str)) if isinstance(names, list) else ()
    return BoosterFacts(
        feature_names=texts or None,
        n_features=_count(parameters, "num_feature"),
        n_outputs=_count(parameters, "num_target") or 1,
    )


def _member(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None


def _count(parameters: object, key: str) -> int | None:
    """Return a number, which XGBoost writes as text; it writes 0 where it does not know."""
    text = _member(parameters, key)
    if not isinstance(text, str) or not re.fullmatch(r"\d{1,9}", text):
        return None
    return int(text) or None


class _Reader:
    """Read UBJSON as XGBoost writes it; arrays of one type (the trees' numbers) are passed over."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._left = MOST_VALUES

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
        if self._left < 0 or depth > DEEPEST_NESTING:
            raise ValueError("the data is too deep or too long")
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
        found: dict[str, object] = {}
        while (marker := self._take(1)) != b"}":
            key = self._text(marker)
            found[key] = self._value(self._take(1), depth + 1)
        return found

    def _array(self, depth: int) -> list[object]:
        marker = self._take(1)
        kind = b""
        if marker == b"$":
            kind, marker = self._take(1), self._take(1)
        if marker == b"#":
            count = self._integer(self._take(1))
            if kind:
                self._take(count * SIZES[kind])
                return []
            return [self._value(self._take(1), depth + 1) for _ in range(count)]
        found: list[object] = []
        while marker != b"]":
            found.append(self._value(marker, depth + 1))
            marker = self._take(1)
        return found
