"""What CatBoost's binary format (`CBM1`, a flatbuffer) says about a model.

The tables and the positions of their fields stand in CatBoost's `model.fbs` and `features.fbs`.
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
START = 8  # the magic and the size of what follows
MOST_FEATURES = 200_000
MOST_ENTRIES = 1000  # of the info map, which has ten
LONGEST_NAME, LONGEST_ENTRY = 1 << 10, 1 << 20

# TModelCore, TModelTrees, the feature tables and TKeyValue
TREES, INFO = 1, 2
DIMENSION, CATEGORICAL, NUMERIC, TEXT = 0, 4, 5, 12
FLAT_INDEX = {CATEGORICAL: 1, NUMERIC: 2, TEXT: 1}
NAME = {CATEGORICAL: 2, NUMERIC: 4, TEXT: 2}
KEY, VALUE = 0, 1

TAG = re.compile(r"Branch: tags/v(\d+(?:\.\d+)+)")
RELEASE = re.compile(r"(?i)Summary: *CatBoost release v?(\d+(?:\.\d+)+)")
COMMIT = re.compile(r"Commit: ([0-9a-f]{40})")
# Releases that were built from a branch, so that only the commit tells.
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
SEVERAL_LABELS = ("MultiLogloss", "MultiCrossEntropy")


def is_whole(model: bytes | Blob) -> bool:
    """Say whether nothing is missing at the end of a model."""
    data, length = (model.head, model.length) if isinstance(model, Blob) else (model, len(model))
    return len(data) >= START and length >= START + struct.unpack_from("<I", data, 4)[0]


def is_classifier(model: bytes) -> bool:
    """Say whether a model was fitted on classes."""
    return _labels(_info(model).get("class_params", "")) is not None


def version_of(model: bytes | Blob) -> str | None:
    """Return the version of CatBoost that wrote a model."""
    info = _info(model) if isinstance(model, bytes) else {}
    text = info.get("catboost_version_info", "")
    if match := TAG.search(text) or RELEASE.search(text):
        return match[1]
    commit = COMMIT.search(text)
    return COMMITS.get(commit[1]) if commit else None


@lru_cache(maxsize=32)  # each question about a model asks again
def read(model: bytes) -> BoosterFacts | None:
    """Return the facts of a model, or None where it cannot be read."""
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
    # Without names CatBoost writes the numbers of the columns.
    named = all(names) and names != tuple(map(str, range(count)))
    loss = _loss(info.get("params", ""))
    several = loss in SEVERAL_LABELS
    return BoosterFacts(
        feature_names=names if named and names else None,
        n_features=count or None,
        classes=labels if not several else None,
        n_outputs=dimension if labels is None or several else 1,
        objective=loss if isinstance(loss, str) else None,
        n_classes=dimension,
        categories=dict.fromkeys(sorted(categorical), Categories(coded=False)),
    )


def _info(model: bytes) -> dict[str, str]:
    try:
        pairs = islice(_Table.root(model).tables(INFO), MOST_ENTRIES)
        return {pair.text(KEY): pair.text(VALUE, LONGEST_ENTRY) for pair in pairs}
    except (ValueError, struct.error):
        return {}


def _features(trees: _Table, *fields: int) -> Iterator[tuple[int, str]]:
    for field in fields:
        for feature in trees.tables(field):
            index = feature.integer(FLAT_INDEX[field])
            if 0 <= index < MOST_FEATURES:
                yield index, feature.text(NAME[field])


def _labels(text: str) -> tuple[ClassLabel, ...] | None:
    """Return the classes, as `class_params` lists them in the order of the probabilities."""
    # Fitted on probabilities it knows no names, but answers 0 and 1.
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
    """One table of a flatbuffer; every position comes from the file and is checked by struct."""

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
        if position < 0:  # which struct would count from the end
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
        """Return an integer field, or -1 where it is not written."""
        position = self._field(index)
        return -1 if position is None else self._number("<i", position)

    def text(self, index: int, longest: int = LONGEST_NAME) -> str:
        position = self._target(index)
        if position is None:
            return ""
        size = min(self._number("<I", position), longest)
        return self._data[position + 4 : position + 4 + size].decode("utf-8", "replace")

    def table(self, index: int) -> _Table | None:
        position = self._target(index)
        return None if position is None else _Table(self._data, position)

    def tables(self, index: int) -> Iterator[_Table]:
        start = self._target(index)
        if start is None:
            return
        for item in range(min(self._number("<I", start), MOST_FEATURES)):
            position = start + 4 + 4 * item
            yield _Table(self._data, position + self._number("<I", position))
