"""Read the YAML that MLflow writes: nested mappings and lists of quoted and plain scalars.

Everything else (anchors, tags, block scalars, flow collections with content) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

Yaml = str | None | list["Yaml"] | dict[str, "Yaml"]  # every plain scalar stays a text

MAX_CHARACTERS, MAX_DEPTH = 1 << 20, 20
_KEY = re.compile(r"([A-Za-z_][\w.-]*)\s*:(?:\s+(.*))?$")
_REFUSED = re.compile(r"[&*!|>%@`\[{]")
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", " ": " ", '"': '"', "\\": "\\", "/": "/"}
_EMPTY: dict[str, Callable[[], Yaml]] = {"[]": list, "{}": dict, "null": lambda: None}


class NotInSubset(Exception):
    """The text is not YAML as MLflow writes it; the message is a clause."""


def parse_yaml(text: str) -> dict[str, Yaml]:
    """Return the mapping that a text holds. Raises NotInSubset."""
    if len(text) > MAX_CHARACTERS:
        raise NotInSubset("it is too long")
    lines = [line.rstrip() for line in text.splitlines()]
    parser = _Parser([line for line in lines if line and not line.lstrip().startswith("#")])
    value = parser.block(0, 0)
    if not isinstance(value, dict) or parser.position < len(parser.lines):
        raise NotInSubset("it is no mapping")
    return value


@dataclass
class _Parser:
    lines: list[str]
    position: int = 0

    def block(self, indent: int, depth: int) -> Yaml:
        """Return the mapping or list whose lines are indented by exactly this much."""
        if depth > MAX_DEPTH:
            raise NotInSubset("it is nested too deeply")
        if self._text(indent).startswith("- ") or self._text(indent) == "-":
            return self._list(indent, depth)
        found: dict[str, Yaml] = {}
        while (text := self._text(indent)) and not text.startswith("- "):
            match = _KEY.fullmatch(text)
            if match is None:
                raise NotInSubset(f"line {text[:40]!r} is no key with a value")
            if match[1] in found:
                raise NotInSubset(f"it has {match[1]} twice")
            self.position += 1
            found[match[1]] = self._value(match[2] or "", indent, depth)
        return found

    def _list(self, indent: int, depth: int) -> list[Yaml]:
        items: list[Yaml] = []
        while (text := self._text(indent)).startswith("-"):
            content = text[1:].strip()
            if _KEY.fullmatch(content):  # a mapping that begins on the line of its dash
                self.lines[self.position] = " " * (indent + 2) + content
                items.append(self.block(indent + 2, depth + 1))
                continue
            self.position += 1
            items.append(self._scalar(content, indent))
        return items

    def _value(self, rest: str, indent: int, depth: int) -> Yaml:
        if rest:
            return self._scalar(rest, indent)
        following = self._indent()
        is_list = following == indent and self._text(indent).startswith("-")
        if following > indent or is_list:
            return self.block(following, depth + 1)
        return None

    def _scalar(self, text: str, indent: int) -> Yaml:
        if text in _EMPTY:
            return _EMPTY[text]()
        if text[:1] in ("'", '"'):
            return self._quoted(text)
        if _REFUSED.match(text):
            raise NotInSubset(f"{text[:40]!r} is written in a way that is not read")
        while self._indent() > indent and not _KEY.fullmatch(self.lines[self.position].strip()):
            text = f"{text} {self.lines[self.position].strip()}"
            self.position += 1
        return text

    def _quoted(self, text: str) -> str:
        """Return a quoted text, which can go on over several lines."""
        mark = text[0]
        body = r"(?:[^']|'')*" if mark == "'" else r'(?:[^"\\]|\\.)*'
        whole = re.compile(f"{mark}({body}){mark}", re.DOTALL)
        while (match := whole.fullmatch(text)) is None:
            if self.position >= len(self.lines):
                raise NotInSubset("a quoted text does not end")
            more = self.lines[self.position].strip()
            glued = mark == '"' and text.endswith("\\")
            text = text[:-1] + more if glued else f"{text} {more}"
            self.position += 1
        if mark == "'":
            return match[1].replace("''", "'")
        return _ESCAPE.sub(_unescaped, match[1])

    def _text(self, indent: int) -> str:
        """Return the next line without its indentation, or nothing if that is another one."""
        return self.lines[self.position][indent:] if self._indent() == indent else ""

    def _indent(self) -> int:
        if self.position >= len(self.lines):
            return -1
        line = self.lines[self.position]
        return len(line) - len(line.lstrip(" "))


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "xuU" and len(code) > 1:
        return chr(int(code[1:], 16))
    if code not in _ESCAPES:
        raise NotInSubset(f"it has the unknown escape \\{code}")
    return _ESCAPES[code]
