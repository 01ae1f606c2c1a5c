"""The columns that a model or a transformer was given in the training and never looks at."""

from __future__ import annotations

from workbench.inspect.estimators.composite import part_of, steps_of
from workbench.inspect.estimators.encoders import transformed_columns
from workbench.inspect.estimators.input_features import input_features
from workbench.inspect.estimators.sklearn_classes import rules_of
from workbench.inspect.pickle.values import Instance

# They hand their input on to one estimator, and do nothing else with it.
WRAPPERS = (
    *("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV"),
    *("TransformedTargetRegressor", "FixedThresholdClassifier", "TunedThresholdClassifierCV"),
)


def unused_columns(root: object) -> tuple[str, ...]:
    """Return what a ColumnTransformer drops, alone or at the beginning of a Pipeline."""
    first = _first_step(root)
    if first is None or first.cls.name != "ColumnTransformer":
        return ()
    dropped, used = set[str](), set[str]()
    for transformer, columns in transformed_columns(first):
        (dropped if transformer == "drop" else used).update(columns)
    names = input_features(first).names or ()
    return tuple(name for name in names if name in dropped - used)


def _first_step(root: object) -> Instance | None:
    """Return the first step of a Pipeline, through wrappers; anything else as it is."""
    node = root if isinstance(root, Instance) else None
    while node is not None and node.cls.name in WRAPPERS:
        node = part_of(node, *rules_of(node.cls.name).wraps)
    steps = [step for _, step in steps_of(node)] if node is not None else []
    return next((step for step in steps if isinstance(step, Instance)), None) if steps else node
