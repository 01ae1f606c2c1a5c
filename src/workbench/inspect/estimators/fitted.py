"""Read a fitted scikit-learn estimator from its pickled state."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from workbench.inspect.errors import Refused
from workbench.inspect.estimators import statsmodels_results
from workbench.inspect.estimators.own_classes import Outlines, describe
from workbench.inspect.facts import Categories, ClassLabel, Step
from workbench.inspect.formats import pickled_boosters, raw_boosters
from workbench.inspect.pickle.arrays import plain, values_of
from workbench.inspect.pickle.names import Estimator, known_names
from workbench.inspect.pickle.values import Array, Instance, OwnClass
from workbench.inspect.refusals import refuse_contents

Kind = Literal["model", "transformer", "unknown"]
DEEPEST_WRAPPING = 20
MOST_CLASSES = 100_000
BOOSTED_CLASSIFIERS = ("CatBoostClassifier", "LGBMClassifier", "XGBClassifier", "XGBRFClassifier")
TASKS: Mapping[str, str] = {
    "classifier": "classification",
    "regressor": "regression",
    "clusterer": "clustering",
    "outlier": "outlier",
}
# The attributes that lead to the fitted estimator which a wrapper asks when it predicts.
INNER: Mapping[str, tuple[str, ...]] = {
    "GridSearchCV": ("best_estimator_",),
    "RandomizedSearchCV": ("best_estimator_",),
    "HalvingGridSearchCV": ("best_estimator_",),
    "HalvingRandomSearchCV": ("best_estimator_",),
    "TransformedTargetRegressor": ("regressor_",),
    "FrozenEstimator": ("estimator",),
    "FixedThresholdClassifier": ("estimator_", "estimator"),
    "TunedThresholdClassifierCV": ("estimator_",),
    "SelfTrainingClassifier": ("estimator_", "base_estimator_"),
    "RANSACRegressor": ("estimator_",),
    "RFE": ("estimator_",),
    "RFECV": ("estimator_",),
    "_CalibratedClassifier": ("estimator", "base_estimator"),
}
# The attributes that lead to a part which was fitted on the same features.
FIRST: Mapping[str, str] = {
    "CalibratedClassifierCV": "calibrated_classifiers_",
    "FeatureUnion": "transformer_list",
    "MultiOutputClassifier": "estimators_",
    "MultiOutputRegressor": "estimators_",
    "SelectFromModel": "estimator_",
    "StackingClassifier": "estimators_",
    "StackingRegressor": "estimators_",
    "VotingClassifier": "estimators_",
    "VotingRegressor": "estimators_",
}
# The encoders of those that do not keep `classes_` themselves, or keep it for labels too.
ENCODERS = ("_label_encoder", "label_binarizer_", "_label_binarizer")
# The array whose shape tells the number of targets, and which of its dimensions does.
TARGETS: Mapping[str, tuple[str, int]] = {
    "CCA": ("y_loadings_", 0),
    "GaussianProcessRegressor": ("y_train_", 1),
    "KNeighborsRegressor": ("_y", 1),
    "KernelRidge": ("dual_coef_", 1),
    "PLSCanonical": ("y_loadings_", 0),
    "PLSRegression": ("y_loadings_", 0),
    "RadiusNeighborsRegressor": ("_y", 1),
}
CHAINS = ("MultiOutputRegressor", "RegressorChain")
PROBABILISTIC_LOSSES = ("log_loss", "log", "modified_huber")


@dataclass(frozen=True)
class FittedModel:
    """What the pickled estimator says about itself; the fields are those of Facts."""

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


def find_model(root: object, outlines: Outlines) -> FittedModel:
    """Describe the estimator that a file holds, or raise Refused with what it holds instead.

    `outlines` are those of the classes in the user's own code.
    """
    if not isinstance(root, Instance):
        raise refuse_contents(root)
    chain = list(_unwrap(root))
    final = chain[-1]
    if raw_boosters.is_raw(root.cls):
        return _raw_booster(root)
    if statsmodels_results.is_results(root.cls):
        return _statsmodels(root)
    known = describe(final.cls, outlines)
    if pickled_boosters.library_of(final.cls) and (known is None or known.kind not in TASKS):
        raise pickled_boosters.refuse(final.cls)
    if known is None and known_names().is_library(final.cls):
        raise refuse_contents(root)
    if known is not None:
        _require_prediction(final, known)
    if final.cls in known_names().estimators:
        require_fitted(final)
    task, labels = _task_and_labels(chain, known)
    classes, n_outputs = _classes(labels)
    booster = pickled_boosters.facts_of(final)
    if booster is not None and task == "classification" and booster.n_outputs > 1:
        classes, n_outputs = None, booster.n_outputs
    if task == "regression":
        n_outputs = booster.n_outputs if booster else _n_targets(final)
    features = fitted_on(root)
    pipeline = next((node for node in chain if steps_of(node)), root)
    return FittedModel(
        class_name=root.cls.qualified,
        steps=tuple(
            Step(name, step.cls.qualified if isinstance(step, Instance) else "passthrough")
            for name, step in steps_of(pipeline)
        ),
        estimator=final.cls.name,
        task=task,
        classes=classes,
        binary=None,
        n_outputs=n_outputs,
        has_probabilities=_has_probabilities(final, outlines),
        feature_names=features.names,
        n_features=features.count,
        takes_texts=takes_texts(root),
        fitted_on_frame=features.frame,
        categories=_categories(root, features),
        notices=_notices(final, known, task, classes, n_outputs),
    )


def kind_of(value: object) -> Kind | None:
    """Say what an object is for, as far as its class tells; None is no estimator."""
    if not isinstance(value, Instance):
        return None
    *_, final = _unwrap(value)
    if pickled_boosters.library_of(final.cls) or statsmodels_results.is_results(final.cls):
        return "model"
    known = describe(final.cls, {})
    if known is None or (isinstance(final.cls, OwnClass) and known.kind == "other"):
        plain = final.attributes() is None or known_names().is_library(final.cls)
        return None if plain else "unknown"
    if known.kind in TASKS:
        return "model"
    return "transformer" if known.kind == "transformer" else None


def _raw_booster(root: Instance) -> FittedModel:
    """Describe a booster without its scikit-learn class."""
    answers = raw_boosters.answers_of(root)
    features = fitted_on(root)
    return FittedModel(
        class_name=root.cls.qualified,
        steps=(),
        estimator=root.cls.name,
        task=answers.task,
        classes=answers.classes,
        binary=answers.binary,
        n_outputs=answers.n_outputs,
        has_probabilities=answers.classes is not None,
        feature_names=features.names,
        n_features=features.count,
        takes_texts=False,
        categories=_categories(root, features),
        fitted_on_frame=features.frame,
        notices=answers.notices,
    )


def _statsmodels(root: Instance) -> FittedModel:
    """Describe a result of statsmodels, which answers a number: of Logit the probability."""
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


# Wrappers, pipelines and their parts.


def _unwrap(model: Instance) -> Iterator[Instance]:
    """Yield the model, what it wraps, and so on down to the estimator that predicts."""
    return _follow(model, _predictor_in)


def features_of(model: Instance) -> Iterator[Instance]:
    """Yield the parts of a model that see the features as they come, the outermost first."""
    return _follow(model, _first_in)


def _follow(model: Instance, inside: Callable[[Instance], Instance | None]) -> Iterator[Instance]:
    node: Instance | None = model
    for _ in range(DEEPEST_WRAPPING):
        if node is None:
            return
        yield node
        node = inside(node)


def _predictor_in(node: Instance) -> Instance | None:
    if steps := steps_of(node):
        last = steps[-1][1]
        return last if isinstance(last, Instance) else None
    return _child(node, *INNER.get(node.cls.name, ()))


def _first_in(node: Instance) -> Instance | None:
    if steps := steps_of(node):
        return next((step for _, step in steps if isinstance(step, Instance)), None)
    if node.cls.name in FIRST:
        parts = _parts(node, FIRST[node.cls.name])
        return parts[0] if parts else _child(node, FIRST[node.cls.name])
    return _child(node, *INNER.get(node.cls.name, ()))


def steps_of(node: Instance) -> list[tuple[str, object]]:
    """Return the named steps of a Pipeline; none for anything else."""
    steps = node.attribute("steps") if node.cls.name == "Pipeline" else None
    found: list[tuple[str, object]] = []
    for step in steps if isinstance(steps, list) else ():
        if isinstance(step, tuple | list) and len(step) == 2 and isinstance(step[0], str):
            found.append((step[0], step[1]))
    return found


def _child(node: Instance, *names: str) -> Instance | None:
    for name in names:
        child = node.attribute(name)
        if isinstance(child, Instance):
            return child
    return None


def _knows_columns(value: object) -> bool:
    return isinstance(value, Instance) and value.attribute("feature_names_in_") is not None


def _parts(node: Instance, name: str) -> list[Instance]:
    """Return the estimators in a list or array of estimators, named or not."""
    value = node.attribute(name)
    if isinstance(value, Array):
        value = value.data
    parts = value if isinstance(value, list) else []
    last = (part[-1] if isinstance(part, tuple) and part else part for part in parts)
    return [part for part in last if isinstance(part, Instance)]


# Whether it is a model at all.


def require_fitted(final: Instance) -> None:
    """Raise Refused for an estimator that was never fitted."""
    # By scikit-learn's convention fitting adds attributes that end with an underscore.
    attributes = final.attributes()
    names = [key for key, _ in attributes.pairs()] if attributes is not None else []
    fitted = any(
        isinstance(name, str) and name.endswith("_") and not name.startswith("__") for name in names
    )
    if pickled_boosters.library_of(final.cls):
        fitted = pickled_boosters.is_fitted(final)
    if not fitted:
        raise Refused(
            "unfitted",
            f"The {final.cls.name} in the file has not been fitted.",
            "Call fit before you save it.",
        )
    if final.cls.name in INNER:
        raise Refused(
            "not_refitted",
            f"The {final.cls.name} in the file holds no fitted model.",
            "Run it with refit=True, or save the model itself.",
        )


def _require_prediction(final: Instance, known: Estimator) -> None:
    name = final.cls.name
    can_predict = "predict" in known.methods or "predict?" in known.methods
    if name == "LocalOutlierFactor":
        can_predict = final.attribute("novelty") is True
    if steps_of(final):
        raise Refused(
            "not_a_model",
            "The pipeline in the file ends without a model.",
            "Save the whole fitted pipeline, whose last step predicts.",
        )
    if can_predict:
        return
    if known.kind == "transformer":
        raise Refused(
            "not_a_model",
            f"The file holds a {name}, which transforms but does not predict.",
            "Give the model; a transformer belongs to the question `transformers`.",
        )
    raise Refused(
        "not_a_model",
        f"The file holds a {name}, which cannot predict for new rows.",
        "Give a model that has a predict method.",
    )


# What it predicts.


def _task_and_labels(chain: list[Instance], known: Estimator | None) -> tuple[str | None, object]:
    """Return the task, and for a classifier its classes as the pickle holds them."""
    task = TASKS.get(known.kind) if known else None
    labels = next((found for node in chain if (found := _labels(node)) is not None), None)
    if task is None and labels is not None:
        task = "classification"
    return task, labels if task == "classification" else None


def _labels(node: Instance) -> object:
    """Return `classes_` as scikit-learn would answer, a list of several outputs' classes too."""
    for name in ENCODERS:
        encoder = node.attribute(name)
        if isinstance(encoder, list):
            return [part.attribute("classes_") for part in encoder if isinstance(part, Instance)]
        if isinstance(encoder, Instance):
            classes = encoder.attribute("classes_")
            if encoder.attribute("y_type_") == "multilabel-indicator":
                return [None] * (classes.shape[0] if isinstance(classes, Array) else 1)
            return classes
    own = node.attribute("classes_")
    return _booster_labels(node) if own is None else own


