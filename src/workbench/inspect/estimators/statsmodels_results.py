"""Describe fitted results of statsmodels, which hold column names and often the training data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.inspect.estimators.library_versions import pandas_format
from workbench.inspect.pickle.arrays import plain, values_of
from workbench.inspect.pickle.statsmodels_state import PACKAGE, PARTS
from workbench.inspect.pickle.values import Array, Global, Instance, walk

WRAPPERS = (
    Global("statsmodels.regression.linear_model", "RegressionResultsWrapper"),
    Global("statsmodels.discrete.discrete_model", "BinaryResultsWrapper"),
    Global("statsmodels.genmod.generalized_linear_model", "GLMResultsWrapper"),
)
CONSTANT = "const"  # as statsmodels.api.add_constant names it
DATA = ("exog", "orig_exog", "frame")


@dataclass(frozen=True)
class Columns:
    """The columns of a fitted result, without the constant that add_constant put in."""

    names: tuple[str, ...] | None
    count: int | None
    constant: int | None  # position of the constant column


def is_results(cls: Global) -> bool:
    """Return whether a class is a result that can predict."""
    return cls in WRAPPERS


def columns_of(results: Instance) -> Columns:
    """Return the columns that a prediction needs."""
    data = _data(results)
    constant = plain(data.attribute("const_idx")) if data is not None else None
    names = _names(data.attribute("orig_exog")) if data is not None else None
    params = _inner(results, "_results")
    array = params.attribute("params") if params is not None else None
    count = len(names) if names else _length(array)
    if type(constant) is not int or count is None or not 0 <= constant < count:
        constant = None
    if constant is not None and names is not None and names[constant] != CONSTANT:
        constant = None  # a constant column of the user's own
    if constant is not None and count is not None:
        names = (*names[:constant], *names[constant + 1 :]) if names is not None else None
        count -= 1
    return Columns(names, count, constant)


def holds_data(results: Instance) -> bool:
    """Return whether the file holds the training data."""
    data = _data(results)
    return data is not None and any(data.attribute(name) is not None for name in DATA)


def formats_of(names: set[Global]) -> Mapping[str, str]:
    """Return the pandas that a file with statsmodels needs; statsmodels records no version."""
    if not any(name.module.startswith(PACKAGE) for name in names):
        return {}
    return {"statsmodels": f"pandas {pandas_format(names).get('pandas', '2')}"}


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
