"""Requests to paste: the same rows for a shell, for Python and for JavaScript.

Standard library only: the workbench prints the curl line too. Every value is quoted for its
language: names, texts and the address come from outside. An API key is never in them: where one is
needed, they read it from the environment variable API_KEY.
"""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Callable, Sequence
from typing import Any

from model_service.contract.contract import Row, json_text

# Python and JavaScript write the headers alike.
_CONTENT_TYPE = '{"Content-Type": "application/json"'


def curl(url: str, body: Any, *, key: bool = False) -> str:
    """Return a line for a POSIX shell that sends JSON."""
    sent = shlex.quote(_json(body))
    return f"{_curl(url, 'application/json', key)} -d {sent}"


def curl_csv(url: str, rows: Sequence[Row], *, key: bool = False) -> str:
    """Return a command for a POSIX shell that sends a CSV."""
    # Not -d: it reads a file where the text begins with "@", as the name of a feature may.
    sent = shlex.quote(csv_text(rows))
    return f"{_curl(url, 'text/csv', key)} --data-raw {sent}"


def _curl(url: str, content_type: str, key: bool) -> str:
    authorization = ' -H "Authorization: Bearer $API_KEY"' if key else ""
    return f"curl {shlex.quote(url)}{authorization} -H 'Content-Type: {content_type}'"


def python(url: str, body: Any, *, key: bool = False) -> str:
    """Return Python that needs nothing installed and prints the answer."""
    more = ', "Authorization": "Bearer " + os.environ["API_KEY"]}' if key else "}"
    modules = ["json", "os", "urllib.request"] if key else ["json", "urllib.request"]
    imports = "".join(f"import {module}\n" for module in modules)
    return f"""\
{imports}
body = {_literal(body, _json, _python)}
request = urllib.request.Request(
    {_json(url)},
    data=json.dumps(body).encode(),
    headers={_CONTENT_TYPE}{more},
)
with urllib.request.urlopen(request) as response:
    print(json.load(response))
"""


def javascript(url: str, body: Any, *, key: bool = False) -> str:
    """Return a module for Node, without a key for a browser too, that prints the answer."""
    more = ', "Authorization": "Bearer " + process.env.API_KEY}' if key else "}"
    return f"""\
const body = {_literal(body, _javascript_name, _json)};
const response = await fetch({_json(url)}, {{
  method: "POST",
  headers: {_CONTENT_TYPE}{more},
  body: JSON.stringify(body),
}});
console.log(JSON.stringify(await response.json(), null, 2));
"""


def csv_text(rows: Sequence[Row], shown: Callable[[str], str] = str) -> str:
    """Return rows as a CSV; a cell that is missing is empty, each other is as it is `shown`."""
    cells = [["" if v is None else shown(json_text(v)) for v in row.values()] for row in rows]
    return "".join(map(_line, [list(map(shown, rows[0])), *cells]))


def _line(cells: Sequence[str]) -> str:
    # Only a writer whose lines end with CR LF quotes a cell with a CR, before Python 3.13.
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().removesuffix("\r\n") + "\n"


def _literal(
    value: Any, name: Callable[[str], str], scalar: Callable[[Any], str], indent: str = ""
) -> str:
    """Return rows as a literal, a line for each feature."""
    inner = f"{indent}    "
    if isinstance(value, dict):
        items = [
            f"{name(key)}: {_literal(item, name, scalar, inner)}" for key, item in value.items()
        ]
        opening, closing = "{}"
    elif isinstance(value, list):
        items = [_literal(item, name, scalar, inner) for item in value]
        opening, closing = "[]"
    else:
        return scalar(value)
    lines = "".join(f"{inner}{item},\n" for item in items)
    return f"{opening}\n{lines}{indent}{closing}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _python(value: Any) -> str:
    # The escapes of JSON are Python's too, where it leaves what is not ASCII as it is.
    return _json(value) if isinstance(value, str) else repr(value)


def _javascript_name(name: str) -> str:
    # Without the brackets this one would set the prototype.
    return f"[{_json(name)}]" if name == "__proto__" else _json(name)
