"""scikit-learn's imputers, scalers, encoders and feature selectors, without their validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from model_service.contract.batch import Coded, Values, listed
from model_service.fast_path.data import (
    ColumnTable,
    Data,
    NotCompiled,
    RowTransform,
    RowValues,
    check_width,
    has_finite_sum,
    row_to_floats_allow_nan,
    to_finite_floats,
    to_floats,
    to_floats_allow_nan,
    to_matrix,
)
from model_service.fast_path.steps.registry import CompiledTransformer, register_transformer

# OneHotEncoder's output is made dense; with more columns it stays sparse, by its own method.
MAX_ONE_HOT_COLUMNS = 2000

# The key of None and NaN in a dictionary of categories: NaN, unequal to itself, would not be found.
_MISSING = object()


@register_transformer("sklearn", "SimpleImputer")
def _simple_imputer(imputer: Any) -> CompiledTransformer:
    _check_imputer(imputer)
    objects = imputer._fit_dtype.kind not in "fiub"
    fill_values = imputer.statistics_ if objects else imputer.statistics_.astype(np.float64)
    indicator = getattr(imputer, "indicator_", None)
    indicated = indicator.features_ if indicator is not None else None

    def fill(data: Data) -> Any:
        if objects and indicated is None and isinstance(data, ColumnTable):
            return data.fill_missing(fill_values)
        if objects:
            matrix = to_matrix(data)
        else:
            matrix = to_floats(data)
            if indicated is None and has_finite_sum(matrix):
                return matrix  # a missing value would make the sum NaN
            matrix = to_floats_allow_nan(matrix)
        missing = matrix != matrix
        filled = np.where(missing, fill_values, matrix) if missing.any() else matrix
        return filled if indicated is None else np.hstack([filled, missing[:, indicated]])

    if objects and indicated is not None:
        return CompiledTransformer(fill, no_row="its output mixes objects and flags")
    row_fill_values = fill_values.tolist()
    row_indicated = [] if indicated is None else indicated.tolist()

    def fill_row(values: RowValues) -> RowValues:
        if not objects:
            values = row_to_floats_allow_nan(values)
        filled = [
            fill_value if value is None or value != value else value
            for value, fill_value in zip(values, row_fill_values, strict=True)
        ]
        return filled + [float(values[index] != values[index]) for index in row_indicated]

    return CompiledTransformer(fill, fill_row)


def _check_imputer(imputer: Any) -> None:
    """Raise NotCompiled unless None and NaN are missing and every column has a fill value."""
    if imputer.missing_values is None or imputer.missing_values == imputer.missing_values:
        raise NotCompiled("SimpleImputer looks for another missing value than NaN.")
    if any(value != value for value in imputer.statistics_):
        raise NotCompiled("SimpleImputer drops columns without values.")


@register_transformer("sklearn", "StandardScaler")
def _standard_scaler(scaler: Any) -> CompiledTransformer:
    return _shift_and_divide(
        scaler.mean_ if scaler.with_mean else None,
        scaler.scale_ if scaler.with_std else None,
        scaler.n_features_in_,
    )


@register_transformer("sklearn", "RobustScaler")
def _robust_scaler(scaler: Any) -> CompiledTransformer:
    return _shift_and_divide(
        scaler.center_ if scaler.with_centering else None,
        scaler.scale_ if scaler.with_scaling else None,
        scaler.n_features_in_,
    )


def _shift_and_divide(shift: Any, divisor: Any, width: int) -> CompiledTransformer:
    """Subtract `shift` and divide by `divisor`; None leaves the operation out."""

    def scale(data: Data) -> Any:
        matrix = to_floats_allow_nan(data)
        if shift is not None:
            matrix = matrix - shift
        return matrix if divisor is None else matrix / divisor

    # Subtracting zero and dividing by one keep every bit of a number.
    shifts = np.zeros(width) if shift is None else shift
    divisors = np.ones(width) if divisor is None else divisor
    parameters = list(zip(shifts.tolist(), divisors.tolist(), strict=True))

    def scale_row(values: RowValues) -> RowValues:
        return [
            (value - shift) / divisor
            for value, (shift, divisor) in zip(
                row_to_floats_allow_nan(values), parameters, strict=True
            )
        ]

    return CompiledTransformer(scale, scale_row)


@register_transformer("sklearn", "MinMaxScaler")
def _min_max_scaler(scaler: Any) -> CompiledTransformer:
    factors, offsets = scaler.scale_, scaler.min_
    limits = scaler.feature_range if getattr(scaler, "clip", False) else None

    def scale(data: Data) -> Any:
        matrix = to_floats_allow_nan(data) * factors + offsets
        return matrix if limits is None else np.clip(matrix, *limits)

    parameters = list(zip(factors.tolist(), offsets.tolist(), strict=True))

    def scale_row(values: RowValues) -> RowValues:
        pairs = zip(row_to_floats_allow_nan(values), parameters, strict=True)
        scaled = [value * factor + offset for value, (factor, offset) in pairs]
        if limits is None:
            return scaled
        low, high = limits
        # In this order of arguments max and min return NaN for NaN, as np.clip does.
        return [min(max(value, low), high) for value in scaled]

    return CompiledTransformer(scale, scale_row)


@register_transformer("sklearn", "MaxAbsScaler")
def _max_abs_scaler(scaler: Any) -> CompiledTransformer:
    scaled = _shift_and_divide(None, scaler.scale_, scaler.n_features_in_)
    if not getattr(scaler, "clip", False):
        return scaled
    return CompiledTransformer(
        lambda data: np.clip(scaled.matrix(data), -1.0, 1.0),
        no_row="clipping one row is not written",
    )


@register_transformer("sklearn", "OneHotEncoder")
def _one_hot_encoder(encoder: Any) -> CompiledTransformer:
    (look_ups, unknown, width), dtype = _one_hot_columns(encoder), encoder.dtype

    def encode(data: Data) -> Any:
        columns = _column_values(data, len(look_ups))
        parameters = zip(columns, look_ups, unknown, strict=True)
        indices_by_column = [_look_up(known, values, other) for values, known, other in parameters]
        encoded = np.zeros((len(columns[0]), width), dtype=dtype)
        if len(encoded) == 1:  # three times as fast as the general case below
            for (index,) in indices_by_column:
                if index >= 0:
                    encoded[0, index] = 1
            return encoded
        indices = np.array(indices_by_column)
        column, row = np.nonzero(indices >= 0)
        encoded[row, indices[column, row]] = 1
        return encoded

    if dtype != np.float64:
        return CompiledTransformer(encode, no_row="its output is not float64")
    look_up_row = _row_look_up(look_ups, unknown)

    def encode_row(values: RowValues) -> RowValues:
        encoded = [0.0] * width
        for index in look_up_row(values):
            if index >= 0:
                encoded[index] = 1.0
        return encoded

    return CompiledTransformer(encode, encode_row)


def _one_hot_columns(encoder: Any) -> tuple[list[Mapping[Any, int]], list[int | None], int]:
    """Return each column's output index by category, its index for unknown ones, and the width.

    An index of -1 means no output column; None as the index of unknown ones is an error.
    """
    infrequent = _infrequent_categories(encoder)
    dropped = encoder.drop_idx_ if encoder.drop_idx_ is not None else [None] * len(infrequent)
    unknown_is_infrequent = encoder.handle_unknown in ("infrequent_if_exist", "warn")
    look_ups: list[Mapping[Any, int]] = []
    unknown: list[int | None] = []
    width = 0
    for categories, rare, drop in zip(encoder.categories_, infrequent, dropped, strict=True):
        groups = _number_categories(categories.tolist(), rare)
        dropped_group = groups[_key(categories[drop])] if drop is not None else None
        kept = [group for group in sorted(set(groups.values())) if group != dropped_group]
        indices = {group: width + number for number, group in enumerate(kept)}
        look_ups.append({key: indices.get(group, -1) for key, group in groups.items()})
        width += len(kept)
        if encoder.handle_unknown == "error":
            unknown.append(None)
        elif unknown_is_infrequent and rare is not None:
            unknown.append(look_ups[-1][_key(rare[0])])
        else:
            unknown.append(-1)
    if width > MAX_ONE_HOT_COLUMNS:
        raise NotCompiled("OneHotEncoder has too many output columns for a dense matrix.")
    return look_ups, unknown, width


@register_transformer("sklearn", "OrdinalEncoder")
def _ordinal_encoder(encoder: Any) -> CompiledTransformer:
    unknown = None if encoder.handle_unknown == "error" else encoder.unknown_value
    look_ups: list[Mapping[Any, float]] = []
    for categories, rare in zip(encoder.categories_, _infrequent_categories(encoder), strict=True):
        present = [value for value in categories.tolist() if _key(value) is not _MISSING]
        codes: dict[Any, float] = dict(_number_categories(present, rare))
        if len(present) < len(categories):
            codes[_MISSING] = getattr(encoder, "encoded_missing_value", np.nan)
        look_ups.append(codes)
    return _replace_categories(look_ups, unknown, encoder.dtype)


@register_transformer("sklearn", "TargetEncoder")
def _target_encoder(encoder: Any) -> CompiledTransformer:
    if encoder.target_type_ == "multiclass":
        raise NotCompiled("TargetEncoder encodes a target of more than two classes.")
    look_ups = [
        dict(zip(map(_key, categories.tolist()), encodings.tolist(), strict=True))
        for categories, encodings in zip(encoder.categories_, encoder.encodings_, strict=True)
    ]
    return _replace_categories(look_ups, float(encoder.target_mean_), np.float64)


def _replace_categories(
    look_ups: Sequence[Mapping[Any, float]], unknown: float | None, dtype: Any
) -> CompiledTransformer:
    """Replace each category by its code; `unknown` is the code of the others, None an error."""

    def encode(data: Data) -> Any:
        columns = _column_values(data, len(look_ups))
        codes = [
            _look_up(known, values, unknown)
            for values, known in zip(columns, look_ups, strict=True)
        ]
        return np.array(codes, dtype=dtype).T

    if dtype != np.float64:
        return CompiledTransformer(encode, no_row="its output is not float64")
    return CompiledTransformer(encode, _row_look_up(look_ups, [unknown] * len(look_ups)))


def _key(category: Any) -> Any:
    """Return what a category is looked up by: the value itself, or _MISSING for None and NaN."""
    return category if category == category and category is not None else _MISSING


def _look_up(known: Mapping[Any, Any], values: Values, unknown: Any) -> Sequence[Any]:
    """Return a column's codes. Raises ValueError for an unknown value if `unknown` is None."""
    if isinstance(values, Coded):
        found: Sequence[Any] = _look_up_once(known, values, unknown)
        return found
    codes = [known.get(v if v == v and v is not None else _MISSING, unknown) for v in values]
    if unknown is None and None in codes:
        raise ValueError("an unknown category")
    return codes


