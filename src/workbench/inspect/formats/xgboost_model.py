"""What XGBoost's own format (UBJSON, before 1.6 JSON) says about a booster.

A file that XGBoost saved holds `{"learner": …, "version": […]}`, a pickled booster
`{"Config": …, "Model": {"learner": …, "version": […]}}`.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from workbench.inspect.facts import BoosterFacts, Categories, ClassLabel
from workbench.inspect.pickle.values import Blob

MOST_VALUES = 300_000  # of five thousand trees; of more, only the ends are read
DEEPEST_NESTING = 30
LONGEST_JSON = 4 << 20  # Python's objects take twenty times that
END = 1 << 20  # of a longer one, what is read at its beginning and at its end
TAIL = 200  # where the version stands
# How both formats end: the version comes last, alphabetically and in the file.
JSON_END = re.compile(
    rb'"version"\s*:\s*\[\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\]\s*\}(\s*\})*\s*$'
)
UBJSON_END = re.compile(rb"version\[#L\0{7}\x03i([\0-\x7f])i([\0-\x7f])i([\0-\x7f])\}+$", re.DOTALL)

# What stands before the trees, and behind them.
BEFORE, BEHIND = ("feature_names",), ("learner_model_param", "objective")

INTEGERS = {b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q"}
SIZES = {b"i": 1, b"U": 1, b"I": 2, b"l": 4, b"L": 8, b"d": 4, b"D": 8}
LITERALS = {b"T": True, b"F": False, b"Z": None}
# How a model calls the type of its categories; what else there is, such as texts, has no number.
DTYPES: Mapping[int, str] = {
    9: "int8",
    10: "uint8",
    11: "int16",
    12: "uint16",
    13: "int32",
    14: "uint32",
    15: "int64",
    16: "uint64",
}


def version_of(model: bytes | Blob) -> str | None:
    """Return the version of XGBoost that wrote a booster."""
    tail = model.tail if isinstance(model, Blob) else model[-TAIL:]
    if match := UBJSON_END.search(tail):
        return ".".join(str(number[0]) for number in match.groups())
    if match := JSON_END.search(tail):
        return ".".join(number.decode() for number in match.groups()[:3])
    return None


def is_whole(model: bytes | Blob) -> bool:
    """Say whether nothing is missing at the end of a model, where its version stands."""
    tail = model.tail if isinstance(model, Blob) else model[-TAIL:]
    return version_of(model) is not None or tail.rstrip().endswith(b"}")


@lru_cache(maxsize=32)  # each question about a model asks again
def read(model: bytes | Blob) -> BoosterFacts | None:
    """Return the facts of a booster, or None where it cannot be read."""
    try:
        root = _from_ends(model.head, model.tail) if isinstance(model, Blob) else _parse(model)
    except TooLong:
        assert isinstance(model, bytes)
        root = _from_ends(model[:END], model[-END:])
    except UNREADABLE:
        return None
    learner = _member(_member(root, "Model") or root, "learner")
    parameters = _member(learner, "learner_model_param")
    names, objective = _member(learner, "feature_names"), _member(learner, "objective")
    texts = tuple(n for n in names if isinstance(n, str)) if isinstance(names, list) else ()
    name = _member(objective, "name")
    n_outputs = _count(parameters, "num_target") or 1
    n_classes = _count(parameters, "num_class") or 1
    return BoosterFacts(
        feature_names=texts or None,
        n_features=_count(parameters, "num_feature"),
        n_outputs=n_outputs,
        objective=name if isinstance(name, str) else None,
        n_classes=n_classes,
        stopped_early=_stopped_early(learner, max(n_outputs, n_classes)),
        categories=_categories(learner),
    )


def _stopped_early(learner: object, trees_a_round: int) -> bool:
    model = _member(_member(learner, "gradient_booster"), "model")
    parameters = _member(model, "gbtree_model_param")
    best = _count(_member(learner, "attributes"), "best_iteration", none=-1)
    in_parallel = _count(parameters, "num_parallel_tree") or 1
    trees = _count(parameters, "num_trees") or 0
    # Before 2.0 every training left this attribute behind, as the last of its rounds.
    return best is not None and (best + 1) * trees_a_round * in_parallel < trees


class TooLong(ValueError):
    """The model has more parts than are worth the time to read them."""


UNREADABLE = (ValueError, IndexError, KeyError, struct.error, RecursionError)


def _parse(model: bytes) -> object:
    if not _is_json(model):
        return _Reader(model).root()
    if len(model) > LONGEST_JSON:
        raise TooLong("it is too long for JSON")
    return json.loads(model)


def _is_json(model: bytes) -> bool:
    return re.match(rb'\{\s*"|\s', model) is not None


def _from_ends(head: bytes, tail: bytes) -> object:
    """Return what stands before and behind the trees of a model too long to be read whole."""
    found = {}
    read = _json_member if _is_json(head) else _ubjson_member
    for keys, part, last in ((BEFORE, head, False), (BEHIND, tail, True)):
        for key in keys:
            with suppress(*UNREADABLE):  # a list of names may be longer than what was kept
                found[key] = read(part, key, last)
    return {"learner": found}


def _json_member(part: bytes, key: str, last: bool) -> object:
    text = part.decode("utf-8", "replace")
    start = re.compile(rf'"{key}"\s*:\s*')
    *_, found = start.finditer(text) if last else [start.search(text)]
    return json.JSONDecoder().raw_decode(text, found.end() if found else len(text))[0]


def _ubjson_member(part: bytes, key: str, last: bool) -> object:
    name = struct.pack(">q", len(key)) + key.encode()
    position = part.rindex(name) if last else part.index(name)
    return _Reader(part[position + len(name) :]).root()


def _categories(learner: object) -> dict[int, Categories]:
    """Return the columns that were pandas categories; from 3.1 with their values."""
    types = _member(learner, "feature_types")
    columns = [n for n, kind in enumerate(types) if kind == "c"] if isinstance(types, list) else []
    if not columns:
        return {}
    booster = _member(learner, "gradient_booster")
    model = _member(_member(booster, "gbtree") or booster, "model")
    encoded = _member(_member(model, "cats"), "enc")
    lists = encoded if isinstance(encoded, list) else []
    highest = _highest_codes(_member(model, "trees"))
    found = {}
    for column in columns:
        entry = lists[column] if column < len(lists) else None
        kind = _member(entry, "type")
        dtype = DTYPES.get(kind) if isinstance(kind, int) else None
        values = _category_values(entry, dtype)
        found[column] = Categories(values, dtype, most_code=highest.get(column, -1))
    return found


def _category_values(entry: object, dtype: str | None) -> tuple[ClassLabel, ...] | None:
    """Return the categories of a column: numbers of a dtype, or texts one behind the other."""
    values = _member(entry, "values")
    if dtype is not None:
        numbers = _numbers(values, unsigned=dtype.startswith("u"))
        return tuple(numbers) or None
    texts = bytes(number & 0xFF for number in _numbers(values))
    ends = _numbers(_member(entry, "offsets"))
    if ends != sorted(ends) or ends[:1] != [0]:
        return None
    words = (texts[start:end] for start, end in pairwise(ends))
    return tuple(word.decode("utf-8", "replace") for word in words) or None


def _highest_codes(trees: object) -> dict[int, int]:
    """Return the highest code that the trees ask for, by column."""
    highest: dict[int, int] = {}
    for tree in trees if isinstance(trees, list) else ():
        names = ("categories_nodes", "categories_segments", "categories_sizes", "categories")
        nodes, starts, sizes, codes = (_numbers(_member(tree, name)) for name in names)
        columns = _numbers(_member(tree, "split_indices")) if nodes else []
        if min(sizes, default=0) < 0 or sum(sizes) > len(codes):
            continue
        for node, start, size in zip(nodes, starts, sizes, strict=False):
            asked = codes[start : start + size]
            if 0 <= node < len(columns) and asked:
                column = columns[node]
                highest[column] = max(highest.get(column, -1), *asked)
    return highest


def _numbers(value: object, *, unsigned: bool = False) -> list[int]:
    """Return whole numbers from a list or from an array of one type."""
    if isinstance(value, _Packed):
        return value.numbers(unsigned=unsigned)
    items = value if isinstance(value, list) else []
    return [item for item in items if type(item) is int]


def _member(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None


def _count(parameters: object, key: str, none: int = 0) -> int | None:
    """Return a number, which XGBoost writes as text; it writes 0 where it does not know."""
    text = _member(parameters, key)
    if not isinstance(text, str) or not re.fullmatch(r"\d{1,9}", text):
        return None
    return int(text) if int(text) != none else None


@dataclass(frozen=True)
class _Packed:
    """An array of one type, not unpacked: there is a dozen of them in every tree."""

    kind: bytes
    data: memoryview

    def numbers(self, *, unsigned: bool) -> list[int]:
        code = INTEGERS.get(self.kind)
        if code is None:
            return []
        code = code.upper() if unsigned else code
        return [number for (number,) in struct.iter_unpack(code, self.data)]


class _Reader:
    """Read UBJSON as XGBoost writes it; arrays of one type (the trees' numbers) stay packed."""

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
        if self._left < 0:
            raise TooLong("it has too many values")
        if depth > DEEPEST_NESTING:
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
        found: dict[str, object] = {}
        while (marker := self._take(1)) != b"}":
            key = self._text(marker)
            found[key] = self._value(self._take(1), depth + 1)
        return found

    def _array(self, depth: int) -> list[object] | _Packed:
        marker = self._take(1)
        kind = b""
        if marker == b"$":
            kind, marker = self._take(1), self._take(1)
        if marker == b"#":
            count = self._integer(self._take(1))
            if kind:
                start = self._position
                self._take(count * SIZES[kind])
                return _Packed(kind, memoryview(self._data)[start : self._position])
            return [self._value(self._take(1), depth + 1) for _ in range(count)]
        found: list[object] = []
        while marker != b"]":
            found.append(self._value(marker, depth + 1))
            marker = self._take(1)
        return found
