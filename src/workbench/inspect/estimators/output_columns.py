"""Count the columns that a fitted transformer gives, through Pipelines and ColumnTransformers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from workbench.inspect.estimators.composite import MAX_NESTING, parts_of, steps_of
from workbench.inspect.estimators.sklearn_classes import rules_of
from workbench.inspect.pickle.arrays import plain, values_of
from workbench.inspect.pickle.values import Array, Dict, Global, Instance

SLICE = Global("builtins", "slice")
LABEL_ENCODER = "LabelEncoder"
# Of PolynomialFeatures, SplineTransformer and HashingVectorizer.
COUNTS = ("n_output_features_", "_n_output_features", "n_features_out_", "n_features")


def n_outputs(value: Instance, n_inputs: int | None, depth: int = MAX_NESTING) -> int | None:
    """Return the number of columns, or None if the file does not have it.

    `n_inputs` is what the transformer takes, as far as that is known.
    """
    if not depth:
        return None
    if steps := steps_of(value):
        count = n_inputs
        for _, step in steps:
            if isinstance(step, Instance):  # not "passthrough"
                count = n_outputs(step, _n_inputs(step) or count, depth - 1)
        return count
    if value.cls.name == "ColumnTransformer":
        return _last_index(value)
    if value.cls.name == "FeatureUnion":
        counts = [n_outputs(p, n_inputs, depth - 1) for p in parts_of(value, "transformer_list")]
        return sum(c for c in counts if c is not None) if counts and None not in counts else None
    if rules_of(value.cls.name).one_to_one:
        return n_inputs
    counter = _COUNTERS.get(value.cls.name)
    return counter(value, n_inputs) if counter is not None else _in_attributes(value)


def _n_inputs(step: Instance) -> int | None:
    count = plain(step.attribute("n_features_in_"))
    return count if type(count) is int else None


def _last_index(value: Instance) -> int | None:
    """Return where the last slice of a ColumnTransformer's output ends."""
    slices = value.attribute("output_indices_")
    if not isinstance(slices, Dict):
        return None
    ends = [
        plain(entry.args[1])
        for _, entry in slices.pairs()
        if isinstance(entry, Instance) and entry.cls == SLICE and len(entry.args) == 3
    ]
    counts = [end for end in ends if type(end) is int]
    return max(counts, default=None) if len(counts) == len(slices) // 2 else None


def _one_hot(value: Instance, _: int | None) -> int | None:
    """Return the number of dummy columns of a OneHotEncoder."""
    counts = value.attribute("_n_features_outs")  # from scikit-learn 1.2, without those dropped
    if isinstance(counts, list):
        numbers = [plain(count) for count in counts]
    elif (
        value.attribute("drop_idx_") is None and value.attribute("_infrequent_enabled") is not True
    ):
        arrays = value.attribute("categories_")
        numbers = (
            [a.shape[0] for a in arrays if isinstance(a, Array) and a.shape]
            if isinstance(arrays, list)
            else []
        )
    else:
        return None
    whole = [number for number in numbers if type(number) is int]
    return sum(whole) if whole and len(whole) == len(numbers) else None


def _bins(value: Instance, n_inputs: int | None) -> int | None:
    """Return the number of columns of a KBinsDiscretizer."""
    if value.attribute("encode") == "ordinal":
        return n_inputs
    counts = values_of(value.attribute("n_bins_"))
    return sum(c for c in counts if isinstance(c, int)) if counts else None


def _imputed(value: Instance, n_inputs: int | None) -> int | None:
    """Return the number of columns of a SimpleImputer, which drops columns without any value."""
    statistics = values_of(value.attribute("statistics_"))
    if value.attribute("indicator_") is not None or statistics is None:
        return None
    if value.attribute("keep_empty_features") is True:
        return n_inputs
    return sum(1 for number in statistics if number == number)


def _selected(value: Instance, n_inputs: int | None) -> int | None:
    """Return the number of columns that SelectKBest keeps."""
    k = plain(value.attribute("k"))
    if k == "all":
        return n_inputs
    return k if type(k) is int and (n_inputs is None or k <= n_inputs) else None


def _target_encoded(value: Instance, n_inputs: int | None) -> int | None:
    return n_inputs if value.attribute("target_type_") in ("continuous", "binary") else None


def _kept(value: Instance, _: int | None) -> int | None:
    """Return the number of columns in a mask of kept ones."""
    for attribute in ("support_", "mask_"):
        mask = values_of(value.attribute(attribute))
        if mask:
            return sum(1 for kept in mask if kept is True)
    return None


_COUNTERS: Mapping[str, Callable[[Instance, int | None], int | None]] = {
    LABEL_ENCODER: lambda value, n_inputs: 1,
    "OneHotEncoder": _one_hot,
    "KBinsDiscretizer": _bins,
    "SimpleImputer": _imputed,
    "SelectKBest": _selected,
    "TargetEncoder": _target_encoded,
    "RFE": _kept,
    "RFECV": _kept,
    "TfidfTransformer": lambda value, n_inputs: n_inputs,
}


def _in_attributes(value: Instance) -> int | None:
    components = value.attribute("components_")
    if isinstance(components, Array) and len(components.shape) == 2:
        return components.shape[0]
    vocabulary = value.attribute("vocabulary_")
    if isinstance(vocabulary, Dict):
        return len(vocabulary) // 2
    counts = (plain(value.attribute(name)) for name in COUNTS)
    return next((count for count in counts if type(count) is int), None)