def _look_up_once(known: Mapping[Any, Any], values: Coded, unknown: Any) -> Any:
    """Return the codes of a column, looked up for its distinct values only."""
    codes = _look_up(known, values.distinct, -1 if unknown is None else unknown)
    found = np.array(codes, dtype=None if codes else np.intp)[values.codes]
    if unknown is not None:
        return found
    used = np.bincount(values.codes, minlength=len(codes)) > 0
    is_known = [_key(value) in known for value in values.distinct]
    if not np.all(np.array(is_known, dtype=bool)[used]):
        raise ValueError("an unknown category")
    return found


def _row_look_up(look_ups: Sequence[Mapping[Any, Any]], unknown: Sequence[Any]) -> RowTransform:
    """Return a function that looks up each value of a row in the dictionary of its column."""
    parameters = list(zip(look_ups, unknown, strict=True))

    def look_up_row(values: RowValues) -> RowValues:
        codes = [
            known.get(v if v == v and v is not None else _MISSING, other)
            for v, (known, other) in zip(values, parameters, strict=True)
        ]
        if None in codes:
            raise ValueError("an unknown category")
        return codes

    return look_up_row


def _column_values(data: Data, width: int) -> list[Values]:
    """Return the values of each column: Python values, or codes of them."""
    if isinstance(data, ColumnTable):
        columns: list[Values] = [
            c.values if isinstance(c.values, Coded) else listed(c.values) for c in data.columns
        ]
    else:
        columns = [column.tolist() for column in to_matrix(data).T]
    if len(columns) != width:
        raise ValueError(f"{len(columns)} columns; the model was trained on {width}")
    return columns


