"""Which features each column of a model's input comes from, by what each step does.

The owners of a column are the numbers of the features that can change it. They follow from the
classes and parameters of the steps; a class that is not known here is taken to mix all of its
columns. A few rows go through the steps, so that the number of columns is the true one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from model_service.columns.builder import InputBuilder
from model_service.columns.transformers import Stage
from model_service.contract.batch import Batch
from model_service.contract.contract import Contract
from model_service.fast_path.compile import acting_steps
from model_service.fast_path.data import is_frame

Owner = frozenset[int]
Owners = list[Owner]
# From a fitted transformer, the owners of its input and its output to the owners of the output.
Rule = Callable[[Any, Owners, Any], Owners]


class Untraceable(Exception):
    """A step makes another number of columns than its rule says."""


def root_owners(contract: Contract, builder: InputBuilder) -> Owners:
    """Return the owners of the columns that the contract makes, in the model's order."""
    by_column: dict[str, Owner] = dict.fromkeys(contract.unused, frozenset())
    for number, feature in enumerate(contract.features):
        names = feature.one_hot.values() if feature.one_hot is not None else (feature.name,)
        by_column |= dict.fromkeys(names, frozenset([number]))
    return [by_column[name] for name in builder.names or contract.column_kinds]


def input_owners(contract: Contract, builder: InputBuilder, batch: Batch) -> tuple[Any, Owners]:
    """Return the input of the model's own methods for some rows, and the owners of its columns."""
    data = builder.build(contract.columns(batch))
    every = frozenset(range(len(contract.features)))
    if builder.kind == "texts" and not builder.stages:
        return data, [every]
    if builder.prepare is not None:
        return data, [every] * _width(data)
    owners = root_owners(contract, builder)
    names: Sequence[str] | None = builder.names or tuple(contract.column_kinds)
    if builder.stages:
        owners, names = _staged(contract, builder, batch, owners)
        if builder.model_names is not None and set(names or ()) == set(builder.model_names):
            by_name = dict(zip(names or (), owners, strict=True))
            owners = [by_name[name] for name in builder.model_names]
    return data, _checked(owners, _width(data))


def _staged(
    contract: Contract, builder: InputBuilder, batch: Batch, owners: Owners
) -> tuple[Owners, Sequence[str] | None]:
    """Return the owners and names of the columns behind the transformers beside the model."""
    unlisted = {n: known for n, known in builder.categories.items() if known.values is None}
    plain = InputBuilder(builder.kind, builder.names, unlisted)
    data = plain.build(contract.columns(batch))
    names: Sequence[str] | None = None
    for stage in builder.stages:
        output = stage.apply(data)
        owners = _of_stage(stage, owners, output)
        data, names = output, stage.after
    return owners, names


def _of_stage(stage: Stage, owners: Owners, output: Any) -> Owners:
    by_name = dict(zip(stage.before, owners, strict=True)) if stage.before else {}
    transformer = stage.transformer
    fitted = getattr(transformer, "feature_names_in_", None)
    taken = stage.columns or stage.before
    names = taken if fitted is None else tuple(fitted)
    inputs = [by_name[name] for name in names] if by_name else owners
    if stage.columns is None:
        return owners_after(transformer, inputs, output)
    kept = len(stage.before) - len(stage.columns)
    made = np.empty((1, _width(output) - kept))
    replaced = owners_after(transformer, inputs, made)
    arrangement = stage.arrangement(made.shape[1])
    return [by_name[name] if index is None else replaced[index] for name, index in arrangement]


def owners_after(transformer: Any, owners: Owners, output: Any) -> Owners:
    """Return the owners of a transformer's output columns. Raises Untraceable."""
    width = _width(output)
    rule = _RULES.get(_name(transformer))
    found = rule(transformer, owners, output) if rule is not None else None
    if found is None:
        found = [_union(owners)] * width
    return _checked(found, width)


def transformed(transformer: Any, data: Any, owners: Owners) -> tuple[Any, Owners]:
    """Return the output of a transformer for some rows, and its owners. Raises Untraceable."""
    output = transformer.transform(data)
    name = _name(transformer)
    if name in ("Pipeline", "ColumnTransformer", "FeatureUnion"):
        walk = {"Pipeline": _chain, "ColumnTransformer": _columns, "FeatureUnion": _union_of}[name]
        return output, _checked(walk(transformer, data, owners), _width(output))
    return output, owners_after(transformer, owners, output)


def _name(transformer: Any) -> str:
    cls = type(transformer)
    is_known = cls.__module__.split(".")[0] in ("sklearn", "imblearn")
    return cls.__name__ if is_known else ""


def _width(data: Any) -> int:
    shape = getattr(data, "shape", None)
    return 1 if shape is None or len(shape) == 1 else int(shape[1])


def _checked(owners: Owners, width: int) -> Owners:
    if len(owners) != width:
        raise Untraceable(f"{len(owners)} columns were expected, and there are {width}")
    return owners


def _union(owners: Sequence[Owner]) -> Owner:
    return frozenset().union(*owners)


def _chain(pipeline: Any, data: Any, owners: Owners) -> Owners:
    for step in acting_steps(pipeline.steps):
        data, owners = transformed(step, data, owners)
    return owners


def _columns(transformer: Any, data: Any, owners: Owners) -> Owners:
    indices_by_name = transformer._transformer_to_input_indices
    found: Owners = []
    for name, inner, selected in transformer.transformers_:
        indices = list(indices_by_name[name])
        if not indices or (isinstance(inner, str) and inner == "drop"):
            continue
        taken = [owners[index] for index in indices]
        if isinstance(inner, str):  # passthrough
            found += taken
            continue
        single = isinstance(selected, (str, int, np.integer)) and not isinstance(selected, bool)
        part = data.iloc[:, indices] if is_frame(data) else data[:, indices]
        if single:
            part = part.iloc[:, 0] if is_frame(part) else part[:, 0]
        found += transformed(inner, part, taken)[1]
    return found


