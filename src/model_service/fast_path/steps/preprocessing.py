"""Transformers of scikit-learn's preprocessing and imputation, without their validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from model_service.fast_path.data import (
    Data,
    NotCompiled,
    Step,
    Table,
    bounded,
    finite,
    has_finite_total,
    matrix,
    numbers,
)

# A matrix this wide stays sparse, as the encoder makes it.
WIDEST = 2000


def _as_it_is(estimator: Any) -> Step:
    return lambda data: data


def imputation(imputer: Any) -> tuple[bool, Any, Any]:
    """Return whether it fills objects, with which values, and the columns that it flags."""
    objects = imputer._fit_dtype.kind not in "fiub"
    statistics = imputer.statistics_ if objects else imputer.statistics_.astype(np.float64)
    if imputer.missing_values is not None and imputer.missing_values == imputer.missing_values:
        raise NotCompiled("its missing values are not NaN")
    if imputer.missing_values is None:
        raise NotCompiled("its missing values are None")
    if any(value != value for value in statistics):
        raise NotCompiled("it drops empty columns")
    indicator = getattr(imputer, "indicator_", None)
    return objects, statistics, indicator.features_ if indicator is not None else None


def _simple_imputer(imputer: Any) -> Step:
    objects, statistics, flagged = imputation(imputer)

    def fill(data: Data) -> Any:
        if objects and flagged is None and isinstance(data, Table):
            return data.filled(statistics)
        if objects:
            found = matrix(data)
        else:
            found = numbers(data)
            if flagged is None and has_finite_total(found):
                return found  # with a missing one there would be no total
            found = bounded(found)
        missing = found != found
        filled = np.where(missing, statistics, found) if missing.any() else found
        return filled if flagged is None else np.hstack([filled, missing[:, flagged]])

    return fill


def standard(scaler: Any) -> tuple[Any, Any]:
    """Return what is taken away from each column and what it is divided by; None for neither."""
    mean = scaler.mean_ if scaler.with_mean else None
    return mean, scaler.scale_ if scaler.with_std else None


def _standard_scaler(scaler: Any) -> Step:
    return _shift_and_divide(*standard(scaler))


def robust(scaler: Any) -> tuple[Any, Any]:
    """Return the same of a scaler by quantiles."""
    center = scaler.center_ if scaler.with_centering else None
    return center, scaler.scale_ if scaler.with_scaling else None


def _robust_scaler(scaler: Any) -> Step:
    return _shift_and_divide(*robust(scaler))


def _shift_and_divide(shift: Any, divisor: Any) -> Step:
    def scale(data: Data) -> Any:
        found = bounded(data)
        if shift is not None:
            found = found - shift
        return found if divisor is None else found / divisor

    return scale


def _min_max_scaler(scaler: Any) -> Step:
    factor, offset = scaler.scale_, scaler.min_
    limits = scaler.feature_range if getattr(scaler, "clip", False) else None

    def scale(data: Data) -> Any:
        found = bounded(data) * factor + offset
        return found if limits is None else np.clip(found, *limits)

    return scale


def _max_abs_scaler(scaler: Any) -> Step:
    divisor, clip = scaler.scale_, getattr(scaler, "clip", False)

    def scale(data: Data) -> Any:
        found = bounded(data) / divisor
        return np.clip(found, -1.0, 1.0) if clip else found

    return scale


def one_hot(encoder: Any) -> tuple[list[Mapping[Any, int]], list[int | None], int]:
    """Return the place of each value of each column, that of unknown ones, and the width.

    The place of an unknown value is -1 where it has no column, and None where it is an error.
    """
    infrequent = _infrequent(encoder)
    dropped = encoder.drop_idx_ if encoder.drop_idx_ is not None else [None] * len(infrequent)
    grouped = encoder.handle_unknown in ("infrequent_if_exist", "warn")
    look_ups: list[Mapping[Any, int]] = []
    unknown: list[int | None] = []
    edges = [0]
    for values, rare, drop in zip(encoder.categories_, infrequent, dropped, strict=True):
        groups = _groups(values.tolist(), rare)
        absent = groups[_key(values[drop])] if drop is not None else None
        order = [group for group in sorted(set(groups.values())) if group != absent]
        place = {group: edges[-1] + number for number, group in enumerate(order)}
        look_ups.append({key: place.get(group, -1) for key, group in groups.items()})
        edges.append(edges[-1] + len(order))
        if encoder.handle_unknown == "error":
            unknown.append(None)
        elif grouped and rare is not None:
            unknown.append(look_ups[-1][_key(rare[0])])
        else:
            unknown.append(-1)
    if edges[-1] > WIDEST:
        raise NotCompiled("it makes too many columns")
    return look_ups, unknown, edges[-1]


def _one_hot_encoder(encoder: Any) -> Step:
    (look_ups, unknown, width), dtype = one_hot(encoder), encoder.dtype

    def encode(data: Data) -> Any:
        columns = _columns(data, len(look_ups))
        found = zip(columns, look_ups, unknown, strict=True)
        codes = [_found(known, values, other) for values, known, other in found]
        encoded = np.zeros((len(columns[0]), width), dtype=dtype)
        if len(encoded) == 1:  # three times as fast as what follows
            for (place,) in codes:
                if place >= 0:
                    encoded[0, place] = 1
            return encoded
        places = np.array(codes)
        column, row = np.nonzero(places >= 0)
        encoded[row, places[column, row]] = 1
        return encoded

    return encode


MISSING = object()


def _key(value: Any) -> Any:
    """Return what a value is looked up by: NaN is not equal to itself, and None is missing too."""
    return value if value == value and value is not None else MISSING


def _found(known: Mapping[Any, Any], values: Sequence[Any], other: Any) -> list[Any]:
    """Look each value up. Raises ValueError where it is unknown and `other` is None."""
    codes = [known.get(v if v == v and v is not None else MISSING, other) for v in values]
    if other is None and None in codes:
        raise ValueError("an unknown category")
    return codes


def _columns(data: Data, expected: int) -> list[list[Any]]:
    """Return the values of each column, as Python has them."""
    if isinstance(data, Table):
        columns = [column.values for column in data.columns]
    else:
        columns = [column.tolist() for column in matrix(data).T]
    if len(columns) != expected:
        raise ValueError("another number of columns than in the training")
    return columns


def _infrequent(encoder: Any) -> Sequence[Any]:
    grouped = getattr(encoder, "_infrequent_enabled", False)
    return encoder.infrequent_categories_ if grouped else [None] * len(encoder.categories_)


def _groups(values: Sequence[Any], rare: Any) -> dict[Any, int]:
    """Number the categories; the infrequent ones share the last number."""
    if rare is None:
        return {_key(value): number for number, value in enumerate(values)}
    infrequent = {_key(value) for value in rare}
    frequent = [_key(value) for value in values if _key(value) not in infrequent]
    numbered = {key: number for number, key in enumerate(frequent)}
    return {_key(value): numbered.get(_key(value), len(frequent)) for value in values}


def ordinal(encoder: Any) -> tuple[list[Mapping[Any, float]], float | None]:
    """Return the code of each value of each column, and that of unknown ones or None."""
    infrequent = _infrequent(encoder)
    look_ups: list[Mapping[Any, float]] = []
    for values, rare in zip(encoder.categories_, infrequent, strict=True):
        present = [value for value in values.tolist() if _key(value) is not MISSING]
        codes: dict[Any, float] = dict(_groups(present, rare))
        if len(present) < len(values):
            codes[MISSING] = getattr(encoder, "encoded_missing_value", np.nan)
        look_ups.append(codes)
    return look_ups, None if encoder.handle_unknown == "error" else encoder.unknown_value


def _ordinal_encoder(encoder: Any) -> Step:
    (look_ups, unknown), dtype = ordinal(encoder), encoder.dtype

    def encode(data: Data) -> Any:
        columns = _columns(data, len(look_ups))
        codes = [_found(known, v, unknown) for v, known in zip(columns, look_ups, strict=True)]
        return np.array(codes, dtype=dtype).T

    return encode


def target(encoder: Any) -> tuple[list[Mapping[Any, float]], float]:
    """Return the code of each value of each column, and that of unknown ones."""
    if encoder.target_type_ == "multiclass":
        raise NotCompiled("its target has several classes")
    look_ups: list[Mapping[Any, float]] = [
        dict(zip(map(_key, values.tolist()), encodings.tolist(), strict=True))
        for values, encodings in zip(encoder.categories_, encoder.encodings_, strict=True)
    ]
    return look_ups, float(encoder.target_mean_)


def _target_encoder(encoder: Any) -> Step:
    look_ups, mean = target(encoder)

    def encode(data: Data) -> Any:
        columns = _columns(data, len(look_ups))
        codes = [_found(known, v, mean) for v, known in zip(columns, look_ups, strict=True)]
        return np.array(codes, dtype=np.float64).T

    return encode


def _function_transformer(transformer: Any) -> Step:
    function = transformer.func
    if function is None and not transformer.validate:
        return _as_it_is(transformer)
    if not isinstance(function, np.ufunc) or transformer.kw_args or transformer.validate:
        raise NotCompiled("its function is the author's")
    return lambda data: function(numbers(data))


def _polynomial_features(transformer: Any) -> Step:
    powers = transformer.powers_
    # Each product from left to right, as scikit-learn makes it from the shorter ones.
    factors = [np.repeat(np.arange(len(row)), row) for row in powers]
    longest = max((len(factor) for factor in factors), default=0)
    ones = powers.shape[1]
    places = np.full((longest, len(factors)), ones)
    for number, factor in enumerate(factors):
        places[: len(factor), number] = factor

    def multiply(data: Data) -> Any:
        found = finite(data)
        if found.shape[1] != ones:
            raise ValueError("another number of columns than in the training")
        padded = np.hstack([found, np.ones((len(found), 1), dtype=found.dtype)])
        product = padded[:, places[0]]
        for row in places[1:]:
            product = product * padded[:, row]
        return product

    return multiply


def _selector(selector: Any) -> Step:
    places = np.flatnonzero(selector.get_support())
    expected = selector.n_features_in_

    def select(data: Data) -> Any:
        found = finite(data)  # some take NaN: their own method knows
        if found.shape[1] != expected:
            raise ValueError("another number of columns than in the training")
        return found[:, places]

    return select


def _label_encoder(encoder: Any) -> Step:
    known = {_key(value): number for number, value in enumerate(encoder.classes_.tolist())}
    return lambda data: np.array(_found(known, _columns(data, 1)[0], None)).reshape(-1, 1)


STEPS: dict[str, Callable[[Any], Step]] = {
    "SimpleImputer": _simple_imputer,
    "StandardScaler": _standard_scaler,
    "RobustScaler": _robust_scaler,
    "MinMaxScaler": _min_max_scaler,
    "MaxAbsScaler": _max_abs_scaler,
    "OneHotEncoder": _one_hot_encoder,
    "OrdinalEncoder": _ordinal_encoder,
    "TargetEncoder": _target_encoder,
    "LabelEncoder": _label_encoder,
    "FunctionTransformer": _function_transformer,
    "PolynomialFeatures": _polynomial_features,
    **dict.fromkeys(
        (
            "GenericUnivariateSelect",
            "RFE",
            "RFECV",
            "SelectFdr",
            "SelectFpr",
            "SelectFromModel",
            "SelectFwe",
            "SelectKBest",
            "SelectPercentile",
            "SequentialFeatureSelector",
            "VarianceThreshold",
        ),
        _selector,
    ),
}
