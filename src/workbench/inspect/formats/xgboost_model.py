"""Read facts from a booster in XGBoost's own format: UBJSON, before XGBoost 1.6 JSON.

A file that XGBoost saved holds `{"learner": …, "version": […]}`, a pickled booster
`{"Config": …, "Model": {"learner": …, "version": […]}}`.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from itertools import pairwise

from workbench.inspect.facts import BoosterFacts, Categories, ClassLabel
from workbench.inspect.formats.ubjson import PackedArray, TooLong, UbjsonReader
from workbench.inspect.pickle.values import Blob

MAX_JSON_BYTES = 4 << 20  # parsed, JSON takes twenty times its length in memory
MAX_TREES = 50  # whose thresholds are read
END = 1 << 20  # bytes read at each end of a longer model
TAIL = 200  # bytes at the end that hold the version
# Both formats write the members in alphabetical order, so the version comes last.
JSON_END = re.compile(
    rb'"version"\s*:\s*\[\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\]\s*\}(\s*\})*\s*$'
)
UBJSON_END = re.compile(rb"version\[#L\0{7}\x03i([\0-\x7f])i([\0-\x7f])i([\0-\x7f])\}+$", re.DOTALL)

# Behind its mark: the mean, how many features and classes, two flags, then the version.
BINARY_VERSION = struct.Struct("<24xII")
PICKLED_BINARY = b"CONFIG-offset:"
# The mean of the target (0.5, or the log-odds of it), how many features and classes there are.
BINARY_START = re.compile(rb"\0\0\0[\x3f\x80\0].{3}\0.{3}\0", re.DOTALL)

# Members of the learner that are written before the trees, and after them.
BEFORE_TREES, AFTER_TREES = ("feature_names",), ("learner_model_param", "objective")

# XGBoost's number for the type of a category list -> the NumPy dtype. Texts have no dtype.
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


def binary_model(model: bytes | Blob) -> bytes | None:
    """Return the model in the binary format that XGBoost 3.1 gave up, None for another one.

    A booster that was pickled by XGBoost 1.0 to 1.5 has a mark and its settings around it, and
    before 1.0 the format had no mark.
    """
    if isinstance(model, Blob):
        return None
    if model.startswith(PICKLED_BINARY):
        model = model[len(PICKLED_BINARY) + 8 :]  # behind the position of the settings
        return model if model.startswith(b"binf") else None
    is_binary = model.startswith(b"binf") or BINARY_START.match(model) is not None
    return model if is_binary else None


def version_of_binary(model: bytes) -> str | None:
    """Return the first two numbers of the version in a binary model; None before 1.0."""
    if len(model) < BINARY_VERSION.size or not model.startswith(b"binf"):
        return None
    major, minor = BINARY_VERSION.unpack_from(model)
    return f"{major}.{minor}" if 0 < major < 3 and minor < 100 else None


def is_whole(model: bytes | Blob) -> bool:
    """Return whether a model has its end, where the version is."""
    tail = model.tail if isinstance(model, Blob) else model[-TAIL:]
    return version_of(model) is not None or tail.rstrip().endswith(b"}")


@lru_cache(maxsize=32)  # several facts are read from the same model
def read(model: bytes | Blob) -> BoosterFacts | None:
    """Return the facts of a booster, or None if it cannot be read."""
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


def thresholds(model: bytes) -> Iterator[tuple[int, float]]:
    """Yield the column and the threshold of the splits of the first trees; no category splits."""
    try:
        root = _parse(model)
    except UNREADABLE:  # TooLong is one of them
        return
    learner = _member(_member(root, "Model") or root, "learner")
    booster = _member(learner, "gradient_booster")
    trees = _member(_member(_member(booster, "gbtree") or booster, "model"), "trees")
    for tree in trees[:MAX_TREES] if isinstance(trees, list) else ():
        columns = _numbers(_member(tree, "split_indices"))
        children = _numbers(_member(tree, "left_children"))
        kinds = _numbers(_member(tree, "split_type")) or [0] * len(columns)
        numbers = _floats(_member(tree, "split_conditions"))
        for column, child, kind, number in zip(columns, children, kinds, numbers, strict=False):
            if child >= 0 and kind == 0:
                yield column, number


def _floats(value: object) -> list[float]:
    if isinstance(value, PackedArray):
        return value.floats()
    items = value if isinstance(value, list) else []
    return [float(item) for item in items if isinstance(item, int | float)]


def _stopped_early(learner: object, trees_a_round: int) -> bool:
    model = _member(_member(learner, "gradient_booster"), "model")
    parameters = _member(model, "gbtree_model_param")
    best = _count(_member(learner, "attributes"), "best_iteration", none=-1)
    in_parallel = _count(parameters, "num_parallel_tree") or 1
    trees = _count(parameters, "num_trees") or 0
    # Before XGBoost 2.0 every training set best_iteration, to its last round if it ran to the end.
    return best is not None and (best + 1) * trees_a_round * in_parallel < trees


UNREADABLE = (ValueError, IndexError, KeyError, struct.error, RecursionError)


def _parse(model: bytes) -> object:
    if not _is_json(model):
        return UbjsonReader(model).root()
    if len(model) > MAX_JSON_BYTES:
        raise TooLong("it is too long for JSON")
    return json.loads(model)


def _is_json(model: bytes) -> bool:
    return re.match(rb'\{\s*"|\s', model) is not None


def _from_ends(head: bytes, tail: bytes) -> object:
    """Return the members before and after the trees of a model too long to be read whole."""
    found = {}
    read = _json_member if _is_json(head) else _ubjson_member
    for keys, part, last in ((BEFORE_TREES, head, False), (AFTER_TREES, tail, True)):
        for key in keys:
            with suppress(*UNREADABLE):  # a list of names can be longer than the bytes read
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
    return UbjsonReader(part[position + len(name) :]).root()


def _categories(learner: object) -> dict[int, Categories]:
    """Return the columns that were pandas categories; XGBoost 3.1 and later write their values."""
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
        found[column] = Categories(values, dtype, max_code=highest.get(column, -1))
    return found


def _category_values(entry: object, dtype: str | None) -> tuple[ClassLabel, ...] | None:
    """Return the categories of a column: numbers of a dtype, or texts stored back to back."""
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
    """Return the highest category code that the trees test, by column."""
    highest: dict[int, int] = {}
    for tree in trees if isinstance(trees, list) else ():
        names = ("categories_nodes", "categories_segments", "categories_sizes", "categories")
        nodes, starts, sizes, codes = (_numbers(_member(tree, name)) for name in names)
        columns = _numbers(_member(tree, "split_indices")) if nodes else []
        if min(sizes, default=0) < 0 or sum(sizes) > len(codes):
            continue
        for node, start, size in zip(nodes, starts, sizes, strict=False):
            tested = codes[start : start + size]
            if 0 <= node < len(columns) and tested:
                column = columns[node]
                highest[column] = max(highest.get(column, -1), *tested)
    return highest


def _numbers(value: object, *, unsigned: bool = False) -> list[int]:
    """Return the whole numbers of a list or of a packed array."""
    if isinstance(value, PackedArray):
        return value.numbers(unsigned=unsigned)
    items = value if isinstance(value, list) else []
    return [item for item in items if type(item) is int]


def _member(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None


def _count(parameters: object, key: str, none: int = 0) -> int | None:
    """Return a number that XGBoost writes as text, or None if it is `none`, XGBoost's unknown."""
    text = _member(parameters, key)
    if not isinstance(text, str) or not re.fullmatch(r"\d{1,9}", text):
        return None
    return int(text) if int(text) != none else None
