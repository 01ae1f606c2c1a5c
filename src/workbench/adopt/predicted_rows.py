"""Read from the author's code, which is never executed, what it hands to `predict`, in order.

A model that was fitted on an array has no names, but the app beside it has:
`model.predict([[age, income, request.form["city"]]])`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from workbench.adopt.answers import Answers
from workbench.adopt.find_code import sources_near
from workbench.adopt.source_files import SourceFile

PREDICT = ("predict", "predict_proba")
# Calls that keep the order of the values in their first argument, or in what they belong to.
_OF_ARGUMENT = ("array", "asarray", "DataFrame", "transform", "Series")
_OF_OWNER = ("reshape", "astype", "to_numpy")
_CASTS = ("float", "int", "str", "bool", "round", "float32", "float64", "int64")
MIN_VALUES = 2
MAX_STEPS = 8  # through variables and calls from the argument of predict to a list


@dataclass(frozen=True)
class PredictedRow:
    """The values of one row by the names that the code has for them."""

    source: SourceFile
    line: int
    names: tuple[str, ...]
    computed: tuple[str, ...]  # of them: what arithmetic made, which callers would have to repeat


def predicted_row(answers: Answers, count: int | None) -> PredictedRow | None:
    """Return the row of `count` values that the code near the model predicts for.

    None if there is none, or if two of them have other names or another order. A single variable
    can hold the whole row.
    """
    if count is None or count < MIN_VALUES:
        return None
    found = [row for source in sources_near(answers) for row in _rows(source, count)]
    by_app = [row for row in found if row.source.path.suffix == ".py"]
    rows = by_app or found
    return rows[0] if rows and len({row.names for row in rows}) == 1 else None


def _rows(source: SourceFile, count: int) -> Iterator[PredictedRow]:
    assigned = _assigned(source.tree)
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in PREDICT:
            continue
        values = _values_of_row(node.args[0], assigned, count)
        names = [name for value in values if (name := _name(value)) is not None]
        if len(names) == count == len({*names}):
            computed = tuple(
                name
                for name, value in zip(names, values, strict=True)
                if isinstance(value, ast.Name) and any(map(_computes, assigned.get(value.id, ())))
            )
            yield PredictedRow(source, node.lineno, tuple(names), computed)


def _assigned(tree: ast.Module) -> dict[str, list[ast.expr]]:
    """Return what is assigned to each variable, in the order of the lines."""
    found: dict[str, list[ast.expr]] = {}
    nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.Assign, ast.AugAssign))]
    for node in sorted(nodes, key=lambda node: node.lineno):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Name):
                value = node.value if isinstance(node, ast.Assign) else _sum(target, node)
                found.setdefault(target.id, []).append(value)
    return found


def _sum(target: ast.Name, node: ast.AugAssign) -> ast.expr:
    return ast.BinOp(target, node.op, node.value)


def _values_of_row(
    node: ast.expr, assigned: Mapping[str, Sequence[ast.expr]], count: int
) -> Sequence[ast.expr]:
    """Return the values of the only row of an expression; none if it is something else."""
    for _ in range(MAX_STEPS):
        if isinstance(node, (ast.List, ast.Tuple)):
            if len(node.elts) == 1 and _is_row(node.elts[0], assigned):
                node = node.elts[0]
                continue
            return node.elts if len(node.elts) == count else ()
        inner = _inner(node, assigned)
        if inner is None:
            return ()
        node = inner
    return ()


def _is_row(node: ast.expr, assigned: Mapping[str, Sequence[ast.expr]]) -> bool:
    """Return whether the only element of a list is a list itself."""
    for _ in range(MAX_STEPS):
        if isinstance(node, (ast.List, ast.Tuple)):
            return True
        inner = _inner(node, assigned)
        if inner is None:
            return False
        node = inner
    return False


def _inner(node: ast.expr, assigned: Mapping[str, Sequence[ast.expr]]) -> ast.expr | None:
    """Return what has the same values in the same order, or None."""
    if isinstance(node, ast.Name):
        values = assigned.get(node.id, ())
        return values[-1] if values and not _refers_to(values[-1], node.id) else None
    if not isinstance(node, ast.Call):
        return None
    called = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
    if called in _OF_OWNER and isinstance(node.func, ast.Attribute):
        return node.func.value
    return node.args[0] if called in _OF_ARGUMENT and node.args else None


def _refers_to(node: ast.expr, name: str) -> bool:
    return any(isinstance(inner, ast.Name) and inner.id == name for inner in ast.walk(node))


def _name(node: ast.expr) -> str | None:
    """Return what the code calls a value: age, float(age), form["age"], form.age.data."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return _name(node.value) if node.attr in ("data", "value") else node.attr
    if isinstance(node, ast.Subscript):
        return _text(node.slice)
    if isinstance(node, ast.Call) and node.args:
        called = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
        if called in _CASTS:
            return _name(node.args[0])
        return _text(node.args[0]) if called == "get" else None
    return None


def _text(node: ast.expr) -> str | None:
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return node.value if is_text and node.value.strip() else None  # type: ignore[attr-defined]


def _computes(node: ast.expr) -> bool:
    """Return whether an expression calculates with its values: 2020 - year, np.log(income)."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.BinOp):
            return True
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
            owner = inner.func.value
            module = owner.id if isinstance(owner, ast.Name) else ""
            if module in ("np", "numpy", "math") and inner.func.attr not in _CASTS:
                return True
    return False
