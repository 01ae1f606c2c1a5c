"""From fitted estimators to steps: each in its own table, and here those that hold others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_service.fast_path.data import (
    Data,
    NotCompiled,
    Predict,
    Prediction,
    Step,
    Table,
    as_table,
    in_turn,
    is_frame,
    is_sparse,
    matrix,
    numbers,
    own_method,
)
from model_service.fast_path.steps import booster_classes, linear, preprocessing, text, trees

# What an estimator of the user's own inherits says nothing about what it does.
_LIBRARIES = ("sklearn", "imblearn", *booster_classes.LIBRARIES)
SEARCHES = ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV")
# What a plan may meet that is not as it expects: attributes and kernels differ between versions.
UNEXPECTED = (NotCompiled, AttributeError, ImportError, IndexError, KeyError, TypeError, ValueError)


def transformer(estimator: Any) -> Step:
    """Return the step of a fitted transformer; of one that is not known, its own method."""
    own = own_method(estimator, "transform")
    make = _CONTAINERS.get(name_of(estimator)) or text.STEPS.get(name_of(estimator))
    try:
        if make is not None:
            return make(estimator)
        dense = preprocessing.STEPS[name_of(estimator)](estimator)
    except UNEXPECTED:
        return own
    return lambda data: own(data) if is_sparse(data) else dense(data)


def predictor(estimator: Any, wanted: bool) -> Predict:
    """Return what a fitted model predicts, with probabilities where they are wanted."""
    try:
        return known_predictor(estimator, wanted)
    except UNEXPECTED:
        return OwnMethods(estimator, wanted)


def known_predictor(estimator: Any, wanted: bool) -> Predict:
    """Return what a fitted model predicts. Raises one of UNEXPECTED where it is not known."""
    if (make := PREDICTORS.get(name_of(estimator))) is None:
        raise NotCompiled(f"{type(estimator).__name__} has no faster way than its own")
    return make(estimator, wanted)


def name_of(estimator: Any) -> str:
    """Return the class that the tables know an estimator by."""
    cls = type(estimator)
    return cls.__name__ if cls.__module__.split(".")[0] in _LIBRARIES else ""


class OwnMethods:
    """What an estimator's own methods predict."""

    def __init__(self, estimator: Any, wanted: bool) -> None:
        self._values = own_method(estimator, "predict")
        self._shares = own_method(estimator, "predict_proba") if wanted else None

    def __call__(self, data: Data) -> Prediction:
        return self._values(data), self._shares(data) if self._shares is not None else None


def is_at_work(step: Any) -> bool:
    """Tell whether a step may change a row."""
    # imbalanced-learn's samplers are there for the training only.
    return not (step is None or isinstance(step, str) or hasattr(step, "fit_resample"))


def at_work(steps: Iterable[Any]) -> list[Any]:
    """Return the steps of a pipeline that may change a row."""
    return [step for _, step in steps if is_at_work(step)]


def _chain(steps: Iterable[Any]) -> Step:
    return in_turn([transformer(step) for step in at_work(steps)])


def _pipeline(pipeline: Any) -> Step:
    return _chain(pipeline.steps)


def column_parts(composed: Any) -> Iterator[tuple[Any, list[int], bool, Any]]:
    """Yield the transformers, the places of their columns, if one is alone, and the weights."""
    places = composed._transformer_to_input_indices
    weights = composed.transformer_weights or {}
    for name, step, chosen in composed.transformers_:
        inner = list(places[name])
        if inner and not (isinstance(step, str) and step == "drop"):
            alone = isinstance(chosen, (str, int, np.integer)) and not isinstance(chosen, bool)
            yield step, inner, alone, weights.get(name)


def _column_transformer(composed: Any) -> Step:
    parts = [
        (matrix if isinstance(step, str) else transformer(step), *rest)
        for step, *rest in column_parts(composed)
    ]
    sparse, width = composed.sparse_output_, composed.n_features_in_

    def apply_all(data: Data) -> Data:
        if is_frame(data):
            data = as_table(data, list(data.columns))
        if _width(data) != width:
            raise ValueError("another number of columns than in the training")
        found = []
        for apply, inner, alone, weight in parts:
            if isinstance(data, Table):
                part = apply(data.take(inner, series=alone))
            else:
                part = apply(data[:, inner[0]] if alone else data[:, inner])
            found.append(part if weight is None else matrix(part) * weight)
        return _side_by_side(found, sparse)

    return apply_all


def _width(data: Data) -> int:
    return len(data.columns) if isinstance(data, Table) else data.shape[1]


def _feature_union(union: Any) -> Step:
    weights = union.transformer_weights or {}
    parts = [
        (matrix if isinstance(step, str) else transformer(step), weights.get(name))
        for name, step in union.transformer_list
        if step is not None and step != "drop"
    ]

    def apply_all(data: Data) -> Data:
        found = [(apply(data), weight) for apply, weight in parts]
        return _side_by_side([p if w is None else matrix(p) * w for p, w in found], True)

    return apply_all


def _side_by_side(parts: Sequence[Data], sparse: bool) -> Data:
    """Stack matrices; sparse ones stay it only where the model's own method would keep them."""
    found = [matrix(part) for part in parts]
    if any(is_sparse(part) for part in found):
        if sparse:
            from scipy import sparse as library  # noqa: PLC0415  # needed for sparse ones only

            floats = [p if is_sparse(p) else numbers(p) for p in found]
            return library.hstack(floats).tocsr()
        found = [part.toarray() if is_sparse(part) else part for part in found]
    return found[0] if len(found) == 1 else np.concatenate(found, axis=1)


