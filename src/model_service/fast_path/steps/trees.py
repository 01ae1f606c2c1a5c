"""Trees, forests and scikit-learn's gradient boosting: its own compiled walks through the trees.

What costs in the native methods is one call a tree, and the validation around it. So a forest is
walked in one call where the rows are few.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from model_service.fast_path.data import Data, NotCompiled, Predict, Step, bounded, finite, numbers

# A copy of the nodes costs memory: 100 bytes a node, so 50 MB at most.
MOST_NODES = 500_000
# How many floats an intermediate result may have: 16 MB.
MOST_FLOATS = 1 << 21
# Up to how many walks (rows times trees) the trees of HistGradientBoosting are walked in one call.
MOST_WALKS = 4000


def _as_trees_compare(estimator: Any, *, takes_missing: bool = False) -> Step:
    """Return a function to float32, which raises ValueError where a number is too large."""
    width = estimator.n_features_in_

    def convert(data: Data) -> Any:
        with np.errstate(over="ignore"):
            found = _of_width(numbers(data), width).astype(np.float32, order="C")
        return bounded(found) if takes_missing else finite(found)

    return convert


def _takes_missing(tree: Any) -> bool:
    """Tell whether a fitted tree takes NaN: some do from scikit-learn 1.3 on."""
    supports = getattr(tree, "_support_missing_values", None)
    return supports is not None and bool(supports(np.zeros((1, tree.n_features_in_))))


def _of_width(found: Any, width: int) -> Any:
    """Return the matrix if it is as wide as in the training: a kernel would read beyond a row."""
    if found.shape[1] != width:
        raise ValueError(f"{found.shape[1]} columns; there were {width} in the training")
    return found


def _shares_of(tree: Any) -> Any:
    """Return the share of each class in each node, of the shape (nodes, classes)."""
    values = tree.value[:, 0, :]
    totals = values.sum(axis=1, keepdims=True)
    # Before scikit-learn 1.3 the nodes hold how many rows of each class they have.
    return values if np.allclose(totals, 1.0) else values / np.where(totals == 0, 1.0, totals)


def _tree_classifier(estimator: Any, wanted: bool) -> Predict:
    if estimator.n_outputs_ != 1:
        raise NotCompiled("it has several targets")
    tree, shares, classes = estimator.tree_, _shares_of(estimator.tree_), estimator.classes_
    convert = _as_trees_compare(estimator, takes_missing=_takes_missing(estimator))

    def predict(data: Data) -> Any:
        found = shares[tree.apply(convert(data))]
        return classes[found.argmax(axis=1)], found if wanted else None

    return predict


def _tree_regressor(estimator: Any, wanted: bool) -> Predict:
    tree, takes_missing = estimator.tree_, _takes_missing(estimator)
    convert = _as_trees_compare(estimator, takes_missing=takes_missing)
    if estimator.n_outputs_ != 1:
        raise NotCompiled("it has several targets")
    return lambda data: (tree.predict(convert(data))[:, 0], None)


def _forest_classifier(estimator: Any, wanted: bool) -> Predict:
    if estimator.n_outputs_ != 1:
        raise NotCompiled("it has several targets")
    trees, classes = [member.tree_ for member in estimator.estimators_], estimator.classes_
    takes_missing, leaves = _takes_missing(estimator.estimators_[0]), _leaves(trees)
    convert = _as_trees_compare(estimator, takes_missing=takes_missing)
    shares = np.concatenate([_shares_of(tree) for tree in trees])
    size = len(trees)
    at_once = max(1, MOST_FLOATS // (size * len(classes)))

    def predict(data: Data) -> Any:
        found = convert(data)
        parts = [
            shares[leaves(found[start : start + at_once])].sum(axis=1)
            for start in range(0, len(found), at_once)
        ]
        total = (parts[0] if len(parts) == 1 else np.concatenate(parts)) / size
        return classes[total.argmax(axis=1)], total if wanted else None

    return predict


def _leaves(trees: Sequence[Any]) -> Step:
    """Return a function to the leaf of each row in each tree, numbered through all trees.

    The kernel of gradient boosting walks many trees in one call, and adds what it finds in their
    leaves: here copies of the trees which have their numbers in them, each with its own sum.
    """
    starts = np.cumsum([0] + [tree.node_count for tree in trees])
    predict_stages = _kernel()

    def find_one_by_one(found: Any) -> Any:
        return np.array([tree.apply(found) for tree in trees]).T + starts[:-1]

    if starts[-1] > MOST_NODES or predict_stages is None:
        return find_one_by_one
    numbered = np.empty((1, len(trees)), dtype=object)
    for place, (tree, start) in enumerate(zip(trees, starts[:-1], strict=True)):
        copy = type(tree)(tree.n_features, np.ones(1, dtype=np.intp), 1)
        own = np.arange(start, start + tree.node_count, dtype=np.float64).reshape(-1, 1, 1)
        copy.__setstate__({**tree.__getstate__(), "values": own})
        numbered[0, place] = SimpleNamespace(tree_=copy)

    def find(found: Any) -> Any:
        if np.isnan(found).any():  # the kernel does not know where a missing number goes
            return find_one_by_one(found)
        sums = np.zeros((len(found), len(trees)))
        predict_stages(numbered, found, 1.0, sums)
        return sums.astype(np.intp)

    return find


def _kernel() -> Any:
    try:
        from sklearn.ensemble._gradient_boosting import predict_stages  # noqa: PLC0415
    except ImportError:  # it is private
        return None
    return predict_stages


def _forest_regressor(estimator: Any, wanted: bool) -> Predict:
    predict_stages = _kernel()
    if estimator.n_outputs_ != 1 or predict_stages is None:
        raise NotCompiled("it has several targets")
    size = len(estimator.estimators_)
    members = np.empty((size, 1), dtype=object)
    members[:, 0] = estimator.estimators_
    takes_missing = _takes_missing(estimator.estimators_[0])
    convert = _as_trees_compare(estimator, takes_missing=takes_missing)

    def predict(data: Data) -> Any:
        found = convert(data)
        sums = np.zeros((len(found), 1))
        if np.isnan(found).any():  # the kernel does not know where a missing number goes
            for member in estimator.estimators_:
                sums += member.tree_.predict(found)
        else:
            predict_stages(members, found, 1.0, sums)
        return sums[:, 0] / size, None

    return predict


def _gradient_boosting(estimator: Any, wanted: bool) -> Predict:
    predict_stages = _kernel()
    constant = estimator.init_ == "zero" or type(estimator.init_).__name__.startswith("Dummy")
    if not constant or predict_stages is None:
        raise NotCompiled("it starts from another model")
    width = estimator.n_features_in_
    start = estimator._raw_predict_init(np.zeros((1, width), dtype=np.float32))
    members, rate = estimator.estimators_, estimator.learning_rate
    convert, answer = _as_trees_compare(estimator), _from_raw(estimator, wanted, tie=1)

    def predict(data: Data) -> Any:
        found = convert(data)
        raw = np.repeat(start, len(found), axis=0)
        predict_stages(members, found, rate, raw)
        return answer(raw)

    return predict


def _from_raw(estimator: Any, wanted: bool, *, tie: int) -> Callable[[Any], Any]:
    """Return a function from sums over the trees to predictions, as this version makes them.

    `tie` is the class of a raw sum of zero.
    """
    loss: Any = getattr(estimator, "_loss", None)
    if not hasattr(estimator, "classes_"):
        link = getattr(loss, "link", None)
        return lambda raw: (link.inverse(raw[:, 0]) if link is not None else raw[:, 0], None)
    classes = estimator.classes_
    current = hasattr(loss, "predict_proba")
    to_shares = loss.predict_proba if current else loss._raw_prediction_to_proba

    def answer(raw: Any) -> Any:
        shares: Any = to_shares(raw) if wanted or not current else None
        if not current:
            codes = shares.argmax(axis=1)
        elif raw.shape[1] == 1:
            codes = (raw[:, 0] >= 0 if tie else raw[:, 0] > 0).astype(np.intp)
        else:
            codes = raw.argmax(axis=1)
        return classes[codes], shares if wanted else None

    return answer


def hist_gradient_boosting(estimator: Any, wanted: bool, prepare: Step) -> Predict:
    """Return predictions; `prepare` makes numbers of what it takes as categories."""
    stages = [tree for iteration in estimator._predictors for tree in iteration]
    known, places = estimator._bin_mapper.make_known_categories_bitsets()
    start = np.asarray(estimator._baseline_prediction).reshape(1, -1)
    width, outputs = estimator.n_features_in_, start.shape[1]
    walk = _walk(stages, width, known, places)
    answer = _from_raw(estimator, wanted, tie=0)

    def predict(data: Data) -> Any:
        found = _of_width(prepare(data), width).astype(np.float64, copy=False)
        raw = np.repeat(start, len(found), axis=0)
        if len(found) * len(stages) > MOST_WALKS:
            for number, tree in enumerate(stages):
                raw[:, number % outputs] += tree.predict(found, known, places, 1)
            return answer(raw)
        steps = walk(found).reshape(-1, outputs, len(found)).transpose(0, 2, 1)
        # One by one, as the native method adds them; a sum over all has other last bits.
        return answer(np.cumsum(np.concatenate([raw[np.newaxis], steps]), axis=0)[-1])

    return predict


def _walk(stages: Sequence[Any], width: int, known: Any, places: Any) -> Step:
    """Return a function to the value of each tree for each row, tree after tree.

    All trees become one, whose upper nodes choose by one more column: the number of the tree.
    """
    from sklearn.ensemble._hist_gradient_boosting._predictor import (  # noqa: PLC0415
        _predict_from_raw_data,
    )

    size = len(stages)
    nodes = np.concatenate([np.zeros(size - 1, stages[0].nodes.dtype), *(t.nodes for t in stages)])
    roots, start, bitsets = [], size - 1, 0
    for tree in stages:
        roots.append(start)
        end = start + len(tree.nodes)
        inner = nodes[start:end]
        inner["left"] += start
        inner["right"] += start
        inner["bitset_idx"] += bitsets
        start, bitsets = end, bitsets + len(tree.raw_left_cat_bitsets)
    lefts = np.concatenate([tree.raw_left_cat_bitsets for tree in stages])
    free = iter(range(size - 1))

    def choose(low: int, high: int) -> int:
        """Build the upper nodes for the trees from `low` to before `high`; return their root."""
        if high - low == 1:
            return roots[low]
        node, middle = next(free), (low + high) // 2
        nodes[node]["feature_idx"], nodes[node]["num_threshold"] = width, middle - 0.5
        nodes[node]["left"], nodes[node]["right"] = choose(low, middle), choose(middle, high)
        return node

    choose(0, size)
    places = np.append(places, np.zeros(1, dtype=places.dtype))

    def find(found: Any) -> Any:
        rows = len(found)
        repeated = np.empty((size, rows, width + 1))
        repeated[:, :, :width] = found
        repeated[:, :, width] = np.arange(size)[:, np.newaxis]
        values = np.empty(size * rows)
        flat = repeated.reshape(size * rows, width + 1)
        _predict_from_raw_data(nodes, flat, lefts, known, places, 1, values)
        return values

    return find


PREDICTORS: dict[str, Callable[[Any, bool], Predict]] = {
    "DecisionTreeClassifier": _tree_classifier,
    "DecisionTreeRegressor": _tree_regressor,
    "ExtraTreeClassifier": _tree_classifier,
    "ExtraTreeRegressor": _tree_regressor,
    "RandomForestClassifier": _forest_classifier,
    "RandomForestRegressor": _forest_regressor,
    "ExtraTreesClassifier": _forest_classifier,
    "ExtraTreesRegressor": _forest_regressor,
    "GradientBoostingClassifier": _gradient_boosting,
    "GradientBoostingRegressor": _gradient_boosting,
}
