"""Results of statsmodels: a fitted model with the names of its columns, and often its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.inspect.errors import Refused, malformed
from workbench.inspect.pickle.arrays import plain, values_of
from workbench.inspect.pickle.values import Array, Dict, Global, Instance, walk

PACKAGE = "statsmodels."
WRAPPERS = (
    Global("statsmodels.regression.linear_model", "RegressionResultsWrapper"),
    Global("statsmodels.discrete.discrete_model", "BinaryResultsWrapper"),
    Global("statsmodels.genmod.generalized_linear_model", "GLMResultsWrapper"),
)
# Attributes that statsmodels evaluates as code, when it loads or when it predicts.
FORMULAS = ("formula", "design_info", "model_spec", "restore_design_info", "restore_model_spec")
PARTS = ("_results", "model", "data")
MOST_ATTRIBUTES = 1000
CONSTANT = "const"  # as statsmodels.api.add_constant names it
# pandas 1 and 3 name some of their classes as no other major does.
ONLY_PANDAS_1, ONLY_PANDAS_3 = "pandas.core.indexes.numeric", "pandas"
DATA = ("exog", "orig_exog", "frame")


@dataclass(frozen=True)
class Columns:
    """What a result says of its columns; `constant` is the place of the one that nobody types."""

    names: tuple[str, ...] | None
    count: int | None
    constant: int | None


def is_results(cls: Global) -> bool:
    """Say whether a class is that of a result which can predict."""
    return cls in WRAPPERS


def check_state(cls: Global, state: object) -> None:
    """Refuse a state with which statsmodels would evaluate a text as code."""
    if not cls.module.startswith(PACKAGE):
        return
    if not isinstance(state, Dict) or len(state) > 2 * MOST_ATTRIBUTES:
        raise malformed(f"the state of a {cls.name} is no dict of attributes")
    for key, value in state.pairs():
        if type(key) is not str:
            raise malformed(f"the state of a {cls.name} is no dict of attributes")
        if key in FORMULAS:
            raise Refused(
                "unsupported",
                "The statsmodels model in the file was fitted with a formula, which statsmodels "
                "evaluates as code when it loads the file.",
                "Fit it on the columns themselves, as in sm.OLS(y, sm.add_constant(X)).fit(), and "
                "save that.",
            )
        strange = isinstance(value, Instance) and not value.cls.module.startswith(PACKAGE)
        if key in PARTS and strange:
            raise malformed(f"a {cls.name} has a {key} that is none of statsmodels")


def columns_of(results: Instance) -> Columns:
    """Return the columns that people give to a result."""
    data = _data(results)
    constant = plain(data.attribute("const_idx")) if data is not None else None
    names = _names(data.attribute("orig_exog")) if data is not None else None
    params = _inner(results, "_results")
    array = params.attribute("params") if params is not None else None
    count = len(names) if names else _length(array)
    if type(constant) is not int or count is None or not 0 <= constant < count:
        constant = None
    if constant is not None and names is not None and names[constant] != CONSTANT:
        constant = None  # a column of the user's that happens to be constant
    if constant is not None and count is not None:
        names = (*names[:constant], *names[constant + 1 :]) if names is not None else None
        count -= 1
    return Columns(names, count, constant)


def holds_data(results: Instance) -> bool:
    """Say whether the data that the model was fitted on lies in the file."""
    data = _data(results)
    return data is not None and any(data.attribute(name) is not None for name in DATA)


def formats_of(names: set[Global]) -> Mapping[str, str]:
    """Return the pandas that a file needs, where it refers to statsmodels, which has no version."""
    modules = {name.module for name in names}
    if not any(module.startswith(PACKAGE) for module in modules):
        return {}
    if ONLY_PANDAS_1 in modules:
        return {"statsmodels": "pandas 1"}
    return {"statsmodels": "pandas 3" if ONLY_PANDAS_3 in modules else "pandas 2"}


def _data(results: Instance) -> Instance | None:
    found: Instance | None = results
    for name in PARTS:
        found = _inner(found, name) if found is not None else None
    return found


def _inner(node: Instance, name: str) -> Instance | None:
    value = node.attribute(name)
    return value if isinstance(value, Instance) else None


def _length(value: object) -> int | None:
    return value.shape[0] if isinstance(value, Array) and len(value.shape) == 1 else None


def _names(frame: object) -> tuple[str, ...] | None:
    """Return the columns of a pickled data frame: the first axis of its block manager."""
    manager = _inner(frame, "_mgr") if isinstance(frame, Instance) else None
    axes = manager.args[1] if manager is not None and len(manager.args) == 2 else None
    for part in walk(axes[0]) if isinstance(axes, list) and axes else ():
        values = values_of(part)
        if values and all(isinstance(value, str) for value in values):
            return tuple(str(value) for value in values)
    return None