def _booster_labels(node: Instance) -> tuple[object, ...] | None:
    """Return the classes of a boosting library's classifier, which may hold only their number."""
    if node.cls.name not in BOOSTED_CLASSIFIERS:
        return None
    booster = pickled_boosters.facts_of(node)
    if booster is not None and booster.classes is not None:
        return booster.classes
    classes = values_of(node.attribute("_classes"))  # LightGBM before its encoder is there
    if classes is not None:
        return tuple(classes)
    count = plain(node.attribute("n_classes_"))  # XGBoost takes no others than 0, 1, …
    return tuple(range(count)) if isinstance(count, int) and 0 < count < MOST_CLASSES else None


def _classes(labels: object) -> tuple[tuple[ClassLabel, ...] | None, int]:
    """Return the classes of a single output, and the number of outputs."""
    if isinstance(labels, tuple):
        return tuple(label for label in labels if isinstance(label, str | int | float)), 1
    if isinstance(labels, list):
        return None, len(labels)
    values = values_of(labels)
    if values is None:
        return None, 1
    classes = tuple(value for value in values if isinstance(value, str | int | float))
    return (classes if len(classes) == len(values) else None), 1


def _n_targets(final: Instance) -> int:
    name = final.cls.name
    if name in CHAINS:
        return len(_parts(final, "estimators_")) or 1
    count = plain(final.attribute("n_outputs_"))
    if isinstance(count, int):
        return count
    attribute, dimension = TARGETS.get(name, ("coef_", 0))
    array = final.attribute(attribute)
    return array.shape[dimension] if isinstance(array, Array) and len(array.shape) == 2 else 1