def _union_of(union: Any, data: Any, owners: Owners) -> Owners:
    found: Owners = []
    for _, inner in union.transformer_list:
        if inner is None or inner == "drop":
            continue
        found += owners if isinstance(inner, str) else transformed(inner, data, owners)[1]
    return found


# Rules by class.


def _one_to_one(_: Any, owners: Owners, output: Any) -> Owners:
    return owners


def _imputed(imputer: Any, owners: Owners, output: Any) -> Owners:
    statistics = np.asarray(imputer.statistics_, dtype=object)
    keeps_empty = bool(getattr(imputer, "keep_empty_features", False))
    kept = [o for o, s in zip(owners, statistics, strict=True) if keeps_empty or s == s]
    indicator = getattr(imputer, "indicator_", None)
    return kept + ([owners[i] for i in indicator.features_] if indicator is not None else [])


def _indicated(indicator: Any, owners: Owners, output: Any) -> Owners:
    return [owners[index] for index in indicator.features_]


def _one_hot(encoder: Any, owners: Owners, output: Any) -> Owners:
    has_infrequent = getattr(encoder, "_infrequent_enabled", False)
    rare = encoder.infrequent_categories_ if has_infrequent else [None] * len(owners)
    dropped = encoder.drop_idx_ if encoder.drop_idx_ is not None else [None] * len(owners)
    found: Owners = []
    for owner, known, few, drop in zip(owners, encoder.categories_, rare, dropped, strict=True):
        width = len(known) - (len(few) - 1 if few is not None else 0) - (drop is not None)
        found += [owner] * width
    return found


def _repeated(transformer: Any, owners: Owners, output: Any) -> Owners:
    """Each column becomes as many neighbouring columns."""
    times, rest = divmod(_width(output), max(len(owners), 1))
    return [owner for owner in owners for _ in range(times)] if not rest else []


def _binned(binner: Any, owners: Owners, output: Any) -> Owners:
    if binner.encode == "ordinal":
        return owners
    return [o for o, bins in zip(owners, binner.n_bins_, strict=True) for _ in range(bins)]


def _powers(transformer: Any, owners: Owners, output: Any) -> Owners:
    return [_union([owners[i] for i in np.flatnonzero(row)]) for row in transformer.powers_]


def _selected(selector: Any, owners: Owners, output: Any) -> Owners:
    return [owners[index] for index in np.flatnonzero(selector.get_support())]


def _function(transformer: Any, owners: Owners, output: Any) -> Owners:
    function = transformer.func
    # HistGradientBoosting checks its numbers by a function that changes none.
    checks = isinstance(function, partial) and function.func.__name__ == "check_array"
    by_element = function is None or isinstance(function, np.ufunc) or checks
    return owners if by_element and not transformer.kw_args else [_union(owners)] * _width(output)


_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(
        (
            *("StandardScaler", "RobustScaler", "MinMaxScaler", "MaxAbsScaler", "Binarizer"),
            *("QuantileTransformer", "PowerTransformer", "OrdinalEncoder", "LabelEncoder"),
        ),
        _one_to_one,
    ),
    "SimpleImputer": _imputed,
    "MissingIndicator": _indicated,
    "OneHotEncoder": _one_hot,
    "TargetEncoder": _repeated,
    "SplineTransformer": _repeated,
    "KBinsDiscretizer": _binned,
    "PolynomialFeatures": _powers,
    "FunctionTransformer": _function,
    **dict.fromkeys(
        (
            *("GenericUnivariateSelect", "RFE", "RFECV", "SelectFdr", "SelectFpr", "SelectFwe"),
            *("SelectFromModel", "SelectKBest", "SelectPercentile"),
            *("SequentialFeatureSelector", "VarianceThreshold"),
        ),
        _selected,
    ),
}


# They scale each column by itself or each row as a whole: a zero stays a zero.
_SCALING = ("TfidfTransformer", "Normalizer", "MaxAbsScaler")


def words_of(steps: Sequence[Any]) -> list[str] | None:
    """Return the word of each column behind steps; None if a column is no word of the text."""
    if not steps:
        return None
    first, *rest = steps
    names = _first_words(first)
    for step in rest:
        if names is None:
            return None
        names = _words_after(step, names)
    return names


def _first_words(step: Any) -> list[str] | None:
    """Return the words of a step that gets the texts themselves."""
    name = _name(step)
    if name == "Pipeline":
        return words_of(acting_steps(step.steps))
    if name == "FeatureUnion":
        return _words_of_union(step)
    if name not in ("CountVectorizer", "TfidfVectorizer"):
        return None
    return sorted(step.vocabulary_, key=step.vocabulary_.__getitem__)


def _words_of_union(union: Any) -> list[str] | None:
    found: list[str] = []
    for _, inner in union.transformer_list:
        if inner is None or (isinstance(inner, str) and inner == "drop"):
            continue
        names = _first_words(inner)
        if names is None:  # the words of the members behind it would stand at wrong columns
            return None
        found += names
    return found


def _words_after(step: Any, names: list[str]) -> list[str] | None:
    if _name(step) in _SCALING:
        return names
    if _RULES.get(_name(step)) is not _selected:
        return None
    return [names[index] for index in np.flatnonzero(step.get_support())]
