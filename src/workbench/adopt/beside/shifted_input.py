"""Notice arithmetic on the values that the author's code hands to a transformer or the model.

An app adds 1e-6 before a Box-Cox transformation, because that takes no zeros: no file says so.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from workbench.adopt.case import Case

TAKERS = frozenset(("predict", "predict_proba", "transform"))


def shifted_input_notes(case: Case) -> Iterator[str]:
    """Yield a note for the first such line, unless the owner gives code of their own."""
    if case.answers.model_code:
        return
    for source in case.sources:
        for line in _shifted_lines(source.tree):
            yield (
                f"{source.path.name} changes values before it hands them on (line {line}: "
                f"{source.line(line)}), and this service does not. If that is this model, do so in "
                f"prepare(frame) of your own, and give {case.answers.names.model_code}=FILE"
            )
            return


def _shifted_lines(tree: ast.Module) -> Iterator[int]:
    """Yield the lines of calls such as scaler.transform(rows + 1e-6)."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and getattr(node.func, "attr", None) in TAKERS
            and any(_is_arithmetic(argument) for argument in node.args)
        ):
            yield node.lineno


def _is_arithmetic(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and any(
        isinstance(side, ast.Constant) and isinstance(side.value, (int, float))
        for side in (node.left, node.right)
    )
