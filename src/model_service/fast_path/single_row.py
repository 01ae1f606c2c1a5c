"""The way of a single row: Python's numbers through the preprocessing, NumPy only in the kernels.

Each call of NumPy costs more than the arithmetic of a row, and most where the caches hold other
things. The operations and their order are those of the matrices, so the bits are the same. What is
not known here, and what is raised here, is for the matrices.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from model_service.fast_path.compile import (
    PREDICTORS,
    SEARCHES,
    Chain,
    at_work,
    column_parts,
    name_of,
)
from model_service.fast_path.data import NotCompiled, Predict, Single, in_turn
from model_service.fast_path.steps import booster_classes, linear, preprocessing, trees

# The values of a row: None and NaN are missing.
Values = list[Any]
Step = Callable[[Values], Values]
Way = Callable[[Values], Single]
_OF_NUMBERS = {**linear.PREDICTORS, **trees.PREDICTORS, **booster_classes.PREDICTORS}


def way(estimator: Any, predict: Predict) -> Way:
    """Return the way of a row through a fitted model, whose way for matrices is `predict`.

    Raises one of UNEXPECTED where there is none.
    """
    if name_of(estimator) in SEARCHES:
        return way(estimator.best_estimator_, predict)
    before: list[Any] = []
    if isinstance(predict, Chain):
        *before, (_, estimator) = estimator.steps
        predict = predict.last
    # Others may have a preprocessing of their own, or take so long that nothing is gained.
    if name_of(estimator) not in (PREDICTORS if at_work(before) else _OF_NUMBERS):
        raise NotCompiled("it does not take plain numbers")
    prepare, answer = _chain(before), _last(predict)
    return lambda values: answer(prepare(values))


def _last(predict: Predict) -> Way:
    if isinstance(predict, linear.OneScore):
        return predict.alone

    def answer(values: Values) -> Single:
        found, shares = predict(np.array([_numbers(values)]))  # which refuses texts
        return np.asarray(found).item(), None if shares is None else np.asarray(shares)[0].tolist()

    return answer


def _numbers(values: Values) -> list[float]:
    return [value if type(value) is float else _number(value) for value in values]


def _number(value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, str):  # NumPy and Python do not read the same texts as numbers
        raise TypeError("a text")
    return float(value)


def _bounded(values: Values) -> list[float]:
    """Return numbers. Raises ValueError where one is infinite."""
    found = _numbers(values)
    # The sum of finite numbers may overflow: then they are looked at one by one.
    if not math.isfinite(sum(found)) and any(map(math.isinf, found)):
        raise ValueError("an infinite number")
    return found


def step(estimator: Any) -> Step:
    """Return the step of a fitted transformer. Raises one of UNEXPECTED where there is none."""
    return STEPS[name_of(estimator)](estimator)


def _chain(steps: Iterable[Any]) -> Step:
    return in_turn([step(inner) for inner in at_work(steps)])


def _column_transformer(composed: Any) -> Step:
    width = composed.n_features_in_
    parts = [
        (list if isinstance(inner, str) else step(inner), places, weight)
        for inner, places, _, weight in column_parts(composed)
    ]

    def apply(values: Values) -> Values:
        if len(values) != width:
            raise ValueError("another number of columns than in the training")
        results: Values = []
        for apply_one, places, weight in parts:
            part = apply_one([values[place] for place in places])
            results += part if weight is None else [value * weight for value in _numbers(part)]
        return results

    return apply


def _simple_imputer(imputer: Any) -> Step:
    objects, statistics, flagged = preprocessing.imputation(imputer)
    if objects and flagged is not None:
        raise NotCompiled("it flags objects")
    filling, flags = statistics.tolist(), [] if flagged is None else flagged.tolist()

    def fill(values: Values) -> Values:
        found = values if objects else _bounded(values)
        filled = [
            other if value is None or value != value else value
            for value, other in zip(found, filling, strict=True)
        ]
        return filled + [float(found[place] != found[place]) for place in flags]

    return fill


def _standard_scaler(scaler: Any) -> Step:
    return _shift_and_divide(*preprocessing.standard(scaler), scaler)


def _robust_scaler(scaler: Any) -> Step:
    return _shift_and_divide(*preprocessing.robust(scaler), scaler)


def _shift_and_divide(shift: Any, divisor: Any, scaler: Any) -> Step:
    # Less zero and divided by one, a number is the same bit for bit.
    shifts = np.zeros(scaler.n_features_in_) if shift is None else shift
    divisors = np.ones(scaler.n_features_in_) if divisor is None else divisor
    by_place = list(zip(shifts.tolist(), divisors.tolist(), strict=True))
    return lambda values: [
        (value - shift) / divisor
        for value, (shift, divisor) in zip(_bounded(values), by_place, strict=True)
    ]


def _min_max_scaler(scaler: Any) -> Step:
    by_place = list(zip(scaler.scale_.tolist(), scaler.min_.tolist(), strict=True))
    limits = scaler.feature_range if getattr(scaler, "clip", False) else None

    def scale(values: Values) -> Values:
        found = zip(_bounded(values), by_place, strict=True)
        scaled = [value * factor + offset for value, (factor, offset) in found]
        if limits is None:
            return scaled
        low, high = limits
        # What is missing comes first: it is neither above nor below the other, and stays.
        return [min(max(value, low), high) for value in scaled]

    return scale


def _max_abs_scaler(scaler: Any) -> Step:
    if getattr(scaler, "clip", False):
        raise NotCompiled("it clips")
    return _shift_and_divide(None, scaler.scale_, scaler)


def _one_hot_encoder(encoder: Any) -> Step:
    look_ups, unknown, width = preprocessing.one_hot(encoder)
    _require_floats(encoder)
    encode_places = _places(look_ups, unknown)

    def encode(values: Values) -> Values:
        encoded = [0.0] * width
        for place in encode_places(values):
            if place >= 0:
                encoded[place] = 1.0
        return encoded

    return encode


def _ordinal_encoder(encoder: Any) -> Step:
    look_ups, unknown = preprocessing.ordinal(encoder)
    _require_floats(encoder)
    return _places(look_ups, [unknown] * len(look_ups))


def _target_encoder(encoder: Any) -> Step:
    look_ups, mean = preprocessing.target(encoder)
    return _places(look_ups, [mean] * len(look_ups))


def _require_floats(encoder: Any) -> None:
    if encoder.dtype != np.float64:
        raise NotCompiled("it encodes as numbers of another kind")


def _places(look_ups: Sequence[Mapping[Any, Any]], unknown: Sequence[Any]) -> Step:
    by_place = list(zip(look_ups, unknown, strict=True))

    def encode(values: Values) -> Values:
        found = [
            known.get(v if v == v and v is not None else preprocessing.MISSING, other)
            for v, (known, other) in zip(values, by_place, strict=True)
        ]
        if None in found:
            raise ValueError("an unknown category")
        return found

    return encode


def _function_transformer(transformer: Any) -> Step:
    # A ColumnTransformer has one in the place of "passthrough", too.
    if transformer.func is not None or transformer.validate:
        raise NotCompiled("its function is for matrices")
    return list


STEPS: dict[str, Callable[[Any], Step]] = {
    "Pipeline": lambda pipeline: _chain(pipeline.steps),
    "ColumnTransformer": _column_transformer,
    "SimpleImputer": _simple_imputer,
    "StandardScaler": _standard_scaler,
    "RobustScaler": _robust_scaler,
    "MinMaxScaler": _min_max_scaler,
    "MaxAbsScaler": _max_abs_scaler,
    "OneHotEncoder": _one_hot_encoder,
    "OrdinalEncoder": _ordinal_encoder,
    "TargetEncoder": _target_encoder,
    "FunctionTransformer": _function_transformer,
}
