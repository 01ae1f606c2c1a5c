"""The columns of which a model takes numbers only, as the ColumnTransformer in it says."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.inspect.estimators.composite import final_estimator, input_chain, steps_of
from workbench.inspect.estimators.encoders import transformed_columns
from workbench.inspect.estimators.sklearn_classes import rules_of
from workbench.inspect.pickle.values import Global, Instance

OF_NUMBERS = ("mean", "median")  # strategies of a SimpleImputer
# Functions of NumPy that raise an error for a text.
ARITHMETIC = frozenset(
    ("absolute", "cbrt", "exp", "expm1", "log", "log10", "log1p", "log2", "sqrt", "square")
)


def numeric_columns(root: object) -> frozenset[str]:
    """Return the columns that are scaled, imputed by a mean, or handed on to an estimator."""
    return frozenset(_columns(root)) if isinstance(root, Instance) else frozenset()


def _columns(root: Instance) -> Iterator[str]:
    final = final_estimator(root)
    # Every estimator of scikit-learn makes floats of what it gets; other libraries have categories.
    is_numeric = final is not root and final.cls.module.startswith("sklearn.")
    for part in input_chain(root):
        for transformer, columns in transformed_columns(part):
            if _takes_numbers(transformer, handed_on=is_numeric):
                yield from columns


def _takes_numbers(transformer: object, *, handed_on: bool) -> bool:
    """Return whether a text would be an error; `handed_on` if it would be one behind it."""
    steps = steps_of(transformer) if isinstance(transformer, Instance) else []
    for step in [step for _, step in steps] or [transformer]:
        if step == "passthrough":
            continue
        if not isinstance(step, Instance):
            return False
        if step.cls.name == "FunctionTransformer":
            function = step.attribute("func")
            if function is None:
                continue
            # Any other function can make numbers of texts.
            return _is_arithmetic(function)
        rules = rules_of(step.cls.name)
        if rules.one_to_one or step.attribute("strategy") in OF_NUMBERS:
            return True
        if not rules.keeps_categories:
            return False
    return handed_on


def _is_arithmetic(function: object) -> bool:
    if not isinstance(function, Global):
        return False
    return function.module.split(".")[0] == "numpy" and function.name in ARITHMETIC