def _infrequent_categories(encoder: Any) -> Sequence[Any]:
    """Return the infrequent categories of each column, None for a column without any."""
    enabled = getattr(encoder, "_infrequent_enabled", False)
    return encoder.infrequent_categories_ if enabled else [None] * len(encoder.categories_)


def _number_categories(categories: Sequence[Any], infrequent: Any) -> dict[Any, int]:
    """Number the categories; the infrequent ones share the last number."""
    if infrequent is None:
        return {_key(category): number for number, category in enumerate(categories)}
    rare = {_key(category) for category in infrequent}
    frequent = [_key(category) for category in categories if _key(category) not in rare]
    numbers = {key: number for number, key in enumerate(frequent)}
    return {_key(category): numbers.get(_key(category), len(frequent)) for category in categories}


@register_transformer("sklearn", "LabelEncoder")
def _label_encoder(encoder: Any) -> CompiledTransformer:
    codes = {_key(label): number for number, label in enumerate(encoder.classes_.tolist())}
    return CompiledTransformer(
        lambda data: np.array(_look_up(codes, _column_values(data, 1)[0], None)).reshape(-1, 1),
        no_row="models with transformers beside them take no single rows",
    )


@register_transformer("sklearn", "FunctionTransformer")
def _function_transformer(transformer: Any) -> CompiledTransformer:
    function = transformer.func
    if function is None and not transformer.validate:
        # ColumnTransformer puts one in the place of "passthrough".
        return CompiledTransformer(lambda data: data, list)
    if not isinstance(function, np.ufunc) or transformer.kw_args or transformer.validate:
        raise NotCompiled("FunctionTransformer calls a function that the fast path does not know.")
    return CompiledTransformer(
        lambda data: function(to_floats(data)), no_row="a NumPy function expects an array"
    )


