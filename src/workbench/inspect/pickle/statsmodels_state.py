"""Refuse pickled states of statsmodels that it would evaluate as code."""

from __future__ import annotations

from workbench.inspect.pickle.values import Dict, Global, Instance
from workbench.inspect.refused_file import RefusedFile, malformed

PACKAGE = "statsmodels."
# Attributes that statsmodels evaluates as code, when it loads or when it predicts.
FORMULAS = ("formula", "design_info", "model_spec", "restore_design_info", "restore_model_spec")
PARTS = ("_results", "model", "data")  # results hold the model, which holds the data
MAX_ATTRIBUTES = 1000


def check_statsmodels_state(cls: Global, state: object) -> None:
    """Check the state of an object if its class is one of statsmodels."""
    if not cls.module.startswith(PACKAGE):
        return
    if not isinstance(state, Dict) or len(state) > 2 * MAX_ATTRIBUTES:
        raise malformed(f"the state of a {cls.name} is no dict of attributes")
    for name, value in state.pairs():
        if type(name) is not str:
            raise malformed(f"the state of a {cls.name} is no dict of attributes")
        if name in FORMULAS:
            raise RefusedFile(
                "unsupported",
                "The statsmodels model in the file was fitted with a formula, which statsmodels "
                "evaluates as code when it loads the file.",
                "Fit it on the columns themselves, as in sm.OLS(y, sm.add_constant(X)).fit(), and "
                "save that.",
            )
        foreign = isinstance(value, Instance) and not value.cls.module.startswith(PACKAGE)
        if name in PARTS and foreign:
            raise malformed(f"a {cls.name} has a {name} that is none of statsmodels")
