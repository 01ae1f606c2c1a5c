"""Which models predict a row sooner than it is handed to another thread and back.

By what they are made of and not by the clock: the same model is always served in the same way.
Behind a ColumnTransformer a linear model took 0.02 ms, 100 trees 0.1 to 0.2; what asks an
estimator's own methods takes 1 to 20, and is quicker for rows that wait together.
"""

from __future__ import annotations

from typing import Any

from service.plan import boosters, linear, preprocessing, text, trees
from service.plan.build import SEARCHES, name_of

# How many trees take no longer than to hand a row over; and how many XGBoost has unless it is told.
MOST_TREES, DEFAULT_TREES = 1000, 100
_HIST = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")
_QUICK = frozenset((*linear.PREDICTORS, *trees.PREDICTORS, *_HIST, *boosters.PREDICTORS)) - {
    # They answer predict and predict_proba one after the other.
    "CatBoostClassifier",
    "CatBoostRegressor",
}
_STEPS = frozenset((*preprocessing.STEPS, *text.STEPS))


def is_quick(estimator: Any) -> bool:
    """Tell whether a fitted model is."""
    name = name_of(estimator)
    if name in SEARCHES:
        return is_quick(estimator.best_estimator_)
    if name == "Pipeline":
        *before, (_, last) = estimator.steps
        return all(is_known(step) for _, step in before) and is_quick(last)
    return name in _QUICK and _trees(estimator) <= MOST_TREES


def is_known(step: Any) -> bool:
    """Tell whether a fitted step goes without its own method, but for odd parameters."""
    if step is None or isinstance(step, str) or hasattr(step, "fit_resample"):
        return True
    for members in ("steps", "transformers_", "transformer_list"):
        if (found := getattr(step, members, None)) is not None:
            return all(is_known(inner) for _, inner, *_ in found)
    return name_of(step) in _STEPS


def _trees(estimator: Any) -> int:
    """Return how many trees a row goes through, for each class; 0 for what has none."""
    rounds = "n_iter_" if name_of(estimator) in _HIST else "n_estimators"
    found: int | None = getattr(estimator, rounds, 0)
    return DEFAULT_TREES if found is None else found
