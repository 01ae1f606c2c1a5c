"""Find the names of a nameless model's features in the author's code, which is never executed.

An app has `model.predict([[age, income]])`, or a frame with `columns=["age", "income"]`; a training
has `model.fit(frame[FEATURES].values, y)`. Code that names them in two ways says nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from workbench.adopt.code.source_files import SourceFile

MAX_DEPTH = 6  # assignments between a list and the call that gets it
MIN_NAMES = 2  # a list of one text can be anything
# A variable that says nothing: a = request.form["age"], val1 = float(request.form["age"])
_SAYS_NOTHING = re.compile(r"\w{1,2}|(arg|data|f|feature|in|input|int|num|v|val|value|var|x)_?\d+")
_PREDICTS = ("predict", "predict_proba")
CALCULATES = ("exp", "log", "log10", "log1p", "log2", "power", "sqrt", "square")
_FITS = ("fit", "fit_predict")
_LIST = re.compile(r"feat|col|input|variables", re.IGNORECASE)
_OTHER_LIST = re.compile(
    r"best|class|drop|import|label|output|rank|remove|sort|target|top", re.IGNORECASE
)
_TRANSFORMS = ("transform", "fit_transform")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# What the names are, the surest first: texts that select columns, keys of a frame's dict, a list
# that is called so, and variables.
_SELECTED, _KEYS, _LISTED, _VARIABLES = range(4)
Assigned = Mapping[str, Sequence[ast.expr]]


@dataclass(frozen=True)
class WrittenNames:
    """The names in the order in which the code gives the columns to the model."""

    names: tuple[str, ...]
    where: str  # app.py (line 12)
    reaches_model: bool  # what fits or predicts gets them; else a list is only called so
    is_transformed: bool  # a scaler or the like changes the columns before the model gets them
    computed: tuple[str, ...] = ()  # of them: age = 2026 - age, which callers would have to repeat


def names_in_code(count: int | None, sources: Iterable[SourceFile]) -> WrittenNames | None:
    """Return as many names as the model takes columns, if the code has them in one order only."""
    if count is None or count < MIN_NAMES:
        return None
    found: dict[int, dict[tuple[str, ...], str]] = {}
    is_transformed = False
    calculated: set[str] = set()
    for source in sources:
        calculated |= _calculated(source.tree)
        for one in _named(source.tree):
            if len(one.names) == len(set(one.names)) == count:
                where = f"{source.path.name} (line {one.line})"
                found.setdefault(one.rank, {}).setdefault(one.names, where)
                is_transformed = is_transformed or one.is_transformed
    if not found:
        return None
    rank = min(found)
    if len(found[rank]) > 1:
        return None
    ((names, where),) = found[rank].items()
    computed = tuple(name for name in names if rank == _VARIABLES and name in calculated)
    return WrittenNames(names, where, rank != _LISTED, is_transformed, computed)


@dataclass(frozen=True)
class _Named:
    """A list of names, of any length."""

    rank: int
    names: tuple[str, ...]
    line: int
    is_transformed: bool = False


def _named(tree: ast.Module) -> Iterator[_Named]:
    """Yield the lists of names in a source."""
    own = _assigned(_outside_functions(tree))
    yield from _lists(own)
    scopes: list[tuple[Iterable[ast.AST], Assigned]] = [(_outside_functions(tree), own)]
    for function in ast.walk(tree):
        if isinstance(function, _FUNCTIONS):
            inner = _assigned(ast.walk(function))
            yield from _lists(inner)
            scopes.append((ast.walk(function), {**own, **inner}))
    for nodes, assigned in scopes:
        for node in nodes:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                predicts = node.func.attr in _PREDICTS
                if predicts or node.func.attr in _FITS:
                    yield from _given(node.args[0], assigned, predicts=predicts)


def _outside_functions(tree: ast.Module) -> list[ast.AST]:
    found: list[ast.AST] = []
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting += [n for n in ast.iter_child_nodes(node) if not isinstance(n, _FUNCTIONS)]
    return found


def _assigned(nodes: Iterable[ast.AST]) -> dict[str, list[ast.expr]]:
    """Return the values of each variable; a tuple of variables gets one value."""
    values: dict[str, list[ast.expr]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign):
            for name in [inner for target in node.targets for inner in ast.walk(target)]:
                if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                    values.setdefault(name.id, []).append(node.value)
    return values


def _calculated(tree: ast.Module) -> set[str]:
    """Return the variables that arithmetic makes of others or of themselves."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
        elif isinstance(node, ast.Assign) and _calculates(node.value):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def _calculates(node: ast.expr) -> bool:
    """Return whether an expression is 2026 - year, np.log(income), float(height) / 100."""
    if isinstance(node, ast.BinOp):
        return not isinstance(node.op, ast.Mod) or not isinstance(node.left, ast.Constant)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return isinstance(node, ast.Call) and any(map(_calculates, node.args))
    owner = node.func.value
    is_numpy = isinstance(owner, ast.Name) and owner.id in ("math", "np", "numpy")
    return is_numpy and node.func.attr in CALCULATES


