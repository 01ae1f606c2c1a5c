"""Find the author's functions through which each text goes before a vectorizer.

The code is read and never run. An app has `clean = clean_text(review)`, and then
`vectorizer.transform([clean])`; a notebook `df["clean"] = df["text"].apply(clean_text)`, and a fit.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from workbench.adopt.code.source_files import SourceFile

_SINKS = frozenset(
    ("fit", "fit_transform", "transform", "predict", "predict_proba", "decision_function")
)
_MAPS = frozenset(("apply", "map", "progress_apply"))
# What a function that works on a text calls; one that makes a class of a rating calls none of them.
_TEXT_WORK = frozenset(
    """
    casefold findall isalnum isalpha lemmatize lower split stem sub tokenize translate word_tokenize
    """.split()
)
MAX_PASSES = 5  # over the assignments: each follows a value over one name more


@dataclass(frozen=True)
class TextFunctions:
    """The functions through which each text goes, in order."""

    names: tuple[str, ...] = ()
    is_complete: bool = True  # False: the code also changes the texts between them


def text_functions(source: SourceFile) -> TextFunctions:
    """Return the functions whose value is what the code fits or predicts with."""
    candidates = {
        node.name: node
        for node in source.tree.body
        if isinstance(node, ast.FunctionDef) and takes_one_value(node) and _works_on_text(node)
    }
    if not candidates:
        return TextFunctions()
    nodes = sorted(_outside(source.tree, candidates), key=lambda node: getattr(node, "lineno", 0))
    assigned = [node for node in nodes if isinstance(node, ast.Assign)]
    held: dict[str, dict[str, None]] = {}  # functions by the variable or column of their value
    for _ in range(MAX_PASSES):
        for one in assigned:
            functions = _functions_of(_first(one.value), candidates, held)
            for key in [key for target in one.targets for key in _targets(target)]:
                if functions:
                    held.setdefault(key, {}).update(functions)
    found: dict[str, None] = {}
    used: set[str] = set()  # variables and columns of which the code fits or predicts
    for node in nodes:
        if isinstance(node, ast.Call) and _attribute(node.func) in _SINKS and node.args:
            functions = _functions_of(node.args[0], candidates, held)
            found.update(functions)
            used.update(_keys(node.args[0]) if functions else ())
    for _ in range(MAX_PASSES):
        for one in assigned:
            if any(key in used for target in one.targets for key in _targets(target)):
                used.update(_keys(_first(one.value)))
    keys_changed = {
        key
        for one in assigned
        if _changes_texts(one.value) and not _functions_of(one.value, candidates, {})
        for target in one.targets
        for key in _targets(target)
    }
    is_complete = not any(held.get(key, {}).keys() & found.keys() for key in keys_changed & used)
    return TextFunctions(tuple(found), is_complete)


def _changes_texts(value: ast.expr) -> bool:
    """Return whether an expression changes the texts of a column: .apply(…), .str.lower()."""
    attributes = {_attribute(node) for node in ast.walk(value)}
    return bool(attributes & {*_MAPS, "str"})


def takes_one_value(function: ast.FunctionDef) -> bool:
    """Return whether a function can be called with one value."""
    arguments = function.args
    positional = arguments.posonlyargs + arguments.args
    return len(positional) - len(arguments.defaults) == 1 and not any(
        default is None for default in arguments.kw_defaults
    )


def _works_on_text(function: ast.FunctionDef) -> bool:
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    names = {_attribute(call.func) or getattr(call.func, "id", None) for call in calls}
    return bool(names & _TEXT_WORK) and not names & _SINKS


def _outside(tree: ast.Module, functions: Mapping[str, ast.FunctionDef]) -> Iterator[ast.AST]:
    """Yield every node that is not in one of the functions."""
    waiting: list[ast.AST] = [node for node in tree.body if node not in functions.values()]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += ast.iter_child_nodes(node)


def _functions_of(
    node: ast.AST, candidates: Mapping[str, ast.FunctionDef], held: Mapping[str, dict[str, None]]
) -> dict[str, None]:
    """Return the functions through which an expression's value went."""
    found: dict[str, None] = {}
    for inner in ast.walk(node):
        if (key := _key(inner)) is not None:
            found.update(held.get(key, {}))
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call):
            called = inner.func
            if _attribute(called) in _MAPS and inner.args:
                called = inner.args[0]
            if isinstance(called, ast.Name) and called.id in candidates:
                found[called.id] = None
    return found


def _first(value: ast.expr) -> ast.expr:
    """Return the first argument of a call with several: train_test_split(texts, labels)."""
    return value.args[0] if isinstance(value, ast.Call) and len(value.args) > 1 else value


def _targets(target: ast.expr) -> Iterator[str]:
    for node in target.elts if isinstance(target, ast.Tuple) else (target,):
        if (key := _key(node)) is not None:
            yield key


def _keys(value: ast.AST) -> Iterator[str]:
    """Yield the variables and columns in an expression."""
    for node in ast.walk(value):
        if (key := _key(node)) is not None:
            yield key


def _key(node: ast.AST) -> str | None:
    """Return the name of a variable, or of a column of any frame as "['name']"."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return f"[{node.slice.value!r}]"
    return f"[{node.attr!r}]" if isinstance(node, ast.Attribute) else None


def _attribute(node: ast.AST) -> str | None:
    return node.attr if isinstance(node, ast.Attribute) else None