def _has_probabilities(node: Instance, outlines: Outlines) -> bool:
    """Say whether `predict_proba` can be called, as far as the settings decide."""
    *_, final = _unwrap(node)
    known = describe(final.cls, outlines)
    if known is None or "predict_proba?" not in known.methods:
        return known is not None and "predict_proba" in known.methods and _has_classes(final, known)
    name = known.like or final.cls.name
    if name in ("SVC", "NuSVC"):
        return final.attribute("probability") is True
    if name == "SGDClassifier":
        return final.attribute("loss") in PROBABILISTIC_LOSSES
    if name == "VotingClassifier":
        return final.attribute("voting") == "soft"
    if name == "NearestCentroid":  # from scikit-learn 1.6
        return final.attribute("class_prior_") is not None
    if name == "StackingClassifier":
        inner = _child(final, "final_estimator_")
        return inner is not None and _has_probabilities(inner, outlines)
    parts = [part for part in _parts(final, "estimators_") if part.cls.name != "_ConstantPredictor"]
    return bool(parts) and all(_has_probabilities(part, outlines) for part in parts)


def _has_classes(final: Instance, known: Estimator) -> bool:
    """Say whether an estimator tells what its probabilities are of, as scikit-learn's all do."""
    in_library = final.cls in known_names().estimators
    return in_library or "classes_" in known.methods or final.attribute("classes_") is not None


