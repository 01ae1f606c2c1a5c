"""Notice what the author's app makes of a predicted number.

It undoes a logarithm of the target, np.exp(model.predict(rows)), or shows it in another unit,
model.predict(rows)[0] * 1e5.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from model_service.contract.contract import Contract
from workbench import files
from workbench.adopt.case import Case

INVERSES = ("exp", "expm1")  # as numpy, math and features.json call them


def undone_target_notes(case: Case, contract: Contract) -> Iterator[str]:
    """Yield a note if code near the model transforms a predicted number, and the contract none."""
    if case.model.task != "regression" or contract.output.transform is not None:
        return
    for source in case.sources:
        for name, line in _inverses_of_predictions(source.tree):
            yield (
                f"{source.path.name} takes {name} of what a model predicts (line {line}: "
                f'{source.line(line)}). If that is this model, write "transform": "{name}" into '
                f'"output" of {files.FEATURES}, and run: make verify ACCEPT=answers'
            )
            return
    for source in case.sources:
        for factor, line in _factors_of_predictions(source.tree):
            yield (
                f"{source.path.name} multiplies what a model predicts by {factor:g} (line {line}: "
                f"{source.line(line)}). If that is this model, and callers want that unit, write "
                f'"transform": {{"multiply": {factor:g}, "add": 0}} into "output" of '
                f"{files.FEATURES}, and run: make verify ACCEPT=answers"
            )
            return


def _factors_of_predictions(tree: ast.Module) -> Iterator[tuple[float, int]]:
    """Yield by how much a prediction is multiplied, with the line."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
            continue
        for number, other in ((node.left, node.right), (node.right, node.left)):
            value = number.value if isinstance(number, ast.Constant) else None
            is_unit = type(value) in (int, float) and value not in (0, 1)
            if is_unit and _is_prediction(other):
                yield float(value), node.lineno  # type: ignore[arg-type]


def _is_prediction(node: ast.expr) -> bool:
    """Return whether an expression is model.predict(rows), or an item of it."""
    while isinstance(node, ast.Subscript):
        node = node.value
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    return is_call and node.func.attr == "predict"  # type: ignore[attr-defined]


def _inverses_of_predictions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield the name and the line of each inverse whose argument is a prediction."""
    predicted = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _predicts(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or len(node.args) != 1:
            continue
        name = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
        names = {inner.id for inner in ast.walk(node.args[0]) if isinstance(inner, ast.Name)}
        if name in INVERSES and (_predicts(node.args[0]) or names & predicted):
            yield name, node.lineno


def _predicts(node: ast.expr) -> bool:
    calls = [inner.func for inner in ast.walk(node) if isinstance(inner, ast.Call)]
    return any(isinstance(called, ast.Attribute) and called.attr == "predict" for called in calls)
