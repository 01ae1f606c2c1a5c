"""Tell models from transformers by the class of a fitted object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from workbench.inspect.estimators import statsmodels_results
from workbench.inspect.estimators.composite import final_estimator
from workbench.inspect.estimators.user_classes import describe_class
from workbench.inspect.formats import pickled_boosters
from workbench.inspect.pickle.names import known_names
from workbench.inspect.pickle.values import Instance, PickledClass

Kind = Literal["model", "transformer", "unknown"]
# Kind of a known estimator class -> the task of its model.
TASKS: Mapping[str, str] = {
    "classifier": "classification",
    "regressor": "regression",
    "clusterer": "clustering",
    "outlier": "outlier",
}


def kind_of(value: object) -> Kind | None:
    """Return what an object is for, or None if it is no estimator.

    "unknown" is an object of a class of the user's own.
    """
    if not isinstance(value, Instance):
        return None
    final = final_estimator(value)
    if pickled_boosters.library_of(final.cls) or statsmodels_results.is_results(final.cls):
        return "model"
    known = describe_class(final.cls)
    if known is None or (isinstance(final.cls, PickledClass) and known.kind == "other"):
        is_data = final.attributes() is None or known_names().is_library(final.cls)
        return None if is_data else "unknown"
    if known.kind in TASKS:
        return "model"
    return "transformer" if known.kind == "transformer" else None
