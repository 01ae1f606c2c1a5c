"""Notice that the author's app undoes a logarithm of the target: np.exp(model.predict(rows))."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from model_service.contract.contract import Contract
from workbench import files
from workbench.adopt.case import Case
from workbench.adopt.find_code import sources_near

INVERSES = ("exp", "expm1")  # as numpy, math and features.json call them


def undone_target_notes(case: Case, contract: Contract) -> Iterator[str]:
    """Yield a note if code near the model transforms a predicted number, and the contract none."""
    if case.model.task != "regression" or contract.output.transform is not None:
        return
    for source in sources_near(case.answers):
        for name, line in _inverses_of_predictions(source.tree):
            yield (
                f"{source.path.name} takes {name} of what a model predicts (line {line}: "
                f'{source.line(line)}). If that is this model, write "transform": "{name}" into '
                f'"output" of {files.FEATURES}, and run: make verify ACCEPT=answers'
            )
            return


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