def _lists(assigned: Assigned) -> Iterator[_Named]:
    """Yield the lists of texts whose variable is called like a list of features."""
    for name, values in assigned.items():
        if _LIST.search(name) and not _OTHER_LIST.search(name):
            for value in values:
                if names := _texts(value, {}):
                    yield _Named(_LISTED, names, value.lineno)


def _given(argument: ast.expr, assigned: Assigned, *, predicts: bool) -> Iterator[_Named]:
    """Yield the names in what a model fits or predicts with."""
    reached = list(_reached(argument, assigned))
    is_transformed = any(isinstance(n, ast.Call) and _called(n) in _TRANSFORMS for n in reached)
    for node in reached:
        for rank, names, line in _names_of(node, assigned, predicts=predicts):
            yield _Named(rank, names, line, is_transformed)


def _names_of(
    node: ast.AST, assigned: Assigned, *, predicts: bool
) -> Iterator[tuple[int, tuple[str, ...], int]]:
    """Yield the names that a part of such an expression has, with their rank and line."""
    if isinstance(node, ast.Subscript) and (names := _texts(node.slice, assigned)):
        yield _SELECTED, names, node.lineno
    elif isinstance(node, ast.Call) and _called(node) == "DataFrame":
        for keyword in node.keywords:
            if keyword.arg == "columns" and (names := _texts(keyword.value, assigned)):
                yield _SELECTED, names, node.lineno
        for argument_node in node.args[:1]:
            for inner in _reached(argument_node, assigned):
                if isinstance(inner, ast.Dict) and (names := _keys(inner)):
                    yield _KEYS, names, inner.lineno
    elif predicts and isinstance(node, ast.List | ast.Tuple):
        labels = [_label(element, assigned) for element in node.elts]
        if all(labels):
            yield _VARIABLES, tuple(filter(None, labels)), node.lineno


def _reached(node: ast.AST, assigned: Assigned) -> Iterator[ast.AST]:
    """Yield the nodes of an expression and of what its variables hold."""
    seen: set[str] = set()
    waiting: list[tuple[ast.AST, int]] = [(node, 0)]
    while waiting:
        root, depth = waiting.pop()
        for inner in ast.walk(root):
            yield inner
            if isinstance(inner, ast.Name) and inner.id not in seen and depth < MAX_DEPTH:
                seen.add(inner.id)
                waiting += [(value, depth + 1) for value in assigned.get(inner.id, ())]


def _texts(node: ast.AST, assigned: Assigned) -> tuple[str, ...]:
    """Return the texts of a list of texts, or of the only list that a variable holds; else none."""
    if isinstance(node, ast.Name):
        values = assigned.get(node.id, ())
        return _texts(values[0], {}) if len(values) == 1 else ()
    if not isinstance(node, ast.List | ast.Tuple):
        return ()
    texts = [element.value for element in node.elts if isinstance(element, ast.Constant)]
    names = tuple(text for text in texts if isinstance(text, str))
    return names if len(names) == len(node.elts) else ()


def _keys(node: ast.Dict) -> tuple[str, ...]:
    keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
    names = tuple(key for key in keys if isinstance(key, str))
    return names if len(names) == len(node.keys) else ()


def _label(node: ast.expr, assigned: Assigned) -> str | None:
    """Return the name of a value: `age`, `float(age)`, `form["age"]`, `form.get("age")`."""
    if isinstance(node, ast.Name):
        if not _SAYS_NOTHING.fullmatch(node.id):
            return node.id
        fields = {_label_of_field(value) for value in assigned.get(node.id, ())} - {None}
        return fields.pop() if len(fields) == 1 else node.id
    if isinstance(node, ast.Call) and len(node.args) == 1 and isinstance(node.func, ast.Name):
        return _label(node.args[0], assigned)
    return _label_of_field(node)


def _label_of_field(node: ast.expr) -> str | None:
    """Return the key of `form["age"]`, `form.get("age")` and the name of `data.age`."""
    if isinstance(node, ast.Call) and len(node.args) == 1 and isinstance(node.func, ast.Name):
        return _label_of_field(node.args[0])
    key: ast.expr | None = None
    if isinstance(node, ast.Subscript):
        key = node.slice
    elif isinstance(node, ast.Call) and _called(node) == "get" and node.args:
        key = node.args[0]
    elif isinstance(node, ast.Attribute):
        return node.attr
    is_text = isinstance(key, ast.Constant) and isinstance(key.value, str)
    return key.value if is_text else None  # type: ignore[union-attr]


def _called(node: ast.Call) -> str | None:
    return getattr(node.func, "attr", None) or getattr(node.func, "id", None)
