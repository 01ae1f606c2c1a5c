"""Take from a notebook's code what a model needs: definitions, and what they refer to."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

from workbench.adopt.code.source_files import SourceFile, is_action, is_main_guard, names_of

_IMPORTS = (ast.Import, ast.ImportFrom)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_SHOWS = frozenset(("print", "display"))


def definitions_only(source: SourceFile, wanted: Collection[str]) -> str | None:
    """Return the source with the wanted definitions alone, or None if that is not safe.

    It is not if a name is not defined, or if a statement that is left out can change a value that
    a definition refers to.
    """
    body = [node for node in source.tree.body if not is_main_guard(node)]
    kept = _reachable(body, wanted)
    if not wanted or not set(wanted) <= {n for node in kept for n in names_of([node])}:
        return None
    assigned = [node for node in kept if not isinstance(node, _IMPORTS + _DEFINITIONS)]
    values = {name for node in assigned for name in _bound(node)}
    left_out = [node for node in body if is_action(node) and not _shows(node)]
    if any(values & set(_loaded(node)) for node in left_out):
        return None
    return _text(source, [node for node in body if node in kept])


def _reachable(body: Sequence[ast.stmt], wanted: Collection[str]) -> list[ast.stmt]:
    """Return the statements that define the wanted names, and those that these need."""
    defining: dict[str, list[ast.stmt]] = {}
    for node in body:
        for name in () if is_action(node) else _bound(node):
            defining.setdefault(name, []).append(node)
    waiting, kept, seen = list(wanted), [], set(wanted)
    while waiting:
        for node in defining.get(waiting.pop(), ()):
            if node not in kept:
                kept.append(node)
                new = [name for name in _loaded(node) if name not in seen]
                seen.update(new)
                waiting += new
    return kept


def _bound(node: ast.stmt) -> Iterator[str]:
    yield from names_of([node])
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        yield node.target.id


def _loaded(node: ast.AST) -> Iterator[str]:
    """Yield every name that a statement refers to, in functions too."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            yield inner.id


def _shows(node: ast.stmt) -> bool:
    """Return whether a statement only shows something: print(x), or x alone."""
    if not isinstance(node, ast.Expr):
        return False
    value = node.value
    if isinstance(value, ast.Call):
        is_show = isinstance(value.func, ast.Name) and value.func.id in _SHOWS
        return is_show and not any(isinstance(n, ast.Call) for a in value.args for n in ast.walk(a))
    return isinstance(value, ast.Name)


def _text(source: SourceFile, kept: Sequence[ast.stmt]) -> str:
    """Return the lines of statements, with the comments right above definitions."""
    lines = source.text.splitlines()
    parts: list[tuple[ast.stmt, str]] = []
    for node in kept:
        decorators = [d.lineno for d in getattr(node, "decorator_list", ())]
        first = min([node.lineno, *decorators]) - 1
        while first > 0 and lines[first - 1].startswith("#"):
            first -= 1
        parts.append((node, "\n".join(lines[first : node.end_lineno])))
    text = parts[0][1]
    for (before, _), (node, part) in pairwise(parts):
        apart = isinstance(node, _DEFINITIONS) or isinstance(before, _DEFINITIONS)
        same = isinstance(before, _IMPORTS) == isinstance(node, _IMPORTS)
        text += "\n" * (3 if apart else 1 if same else 2) + part
    return text + "\n"
