"""Find a message that the documentation quotes in the string literals of the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

# Where a quoted message has a value: an ellipsis, a number, a file, an option, a quoted text.
_HOLE = re.compile(
    r"…|\d+(?:[.,]\d+)*|\b\w+=|[\w./-]+(?:/|\.(?:json|py|in|txt)\b)|'[^']*'|\"[^\"]*\"|\{[^}]*\}|\[[^\]]*\]"
)
_MARK = "\0"  # what a source literal has in the place of a value
_MIN_LITERAL = 10  # a shorter word says nothing: it is in some literal by chance
_PUNCTUATION = " .:;,()"


class Messages:
    """All string literals of some Python files, with a mark for each value in an f-string."""

    def __init__(self, paths: Iterable[Path]) -> None:
        literals = {" ".join(text.split()) for path in paths for text in _literals(path)}
        self._all = "\n".join(sorted(literals))
        patterns = (_pattern(text) for text in literals if _MARK in text)
        self._patterns = [pattern for pattern in patterns if pattern is not None]

    def missing(self, message: str) -> list[str]:
        """Return the pieces of a message that no literal has; none: the source has the message.

        Values may stand in it as examples: then an f-string has the text around them.
        """
        rests = {pattern.sub("…", message) for pattern in self._patterns}
        return min(
            ([p for p in _pieces(rest) if not self._has(p)] for rest in (message, *rests)), key=len
        )

    def _has(self, piece: str) -> bool:
        """Return whether one literal has a piece, or two literals that the source puts together."""
        if piece in self._all:
            return True
        words = piece.split(" ")
        halves = (
            (" ".join(words[:i]).strip(_PUNCTUATION), " ".join(words[i:]).strip(_PUNCTUATION))
            for i in range(1, len(words))
        )
        return any(
            all(_says_something(half) and half in self._all for half in pair) for pair in halves
        )


def _pieces(message: str) -> list[str]:
    pieces = (piece.strip(_PUNCTUATION) for piece in _HOLE.split(message))
    return [piece for piece in pieces if _says_something(piece)]


def _says_something(piece: str) -> bool:
    return " " in piece or len(piece) >= _MIN_LITERAL


def _pattern(literal: str) -> re.Pattern[str] | None:
    parts = literal.split(_MARK)
    if max(map(len, parts)) < _MIN_LITERAL:
        return None
    return re.compile(".{1,60}?".join(map(re.escape, parts)))


def _literals(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(_part(value) for value in node.values)
        elif isinstance(node, ast.Constant) and id(node) not in parts:
            yield re.sub("%[srd]", _MARK, node.value) if isinstance(node.value, str) else ""


def _part(value: ast.expr) -> str:
    return str(value.value) if isinstance(value, ast.Constant) else _MARK