@register_transformer("sklearn", "PolynomialFeatures")
def _polynomial_features(transformer: Any) -> CompiledTransformer:
    powers = transformer.powers_
    # scikit-learn makes each product from a shorter one: its factors from left to right.
    factors = [np.repeat(np.arange(len(row)), row) for row in powers]
    longest = max((len(factor) for factor in factors), default=0)
    width = powers.shape[1]
    # The index `width` is a column of ones, which fills up the shorter products.
    indices = np.full((longest, len(factors)), width)
    for number, factor in enumerate(factors):
        indices[: len(factor), number] = factor

    def multiply(data: Data) -> Any:
        matrix = to_finite_floats(data)
        check_width(matrix, width)
        padded = np.hstack([matrix, np.ones((len(matrix), 1), dtype=matrix.dtype)])
        product = padded[:, indices[0]]
        for row in indices[1:]:
            product = product * padded[:, row]
        return product

    return CompiledTransformer(multiply, no_row="multiplying one row is not written")


@register_transformer(
    "sklearn",
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
)
def _selector(selector: Any) -> CompiledTransformer:
    indices, width = np.flatnonzero(selector.get_support()), selector.n_features_in_

    def select(data: Data) -> Any:
        # Some selectors accept NaN: their own method decides.
        matrix = to_finite_floats(data)
        check_width(matrix, width)
        return matrix[:, indices]

    return CompiledTransformer(select, no_row="selecting from one row is not written")
