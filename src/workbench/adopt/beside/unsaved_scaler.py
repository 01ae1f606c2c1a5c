"""Notice that the author's code scales columns where no fitted scaler was saved."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from workbench.adopt.case import Case
from workbench.adopt.chain import Chain
from workbench.inspect import seen_values

MAX_SCALED = 12.0  # standard deviations of an outlier
SCALERS = frozenset(("MaxAbsScaler", "MinMaxScaler", "RobustScaler", "StandardScaler"))


def unsaved_scaler_notes(case: Case, chain: Chain) -> Iterator[str]:
    """Yield a note for a model whose values do not show whether they were scaled, or show it.

    If there is a sample, that is compared with the values instead.
    """
    if chain.prepares or chain.facts.takes_texts or len(case.model.steps) > 1:
        return
    scales = any(one.facts.scalings or not one.facts.one_to_one for one in chain.fitted)
    if scales or case.answers.left_out:
        return
    seen = seen_values(case.model_root).columns
    if seen and (case.sample is not None or not _look_scaled(seen)):
        return
    for source in case.sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and (name := _called(node)) in SCALERS:
                yield (
                    f"{source.path.name} scales with a {name} (line {node.lineno}), and no fitted "
                    "scaler is applied. If the model was trained behind it, its answers are wrong: "
                    f"save the fitted scaler, and give it: {case.answers.names.transformers}=FILE"
                )
                return


def _look_scaled(seen: Mapping[int, Sequence[float]]) -> bool:
    """Return whether most columns have negative values, and all are as near 0 as scaled ones."""
    negative = sum(min(values) < 0 for values in seen.values() if values)
    largest = max((abs(value) for values in seen.values() for value in values), default=0.0)
    return negative * 2 > len(seen) and largest <= MAX_SCALED


def _called(node: ast.Call) -> str | None:
    return getattr(node.func, "attr", None) or getattr(node.func, "id", None)
