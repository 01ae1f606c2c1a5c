"""Requests to copy and paste, for curl, Python and JavaScript.

Standard library only: `make curl` prints one too. Names, texts and the URL can hold anything, so
each of them is quoted for its language. With `needs_key` a request reads the API key from the
environment variable API_KEY; the key itself is never part of it.
"""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Callable, Sequence
from typing import Any

from model_service.contract.json_values import Row, json_text

# Python and JavaScript have the same syntax for it; the closing brace may follow another header.
_HEADERS_START = '{"Content-Type": "application/json"'


def curl(url: str, body: Any, *, needs_key: bool = False) -> str:
    """Return a command for a POSIX shell that posts JSON."""
    return f"{_curl_post(url, 'application/json', needs_key)} -d {shlex.quote(_json_literal(body))}"


def curl_csv(url: str, rows: Sequence[Row], *, needs_key: bool = False) -> str:
    """Return a command for a POSIX shell that posts a CSV."""
    # Not -d, which reads a file if the text begins with "@", as the first feature's name can.
    data = shlex.quote(csv_text(rows))
    return f"{_curl_post(url, 'text/csv', needs_key)} --data-raw {data}"


def _curl_post(url: str, content_type: str, needs_key: bool) -> str:
    authorization = ' -H "Authorization: Bearer $API_KEY"' if needs_key else ""
    return f"curl {shlex.quote(url)}{authorization} -H 'Content-Type: {content_type}'"


def python(url: str, body: Any, *, needs_key: bool = False) -> str:
    """Return a Python script that uses the standard library only and prints the response."""
    headers_end = ', "Authorization": "Bearer " + os.environ["API_KEY"]}' if needs_key else "}"
    modules = ["json", "os", "urllib.request"] if needs_key else ["json", "urllib.request"]
    imports = "".join(f"import {module}\n" for module in modules)
    return f"""\
{imports}
body = {_literal(body, _json_literal, _python_literal)}
request = urllib.request.Request(
    {_json_literal(url)},
    data=json.dumps(body).encode(),
    headers={_HEADERS_START}{headers_end},
)
with urllib.request.urlopen(request) as response:
    print(json.load(response))
"""


def python_requests(url: str, body: Any, *, needs_key: bool = False) -> str:
    """Return a Python script that uses the library requests and prints the response."""
    imports = "import os\n\nimport requests\n" if needs_key else "import requests\n"
    headers = '\n    headers={"Authorization": "Bearer " + os.environ["API_KEY"]},'
    return f"""\
{imports}
body = {_literal(body, _json_literal, _python_literal)}
response = requests.post(
    {_json_literal(url)},
    json=body,{headers if needs_key else ""}
    timeout=30,
)
response.raise_for_status()
print(response.json())
"""


def javascript(url: str, body: Any, *, needs_key: bool = False) -> str:
    """Return a JavaScript module for Node, or for a browser if no key is needed."""
    headers_end = ', "Authorization": "Bearer " + process.env.API_KEY}' if needs_key else "}"
    return f"""\
const body = {_literal(body, _javascript_key, _json_literal)};
const response = await fetch({_json_literal(url)}, {{
  method: "POST",
  headers: {_HEADERS_START}{headers_end},
  body: JSON.stringify(body),
}});
console.log(JSON.stringify(await response.json(), null, 2));
"""


def csv_text(rows: Sequence[Row], format_cell: Callable[[str], str] = str) -> str:
    """Return rows as a CSV with a header; null is an empty cell."""
    header = [format_cell(name) for name in rows[0]]
    cells = [
        ["" if value is None else format_cell(json_text(value)) for value in row.values()]
        for row in rows
    ]
    return "".join(map(_csv_line, [header, *cells]))


def _csv_line(cells: Sequence[str]) -> str:
    # Before Python 3.13 csv quotes a cell with a CR only if the line terminator has one.
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().removesuffix("\r\n") + "\n"


def _literal(
    value: Any,
    key_literal: Callable[[str], str],
    scalar_literal: Callable[[Any], str],
    indent: str = "",
) -> str:
    """Return a JSON value as an indented literal of a language, one member a line."""
    inner = f"{indent}    "
    if isinstance(value, dict):
        items = [
            f"{key_literal(key)}: {_literal(item, key_literal, scalar_literal, inner)}"
            for key, item in value.items()
        ]
        opening, closing = "{}"
    elif isinstance(value, list):
        items = [_literal(item, key_literal, scalar_literal, inner) for item in value]
        opening, closing = "[]"
    else:
        return scalar_literal(value)
    lines = "".join(f"{inner}{item},\n" for item in items)
    return f"{opening}\n{lines}{indent}{closing}"


def _json_literal(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _python_literal(value: Any) -> str:
    # JSON's escapes in a string are Python's too.
    return _json_literal(value) if isinstance(value, str) else repr(value)


def _javascript_key(name: str) -> str:
    # In an object literal "__proto__" without brackets sets the prototype.
    return f"[{_json_literal(name)}]" if name == "__proto__" else _json_literal(name)
