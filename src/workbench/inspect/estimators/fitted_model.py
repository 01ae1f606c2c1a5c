"""Describe the fitted model in a file from its pickled state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.inspect.estimators import raw_booster, statsmodels_results
from workbench.inspect.estimators.category_columns import category_columns
from workbench.inspect.estimators.composite import pipeline_in, prediction_chain, steps_of
from workbench.inspect.estimators.estimator_kind import TASKS
from workbench.inspect.estimators.input_features import input_features, takes_texts
from workbench.inspect.estimators.predicted_output import (
    classes_and_outputs,
    has_probabilities,
    target_count,
    task_and_labels,
)
from workbench.inspect.estimators.unusable import not_a_model, require_fitted, require_prediction
from workbench.inspect.estimators.user_classes import NO_CLASSES, UserClasses, describe_class
from workbench.inspect.facts import Categories, ClassLabel, Step
from workbench.inspect.formats import pickled_boosters
from workbench.inspect.pickle.names import Estimator, known_names
from workbench.inspect.pickle.values import Instance


@dataclass(frozen=True)
class FittedModel:
    """What the pickled state says about a model; the fields are those of ModelFacts."""

    class_name: str
    steps: tuple[Step, ...]
    estimator: str
    task: str | None
    classes: tuple[ClassLabel, ...] | None
    binary: tuple[ClassLabel, ...] | None
    n_outputs: int
    has_probabilities: bool
    feature_names: tuple[str, ...] | None
    n_features: int | None
    takes_texts: bool
    fitted_on_frame: bool
    categories: Mapping[int, Categories]
    notices: tuple[str, ...]
    constant: int | None = None


def describe_model(root: object, user_classes: UserClasses = NO_CLASSES) -> FittedModel:
    """Describe the model that a file holds. Raises RefusedFile, with what the file holds instead.

    `user_classes` are the classes in the user's own code.
    """
    if not isinstance(root, Instance):
        raise not_a_model(root)
    if raw_booster.is_raw(root.cls):
        return _raw_booster(root)
    if statsmodels_results.is_results(root.cls):
        return _statsmodels(root)
    chain = list(prediction_chain(root))
    final = chain[-1]
    known = describe_class(final.cls, user_classes)
    if pickled_boosters.library_of(final.cls) and (known is None or known.kind not in TASKS):
        raise pickled_boosters.unsupported_object(final.cls)
    if known is None and known_names().is_library(final.cls):
        raise not_a_model(root)
    if known is not None:
        require_prediction(final, known)
    if final.cls in known_names().estimators:
        require_fitted(final)
    task, labels = task_and_labels(chain, known)
    classes, n_outputs = classes_and_outputs(labels)
    booster = pickled_boosters.facts_of(final)
    if booster is not None and task == "classification" and booster.n_outputs > 1:
        classes, n_outputs = None, booster.n_outputs
    if task == "regression":
        n_outputs = booster.n_outputs if booster else target_count(final)
    features = input_features(root)
    return FittedModel(
        class_name=root.cls.qualified,
        steps=tuple(
            Step(name, step.cls.qualified if isinstance(step, Instance) else "passthrough")
            for name, step in steps_of(pipeline_in(root))
        ),
        estimator=final.cls.name,
        task=task,
        classes=classes,
        binary=None,
        n_outputs=n_outputs,
        has_probabilities=has_probabilities(final, user_classes),
        feature_names=features.names,
        n_features=features.count,
        takes_texts=takes_texts(root),
        fitted_on_frame=features.on_frame,
        categories=category_columns(root, features),
        notices=_notices(final, known, task, classes, n_outputs),
    )


def _raw_booster(root: Instance) -> FittedModel:
    """Describe a booster without its scikit-learn class."""
    output = raw_booster.output_of(root)
    features = input_features(root)
    return FittedModel(
        class_name=root.cls.qualified,
        steps=(),
        estimator=root.cls.name,
        task=output.task,
        classes=output.classes,
        binary=output.binary,
        n_outputs=output.n_outputs,
        has_probabilities=output.classes is not None,
        feature_names=features.names,
        n_features=features.count,
        takes_texts=False,
        categories=category_columns(root, features),
        fitted_on_frame=features.on_frame,
        notices=output.notices,
    )


def _statsmodels(root: Instance) -> FittedModel:
    """Describe a result of statsmodels, which predicts a number: with Logit the probability."""
    columns = statsmodels_results.columns_of(root)
    notices: tuple[str, ...] = ()
    if statsmodels_results.holds_data(root):
        notices = (
            "The file holds the data that the model was fitted on; call remove_data() on the "
            "results before save() if that should not go into the repository.",
        )
    return FittedModel(
        class_name=root.cls.qualified,
        steps=(),
        estimator=root.cls.name,
        task="regression",
        classes=None,
        binary=None,
        n_outputs=1,
        has_probabilities=False,
        feature_names=columns.names,
        n_features=columns.count,
        takes_texts=False,
        fitted_on_frame=columns.names is not None,
        categories={},
        notices=notices,
        constant=columns.constant,
    )


def _notices(
    final: Instance,
    known: Estimator | None,
    task: str | None,
    classes: tuple[ClassLabel, ...] | None,
    n_outputs: int,
) -> tuple[str, ...]:
    notices = []
    library = pickled_boosters.library_of(final.cls)
    if library and pickled_boosters.facts_of(final) is None:
        notices.append(f"The {library} model in the file is too large to read its features from.")
    if known is None:
        notices.append(f"{final.cls.qualified} is unknown, so little can be told of it unloaded.")
    if task == "classification" and classes is None and n_outputs == 1:
        notices.append("The classes could not be read from the file.")
    return tuple(notices)
