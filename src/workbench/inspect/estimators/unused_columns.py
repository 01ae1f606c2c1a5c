"""The columns that a model or a transformer was given in the training and never looks at."""

from __future__ import annotations

from workbench.inspect.estimators.composite import input_chain, steps_of
from workbench.inspect.estimators.encoders import transformed_columns
from workbench.inspect.estimators.input_features import input_features
from workbench.inspect.pickle.values import Instance

# They hand their input on to one estimator, and do nothing else with it.
WRAPPERS = (
    *("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV"),
    *("TransformedTargetRegressor", "FixedThresholdClassifier", "TunedThresholdClassifierCV"),
)


def unused_columns(root: object) -> tuple[str, ...]:
    """Return what a ColumnTransformer drops, alone or at the beginning of a Pipeline."""
    first = _column_transformer(root) if isinstance(root, Instance) else None
    if first is None:
        return ()
    dropped, used = set[str](), set[str]()
    for transformer, columns in transformed_columns(first):
        (dropped if transformer == "drop" else used).update(columns)
    names = input_features(first).names or ()
    return tuple(name for name in names if name in dropped - used)


def _column_transformer(root: Instance) -> Instance | None:
    """Return the ColumnTransformer that gets the input, if nothing else looks at it."""
    for node in input_chain(root):
        if node.cls.name == "ColumnTransformer":
            return node
        if node.cls.name not in WRAPPERS and not steps_of(node):
            return None
    return None
