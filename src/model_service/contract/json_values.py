"""The values of a row, as JSON has them."""

from __future__ import annotations

import json

Scalar = str | int | float | bool
Value = Scalar | None
Row = dict[str, Value]


def json_type(value: object) -> str:
    """Return the JSON type of a value, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "an object"


def json_text(value: Value) -> str:
    """Return text as it is and anything else as its JSON text: `1`, `1.0`, `true`."""
    return value if isinstance(value, str) else json.dumps(value)


def json_key(value: Scalar) -> tuple[str, object]:
    """Return what two JSON values have in common if `same_json` calls them equal."""
    if isinstance(value, bool):
        return "boolean", value
    return ("text" if isinstance(value, str) else "number"), value


def same_json(one: object, other: object) -> bool:
    """Compare as JSON does: 1 equals 1.0, but neither true nor "1"."""
    numbers = (int, float)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, numbers) and isinstance(other, numbers):
        return one == other
    return type(one) is type(other) and one == other
