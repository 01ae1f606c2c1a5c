"""Which models predict a row sooner than it is handed to another thread and back.

By what they are made of and not by the clock: the same model is always served in the same way.
Behind a ColumnTransformer a linear model took 0.02 ms, 100 trees 0.1 to 0.2; what asks an
estimator's own methods takes 1 to 20, and is quicker for rows that wait together.
"""

from __future__ import annotations

from typing import Any

from model_service.fast_path.compile import (
    SEARCHES,
    UNEXPECTED,
    Chain,
    OwnMethods,
    is_at_work,
    name_of,
)
from model_service.fast_path.data import Predict
from model_service.fast_path.steps import booster_classes, linear, preprocessing, text, trees

# How many trees take no longer than to hand a row over; and how many XGBoost has unless it is told.
MOST_TREES, DEFAULT_TREES = 500, 100
_HIST = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")
# They have a tree of each round for each class.
_BOOSTING = frozenset(
    (*_HIST, "GradientBoostingClassifier", "GradientBoostingRegressor", *booster_classes.PREDICTORS)
)
_QUICK = frozenset((*linear.PREDICTORS, *trees.PREDICTORS, *_BOOSTING)) - {
    # They answer predict and predict_proba one after the other.
    "CatBoostClassifier",
    "CatBoostRegressor",
}
# Where the author's functions may stand in a vectorizer.
_OF_TEXTS = ("analyzer", "preprocessor", "tokenizer")
_STEPS = {**preprocessing.STEPS, **text.STEPS}


def is_quick(estimator: Any, predict: Predict) -> bool:
    """Tell whether a fitted model is, for which `predict` was made."""
    name = name_of(estimator)
    if name in SEARCHES:
        return is_quick(estimator.best_estimator_, predict)
    if isinstance(predict, Chain):
        *before, (_, last) = estimator.steps
        return all(is_known(step) for _, step in before) and is_quick(last, predict.last)
    known = name in _QUICK and not isinstance(predict, OwnMethods)
    return known and trees_of(estimator) <= MOST_TREES


def is_known(step: Any) -> bool:
    """Tell whether a fitted step goes without its own method and the author's functions."""
    if not is_at_work(step):
        return True
    for members in ("steps", "transformers_", "transformer_list"):
        if (found := getattr(step, members, None)) is not None:
            return all(is_known(inner) for _, inner, *_ in found)
    if any(callable(getattr(step, name, None)) for name in _OF_TEXTS):
        return False
    try:
        _STEPS[name_of(step)](step)
    except UNEXPECTED:
        return False
    return True


def trees_of(estimator: Any) -> int:
    """Return how many trees a row goes through; 0 for what has none."""
    name = name_of(estimator)
    found: int | None = getattr(estimator, "n_iter_" if name in _HIST else "n_estimators", 0)
    rounds = (DEFAULT_TREES if found is None else found) * (
        getattr(estimator, "num_parallel_tree", None) or 1
    )
    classes = len(getattr(estimator, "classes_", ()))
    return rounds * classes if name in _BOOSTING and classes > 2 else rounds
