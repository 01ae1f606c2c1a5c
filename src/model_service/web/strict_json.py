"""JSON bodies, read strictly: UTF-8, no NaN, no repeated name, no endless nesting."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from model_service.web.errors import RequestProblem

MAX_DEPTH = 100
# The key of a WSGI environ under which the fast lane leaves the row that it has looked at.
PARSED_ROW = "model_service.parsed_row"


class _NotStrict(ValueError):
    """What Python's parser takes and JSON does not."""


def parse_json(body: bytes) -> Any:
    """Return the parsed body. Raises RequestProblem."""
    try:
        text = body.decode("utf-8")
        if text.startswith("\ufeff"):  # the decoder would only say that it expects a value
            raise json.JSONDecodeError("There is a byte order mark", text, 0)
        parsed = _DECODER.decode(text)
        brackets = text.count("{") + text.count("[")  # a row has too few of them to be deep
        if brackets <= MAX_DEPTH or not _is_deep(parsed):
            return parsed
        reason = "It is nested too deeply."
    except RecursionError:
        reason = "It is nested too deeply."
    except UnicodeDecodeError:
        reason = "It is not UTF-8."
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at line {error.lineno}, column {error.colno}."
    except _NotStrict as error:
        reason = str(error)
    except ValueError:  # Python's limit of 4,300 digits
        reason = "A number has too many digits."
    raise RequestProblem(400, "The body is not valid JSON", reason)


def _is_deep(value: Any) -> bool:
    """Return whether a value is nested too deeply. The parser's own limit depends on the Python."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_DEPTH):
        members = (
            m for outer in level for m in (outer.values() if isinstance(outer, dict) else outer)
        )
        level = [member for member in members if isinstance(member, (dict, list))]
        if not level:
            return False
    return True


def _refuse_constant(name: str) -> None:
    raise _NotStrict(f'"{name}" is not a JSON number.')


def _refuse_repeated_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        repeated = next(name for name, count in counts.items() if count > 1)
        raise _NotStrict(f'"{repeated}" appears twice.')
    return members


_DECODER = json.JSONDecoder(
    parse_constant=_refuse_constant, object_pairs_hook=_refuse_repeated_names
)
