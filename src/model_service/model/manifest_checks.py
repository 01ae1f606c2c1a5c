"""Check the JSON of manifest.json member by member: people edit it though no one should.

Standard library only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, get_args

from model_service.contract.contract import InputKind

TASKS = ("classification", "regression", "clustering", "outlier")
LOADERS = ("joblib", "pickles", "skops", "xgboost", "lightgbm", "catboost")
PATHS = ("fast", "native")
MAX_SHOWN_CHARACTERS = 60

# What a member must be, in words, and whether a value is that.
Check = tuple[str, Callable[[Any], bool]]


def manifest_problems(document: object) -> Iterator[str]:
    """Yield what is wrong with the JSON of a manifest; each sentence names the member."""
    if not isinstance(document, dict):
        yield f"it must be an object, not {_shown(document)}"
        return
    yield from _wrong_members(document, _MEMBERS, "")
    objects = {
        "model": _MODEL,
        "code": _CODE,
        "fast_path": _FAST_PATH,
        "explanations": _EXPLANATIONS,
    }
    for name, members in objects.items():
        if isinstance(entry := document.get(name), dict):
            yield from _wrong_members(entry, members, f"{name}.")
    for number, entry in enumerate(_list(document.get("transformers")), start=1):
        yield from _wrong_members(entry, _TRANSFORMER, f"transformers[{number}].")


def _wrong_members(
    entry: Mapping[str, Any], members: Mapping[str, Check], prefix: str
) -> Iterator[str]:
    for name, (expected, is_right) in members.items():
        if name not in entry:
            if name not in _OPTIONAL:
                yield f'"{prefix}{name}" is missing'
        elif not is_right(entry[name]):
            yield f'"{prefix}{name}" must be {expected}, not {_shown(entry[name])}'


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}…"


def _list(value: object) -> Iterable[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != "" and not {"\r", "\n"} & set(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_position(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_boolean(value: object) -> bool:
    return isinstance(value, bool)


def _is_scalar(value: object) -> bool:
    return isinstance(value, (str, int, float))


def _is_class(value: object) -> bool:
    return _is_scalar(value) or (isinstance(value, list) and all(map(_is_scalar, value)))


def _is_row(value: object) -> bool:
    return isinstance(value, dict) and all(v is None or _is_scalar(v) for v in value.values())


def _matches(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _one_of(values: Iterable[str]) -> Check:
    known = tuple(values)
    return f"one of {', '.join(known)}", lambda value: value in known


def _or_null(check: Check) -> Check:
    return f"{check[0]}, or null", lambda value: value is None or check[1](value)


def _list_of(check: Callable[[Any], bool], value: object) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(map(check, value))


def _map_of(check: Callable[[Any], bool], value: object) -> bool:
    return isinstance(value, dict) and all(map(check, value.values()))


def _are_rows(value: Any) -> bool:
    return _list_of(_is_row, value) and all(row.keys() == value[0].keys() for row in value)


_TEXT: Check = ("text", _is_text)
_NAME: Check = ("text in one line", _is_name)
_BOOLEAN: Check = ("true or false", _is_boolean)
_COUNT: Check = ("a whole number above 0", _is_count)
_NAMES: Check = ("a list of names", lambda value: _list_of(_is_text, value))
_SHA256: Check = ("64 hexadecimal digits", _matches("[0-9a-f]{64}"))
_CLASSES: Check = ("a list of classes", lambda value: _list_of(_is_class, value))
_OBJECTS: Check = ("an object of objects", lambda v: _map_of(lambda e: isinstance(e, dict), v))
_OBJECT: Check = ("an object", lambda value: isinstance(value, dict))

# Manifests of older versions lack these.
_OPTIONAL = frozenset(("fast_path", "profile", "member", "trusted", "constant", "reason")) | {
    "binary",
    "left_out",
    "serves",
    "defined_in",
    *("explanations", "proven", "file_sha256", "of", "by", "background"),
}
_MEMBERS: Mapping[str, Check] = {
    "name": _NAME,
    "title": _NAME,
    "description": _TEXT,
    "version": _COUNT,
    "verified": _BOOLEAN,
    "fast_path": _or_null(_OBJECT),
    "explanations": _or_null(_OBJECT),
    "task": _one_of(TASKS),
    "classes": _or_null(_CLASSES),
    "estimator": _NAME,
    "binary": _or_null(_CLASSES),
    "outputs": _COUNT,
    "probabilities": _BOOLEAN,
    "input": _one_of(get_args(InputKind)),
    "columns": _or_null(_NAMES),
    "python": ("a version such as 3.13", _matches(r"3\.\d{1,2}")),
    "libraries": (
        "an object of versions by library",
        lambda value: _map_of(lambda version: version is None or _is_name(version), value),
    ),
    "model": _OBJECT,
    "categories": _OBJECTS,
    "code": _or_null(_OBJECT),
    "transformers": (
        "a list of objects",
        lambda value: isinstance(value, list) and all(isinstance(e, dict) for e in value),
    ),
    "left_out": _or_null(_NAMES),
    "sample": _or_null(_NAME),
    "derived": _OBJECTS,
    "examples": ("a list of rows with the same features, at least one", _are_rows),
    "profile": _or_null(
        ("a list of objects", lambda value: _list_of(lambda e: isinstance(e, dict), value))
    ),
}
_FITTED: Mapping[str, Check] = {
    "file": _NAME,
    "member": _or_null(_TEXT),
    "loader": _one_of(LOADERS),
    "trusted": _or_null(("a list of names", lambda value: value == [] or _NAMES[1](value))),
    "sha256": _SHA256,
    "bytes": ("a whole number", _is_position),
    "source": _TEXT,
}
_MODEL: Mapping[str, Check] = {**_FITTED, "constant": _or_null(("a position", _is_position))}
_TRANSFORMER: Mapping[str, Check] = {**_FITTED, "estimator": _NAME}
_CODE: Mapping[str, Check] = {
    "file": _NAME,
    "sha256": _SHA256,
    "modules": ("an object of lists of names", lambda v: _map_of(lambda n: isinstance(n, list), v)),
    "prepare": _BOOLEAN,
    "defined_in": _or_null(("an object of names", lambda value: _map_of(_is_name, value))),
}
_FAST_PATH: Mapping[str, Check] = {"serves": _one_of(PATHS), "reason": _or_null(_TEXT)}
_EXPLANATIONS: Mapping[str, Check] = {
    "proven": _BOOLEAN,
    "reason": _or_null(_TEXT),
    "file_sha256": _or_null(_SHA256),
    "of": _or_null(_TEXT),
    "by": _or_null(_TEXT),
    "background": _or_null(_COUNT),
}
