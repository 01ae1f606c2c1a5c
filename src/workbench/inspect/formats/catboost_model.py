"""Read facts from a model in CatBoost's binary format (`CBM1`, a FlatBuffer).

CatBoost's `model.fbs` and `features.fbs` define the tables and the positions of their fields.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice

from workbench.inspect.facts import BoosterFacts, Categories, ClassLabel
from workbench.inspect.pickle.values import Blob

MAGIC = b"CBM1"
START = 8  # bytes of the magic number and of the size of the rest
MAX_FEATURES = 200_000
MAX_ENTRIES = 1000  # of the info map, which has ten
MAX_NAME_BYTES, MAX_ENTRY_BYTES = 1 << 10, 1 << 20

# Fields of TModelCore, TModelTrees, the feature tables and TKeyValue.
TREES, INFO = 1, 2
DIMENSION, CATEGORICAL, NUMERIC, TEXT = 0, 4, 5, 12
FLAT_INDEX = {CATEGORICAL: 1, NUMERIC: 2, TEXT: 1}
NAME = {CATEGORICAL: 2, NUMERIC: 4, TEXT: 2}
KEY, VALUE = 0, 1

TAG = re.compile(r"Branch: tags/v(\d+(?:\.\d+)+)")
RELEASE = re.compile(r"(?i)Summary: *CatBoost release v?(\d+(?:\.\d+)+)")
COMMIT = re.compile(r"Commit: ([0-9a-f]{40})")
# Releases that were built from a branch and can only be told by their commit.
COMMITS: Mapping[str, str] = {
    "42359eaac284723e69a9ad772357f5189acd2fbd": "1.0.6",
    "ba2589f75ec1fce5490455af4275f95cc9a5202c": "1.1",
    "d63ba37ba1c5b0a3082a19c673c11a93b77cb8c2": "1.1.1",
    "0000000000000000000000000000000000000000": "1.2",
    "f68bd8c0af356cca521c19f85b8761cf6541456a": "1.2.1",
    "ff8f073eea240c11e49e51cb774c2df5249c157c": "1.2.2",  # 1.2.1.1 is the same code
    "ad980dac979d2d8b4d633dffab06cb2e7303c126": "1.2.3",
    "2605fe627ed4271aa8a87ff3564fb68de5f116f0": "1.2.5",
}
MULTILABEL_LOSSES = ("MultiLogloss", "MultiCrossEntropy")


def is_whole(model: bytes | Blob) -> bool:
    """Return whether a model has its end."""
    data, length = (model.head, model.length) if isinstance(model, Blob) else (model, len(model))
    return len(data) >= START and length >= START + struct.unpack_from("<I", data, 4)[0]


def is_classifier(model: bytes) -> bool:
    """Return whether a model was fitted on classes."""
    return _labels(_info(model).get("class_params", "")) is not None


def version_of(model: bytes | Blob) -> str | None:
    """Return the version of CatBoost that wrote a model."""
    info = _info(model) if isinstance(model, bytes) else {}
    text = info.get("catboost_version_info", "")
    if match := TAG.search(text) or RELEASE.search(text):
        return match[1]
    commit = COMMIT.search(text)
    return COMMITS.get(commit[1]) if commit else None


@lru_cache(maxsize=32)  # several facts are read from the same model
def read(model: bytes) -> BoosterFacts | None:
    """Return the facts of a model, or None if it cannot be read."""
    try:
        trees = _Table.root(model).table(TREES)
        categorical = dict(_features(trees, CATEGORICAL)) if trees else {}
        others = dict(_features(trees, NUMERIC, TEXT)) if trees else {}
        features = {**categorical, **others}
        dimension = trees.integer(DIMENSION) if trees else 1
        info = _info(model)
        labels = _labels(info.get("class_params", ""))
    except (ValueError, struct.error):
        return None
    count = max(features, default=-1) + 1
    names = tuple(features.get(index, "") for index in range(count))
    # Without feature names CatBoost writes the column numbers as names.
    named = all(names) and names != tuple(map(str, range(count)))
    loss = _loss(info.get("params", ""))
    multilabel = loss in MULTILABEL_LOSSES
    return BoosterFacts(
        feature_names=names if named and names else None,
        n_features=count or None,
        classes=labels if not multilabel else None,
        n_outputs=dimension if labels is None or multilabel else 1,
        objective=loss if isinstance(loss, str) else None,
        n_classes=dimension,
        categories=dict.fromkeys(sorted(categorical), Categories(coded=False)),
    )


def _info(model: bytes) -> dict[str, str]:
    try:
        pairs = islice(_Table.root(model).tables(INFO), MAX_ENTRIES)
        return {pair.text(KEY): pair.text(VALUE, MAX_ENTRY_BYTES) for pair in pairs}
    except (ValueError, struct.error):
        return {}


def _features(trees: _Table, *fields: int) -> Iterator[tuple[int, str]]:
    for field in fields:
        for feature in trees.tables(field):
            index = feature.integer(FLAT_INDEX[field])
            if 0 <= index < MAX_FEATURES:
                yield index, feature.text(NAME[field])


def _labels(text: str) -> tuple[ClassLabel, ...] | None:
    """Return the classes that `class_params` lists, in the order of the probabilities."""
    # A model fitted on probabilities has no class names; it predicts 0 and 1.
    names = _member(text, "class_names") or _member(text, "class_to_label")
    if not isinstance(names, list) or not all(isinstance(n, str | int | float) for n in names):
        return None
    labels: tuple[ClassLabel, ...] = tuple(names)
    kind = _member(text, "class_label_type")
    if kind == "Float":
        return tuple(float(label) for label in labels)
    if kind == "Boolean":
        return tuple(label in (True, "True", "true") for label in labels)
    return labels


def _loss(text: str) -> object:
    loss = _member(text, "loss_function")
    return loss.get("type") if isinstance(loss, dict) else loss


def _member(text: str, key: str) -> object:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value.get(key) if isinstance(value, dict) else None


class _Table:
    """One table of a FlatBuffer; struct checks each position, since all come from the file."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._position = position
        self._fields = position - self._number("<i", position)
        self._end = self._number("<H", self._fields)

    @classmethod
    def root(cls, data: bytes) -> _Table:
        if data[:4] != MAGIC:
            raise ValueError("this is no CatBoost model")
        return cls(data, START + struct.unpack_from("<I", data, START)[0])

    def _number(self, code: str, position: int) -> int:
        if position < 0:  # struct would count it from the end
            raise ValueError("a position lies before the data")
        return int(struct.unpack_from(code, self._data, position)[0])

    def _field(self, index: int) -> int | None:
        entry = 4 + 2 * index
        offset = self._number("<H", self._fields + entry) if entry < self._end else 0
        return self._position + offset if offset else None

    def _target(self, index: int) -> int | None:
        position = self._field(index)
        return None if position is None else position + self._number("<I", position)

    def integer(self, index: int) -> int:
        """Return an integer field, or -1 if the table does not have it."""
        position = self._field(index)
        return -1 if position is None else self._number("<i", position)

    def text(self, index: int, max_bytes: int = MAX_NAME_BYTES) -> str:
        position = self._target(index)
        if position is None:
            return ""
        size = min(self._number("<I", position), max_bytes)
        return self._data[position + 4 : position + 4 + size].decode("utf-8", "replace")

    def table(self, index: int) -> _Table | None:
        position = self._target(index)
        return None if position is None else _Table(self._data, position)

    def tables(self, index: int) -> Iterator[_Table]:
        start = self._target(index)
        if start is None:
            return
        for item in range(min(self._number("<I", start), MAX_FEATURES)):
            position = start + 4 + 4 * item
            yield _Table(self._data, position + self._number("<I", position))
