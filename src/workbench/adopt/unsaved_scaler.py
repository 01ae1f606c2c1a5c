"""Notice that the author's code scales columns where no fitted scaler was saved."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from workbench.adopt.case import Case
from workbench.adopt.chain import Chain
from workbench.adopt.find_code import sources_near
from workbench.inspect import seen_values

SCALERS = frozenset(("MaxAbsScaler", "MinMaxScaler", "RobustScaler", "StandardScaler"))


def unsaved_scaler_notes(case: Case, chain: Chain) -> Iterator[str]:
    """Yield a note for a model that keeps no values which would show whether they were scaled."""
    if chain.prepares or chain.facts.takes_texts or len(case.model.steps) > 1:
        return
    scales = any(one.facts.scalings or not one.facts.one_to_one for one in chain.fitted)
    if scales or case.answers.left_out or seen_values(case.model_root).columns:
        return
    for source in sources_near(case.answers):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and (name := _called(node)) in SCALERS:
                yield (
                    f"{source.path.name} scales with a {name} (line {node.lineno}), and no fitted "
                    "scaler is applied. If the model was trained behind it, its answers are wrong: "
                    f"save the fitted scaler, and give it: {case.answers.names.transformers}=FILE"
                )
                return


def _called(node: ast.Call) -> str | None:
    return getattr(node.func, "attr", None) or getattr(node.func, "id", None)