# The features that it was fitted on.


@dataclass(frozen=True)
class FittedOn:
    """The features that an estimator, a Pipeline or a transformer was fitted on."""

    names: tuple[str, ...] | None
    count: int | None
    frame: bool  # some part knows its columns by name, or may ask for them by name


def fitted_on(root: Instance) -> FittedOn:
    """Return what an estimator says about its features."""
    names = _feature_names(root)
    pipeline = next((node for node in _unwrap(root) if steps_of(node)), root)
    by_name = any(_knows_columns(step) for _, step in steps_of(pipeline))
    count = _n_features(root) or (len(names) if names else None)
    # A class of the author's own was most likely given what a notebook has: a frame.
    first = first_step(root)
    own = kind_of(first) == "unknown" or isinstance(first.cls, OwnClass)
    return FittedOn(names, count, names is not None or by_name or own)


def final_step(root: Instance) -> Instance:
    """Return the estimator at the end of a Pipeline or inside of wrappers, or the root itself."""
    *_, final = _unwrap(root)
    return final


def first_step(root: Instance) -> Instance:
    """Return the innermost part that sees the features as they come."""
    *_, first = features_of(root)
    return first


def takes_texts(root: Instance) -> bool:
    """Say whether a vectorizer of texts comes first."""
    return first_step(root).cls.module == "sklearn.feature_extraction.text"


def _feature_names(model: Instance) -> tuple[str, ...] | None:
    for node in features_of(model):
        told = node.attribute("feature_names_in_")  # other libraries keep a list
        names: Sequence[object] | None = told if type(told) is list else values_of(told)
        booster = pickled_boosters.facts_of(node)
        if names is None and booster is not None:
            names = booster.feature_names
        if names is not None:
            texts = tuple(name for name in names if isinstance(name, str))
            return texts if len(texts) == len(names) else None
    return None


def _n_features(model: Instance) -> int | None:
    for node in features_of(model):
        count = plain(node.attribute("n_features_in_"))
        if type(count) is int:
            return count
        booster = pickled_boosters.facts_of(node)
        if booster is not None and booster.n_features is not None:
            return booster.n_features
    return None


def _categories(model: Instance, features: FittedOn) -> Mapping[int, Categories]:
    """Return which columns are categories; an array without names holds their codes."""
    for node in features_of(model):
        found: Mapping[int, Categories] = _preprocessed(node)
        booster = pickled_boosters.facts_of(node)
        # A selection of features (RFE) counts its columns in another way.
        if booster is not None and booster.n_features == features.count:
            found = booster.categories
        if found:
            return {n: c for n, c in found.items() if features.names or not c.coded}
    return {}


def _preprocessed(node: Instance) -> dict[int, Categories]:
    """Return the categories that histogram gradient boosting encodes, from scikit-learn 1.4."""
    flags = values_of(node.attribute("is_categorical_"))
    preprocessor = node.attribute("_preprocessor")
    if flags is None or not isinstance(preprocessor, Instance):
        return {}
    parts = preprocessor.attribute("transformers_")
    first = parts[0] if isinstance(parts, list) and parts else None
    encoder = first[1] if isinstance(first, tuple) and len(first) > 1 else None
    lists = encoder.attribute("categories_") if isinstance(encoder, Instance) else None
    columns = [number for number, flag in enumerate(flags) if flag is True]
    found: dict[int, Categories] = {}
    if not isinstance(lists, list) or len(lists) != len(columns):
        return found
    for column, array in zip(columns, lists, strict=True):
        values = [value for value in values_of(array) or () if not _is_missing(value)]
        plain_values = tuple(v for v in values if isinstance(v, str | int | float))
        if plain_values and len(plain_values) == len(values):
            found[column] = Categories(plain_values)
    return found


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


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