def _hist_gradient_boosting(estimator: Any, wanted: bool) -> Predict:
    own = getattr(estimator, "_preprocessor", None)
    prepare = numbers if own is None else transformer(own)
    return trees.hist_gradient_boosting(estimator, wanted, prepare)


@dataclass(frozen=True)
class Chain:
    """The steps of a pipeline, and what its last one predicts: single rows come to it, too."""

    prepare: Step
    last: Predict

    def __call__(self, data: Data) -> Prediction:
        return self.last(self.prepare(data))


def _predicting_pipeline(pipeline: Any, wanted: bool) -> Predict:
    *before, (_, last) = pipeline.steps
    return Chain(_chain(before), predictor(last, wanted))


def _best(search: Any, wanted: bool) -> Predict:
    return known_predictor(search.best_estimator_, wanted)


def _voting_classifier(voting: Any, wanted: bool) -> Predict:
    if voting.voting != "soft":
        raise NotCompiled("it counts votes")
    members = [predictor(member, True) for member in voting.estimators_]
    weights, classes = voting._weights_not_none, voting.classes_

    def predict(data: Data) -> Prediction:
        shares = np.average([member(data)[1] for member in members], axis=0, weights=weights)
        return classes[shares.argmax(axis=1)], shares if wanted else None

    return predict


def _voting_regressor(voting: Any, wanted: bool) -> Predict:
    members = [predictor(member, False) for member in voting.estimators_]
    weights = voting._weights_not_none

    def predict(data: Data) -> Prediction:
        values = np.array([member(data)[0] for member in members]).T
        return np.average(values, axis=1, weights=weights), None

    return predict


def _calibrated(calibrated: Any, wanted: bool) -> Predict:
    members = [_calibrated_member(member) for member in calibrated.calibrated_classifiers_]
    classes = calibrated.classes_

    def predict(data: Data) -> Prediction:
        total = sum(member(data) for member in members)
        shares = total / len(members)
        return classes[shares.argmax(axis=1)], shares if wanted else None

    return predict


def _calibrated_member(member: Any) -> Step:
    """Return the shares of one model and its calibrators, one for each class."""
    response, calibrators, classes = _response(member.estimator), member.calibrators, member.classes
    if member.method not in ("sigmoid", "isotonic") or len(member.estimator.classes_) != len(
        classes
    ):
        raise NotCompiled("its calibration is another")

    def share(data: Data) -> Any:
        columns = response(data)
        found = np.array(
            [c.predict(column) for c, column in zip(calibrators, columns.T, strict=True)]
        ).T
        if len(classes) == 2:
            return np.hstack([1.0 - found, found])
        totals = found.sum(axis=1, keepdims=True)
        uniform = np.full_like(found, 1 / len(classes))
        return np.divide(found, totals, out=uniform, where=totals != 0)

    return share


def _response(estimator: Any) -> Step:
    """Return scores, or probabilities where there are none, of the shape (rows, 1 or classes)."""
    if name_of(estimator) in linear.PREDICTORS and hasattr(estimator, "decision_function"):
        score = linear.scores(estimator)
    elif hasattr(estimator, "decision_function"):
        score = own_method(estimator, "decision_function")
    else:
        predict = predictor(estimator, True)
        two = len(estimator.classes_) == 2

        def score(data: Data) -> Any:
            shares = predict(data)[1]
            return shares[:, 1] if two else shares

    def respond(data: Data) -> Any:
        found = score(data)
        return found.reshape(-1, 1) if found.ndim == 1 else found

    return respond


def _stacking(stacking: Any, wanted: bool) -> Predict:
    methods = stacking.stack_method_
    if stacking.passthrough or any(m not in ("predict", "predict_proba") for m in methods):
        raise NotCompiled("it stacks more than probabilities and values")
    members = [
        (predictor(member, method == "predict_proba"), method)
        for member, method in zip(stacking.estimators_, methods, strict=True)
    ]
    last = predictor(stacking.final_estimator_, wanted)
    encoder = getattr(stacking, "_label_encoder", None)
    classes = encoder.classes_ if encoder is not None else None

    def predict(data: Data) -> Prediction:
        found = []
        for member, method in members:
            values, shares = member(data)
            if method == "predict":
                found.append(values.reshape(-1, 1))
            else:
                # Of two classes, one share says it all.
                found.append(shares[:, 1:] if shares.shape[1] == 2 else shares)
        values, shares = last(np.hstack(found))
        return values if classes is None else classes[values], shares

    return predict


def _transformed_target(estimator: Any, wanted: bool) -> Predict:
    inner, undo = predictor(estimator.regressor_, False), estimator.transformer_.inverse_transform
    if estimator._training_dim != 1:
        raise NotCompiled("it has several targets")

    def predict(data: Data) -> Prediction:
        return undo(inner(data)[0].reshape(-1, 1))[:, 0], None

    return predict


_CONTAINERS: dict[str, Callable[[Any], Step]] = {
    "Pipeline": _pipeline,
    "ColumnTransformer": _column_transformer,
    "FeatureUnion": _feature_union,
}
PREDICTORS: dict[str, Callable[[Any, bool], Predict]] = {
    **linear.PREDICTORS,
    **trees.PREDICTORS,
    **booster_classes.PREDICTORS,
    "Pipeline": _predicting_pipeline,
    **dict.fromkeys(SEARCHES, _best),
    "HistGradientBoostingClassifier": _hist_gradient_boosting,
    "HistGradientBoostingRegressor": _hist_gradient_boosting,
    "CalibratedClassifierCV": _calibrated,
    "VotingClassifier": _voting_classifier,
    "VotingRegressor": _voting_regressor,
    "StackingClassifier": _stacking,
    "StackingRegressor": _stacking,
    "TransformedTargetRegressor": _transformed_target,
}
