"""scikit-learn's trees, forests and gradient boosting, by its own compiled tree traversals.

The native methods spend their time on validation and on one call for each tree. With few rows, a
whole forest is traversed in one call here. Many rows pass tree after tree, so that a tree stays in
the processor's cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from model_service.fast_path.data import (
    Data,
    MatrixTransform,
    NotCompiled,
    Outputs,
    check_width,
    to_finite_floats,
    to_floats,
    to_floats_allow_nan,
)
from model_service.fast_path.steps.registry import CompiledModel, register_model

# A row passes so many trees in about the time that handing it to another thread takes.
MAX_INLINE_TREES = 500
# The nodes of a forest are copied only up to here: a node takes 100 bytes, so 50 MB.
MAX_COPIED_NODES = 500_000
# Up to so many rows, and numbers (16 MB), a forest is traversed in one call.
MAX_JOINT_ROWS, MAX_FLOATS = 384, 1 << 21
# Up to so many rows times trees, HistGradientBoosting is traversed in one call.
MAX_JOINT_TRAVERSALS = 4000


def tree_count(estimator: Any, *, per_class: bool, rounds: str = "n_estimators") -> int:
    """Return the number of trees that a row passes; 0 if the estimator has none.

    `per_class` is for boosting, which has a tree for each of three or more classes in each round;
    `rounds` names the attribute with the number of rounds.
    """
    found: int | None = getattr(estimator, rounds, 0)
    # XGBoost takes None for its default of 100 rounds.
    trees = (100 if found is None else found) * (getattr(estimator, "num_parallel_tree", None) or 1)
    class_count = len(getattr(estimator, "classes_", ()))
    return trees * class_count if per_class and class_count > 2 else trees


def _require_one_target(estimator: Any) -> None:
    if estimator.n_outputs_ != 1:
        raise NotCompiled(f"{type(estimator).__name__} predicts several targets.")


def _to_float32(estimator: Any, *, allow_nan: bool = False) -> MatrixTransform:
    """Return the conversion to float32, in which trees compare.

    It raises ValueError for another number of columns and for numbers that float32 cannot hold.
    """
    width = estimator.n_features_in_
    check = to_floats_allow_nan if allow_nan else to_finite_floats

    def convert(data: Data) -> Any:
        matrix = to_floats(data)
        check_width(matrix, width)
        with np.errstate(over="ignore"):
            matrix = matrix.astype(np.float32, order="C")
        return check(matrix)

    return convert


def _allows_nan(tree: Any) -> bool:
    """Return whether a fitted tree takes NaN, as some do since scikit-learn 1.3."""
    supports = getattr(tree, "_support_missing_values", None)
    return supports is not None and bool(supports(np.zeros((1, tree.n_features_in_))))


def _node_probabilities(tree: Any) -> Any:
    """Return the share of each class in each node, of the shape (nodes, classes)."""
    values = tree.value[:, 0, :]
    totals = values.sum(axis=1, keepdims=True)
    # Before scikit-learn 1.3 the nodes hold the number of rows of each class instead.
    return values if np.allclose(totals, 1.0) else values / np.where(totals == 0, 1.0, totals)


@register_model("sklearn", "DecisionTreeClassifier", "ExtraTreeClassifier")
def _tree_classifier(estimator: Any, probabilities: bool) -> CompiledModel:
    _require_one_target(estimator)
    tree, classes = estimator.tree_, estimator.classes_
    by_node = _node_probabilities(tree)
    convert = _to_float32(estimator, allow_nan=_allows_nan(estimator))

    def predict(data: Data) -> Outputs:
        shares = by_node[tree.apply(convert(data))]
        return classes[shares.argmax(axis=1)], shares if probabilities else None

    return CompiledModel(predict, inline=True, is_bitwise_batch_invariant=True)


@register_model("sklearn", "DecisionTreeRegressor", "ExtraTreeRegressor")
def _tree_regressor(estimator: Any, probabilities: bool) -> CompiledModel:
    _require_one_target(estimator)
    tree = estimator.tree_
    convert = _to_float32(estimator, allow_nan=_allows_nan(estimator))

    def predict(data: Data) -> Outputs:
        return tree.predict(convert(data))[:, 0], None

    return CompiledModel(predict, inline=True, is_bitwise_batch_invariant=True)


@register_model("sklearn", "ExtraTreesClassifier", "RandomForestClassifier")
def _forest_classifier(estimator: Any, probabilities: bool) -> CompiledModel:
    _require_one_target(estimator)
    trees, classes = [member.tree_ for member in estimator.estimators_], estimator.classes_
    find_leaves = _leaf_finder(trees)
    convert = _to_float32(estimator, allow_nan=_allows_nan(estimator.estimators_[0]))
    by_node = np.concatenate([_node_probabilities(tree) for tree in trees])
    starts = np.cumsum([tree.node_count for tree in trees])[:-1]
    shares_by_tree = list(zip(trees, np.split(by_node, starts), strict=True))
    size = len(trees)
    max_joint_rows = min(MAX_JOINT_ROWS, MAX_FLOATS // (size * len(classes)))

    def sum_shares(matrix: Any) -> Any:
        # Both ways add the trees in their order, so the last bits are the same.
        if find_leaves is not None and len(matrix) <= max_joint_rows and not np.isnan(matrix).any():
            return by_node[find_leaves(matrix)].sum(axis=1)
        sums = np.zeros((len(matrix), len(classes)))
        for tree, shares in shares_by_tree:
            sums += shares.take(tree.apply(matrix), axis=0)
        return sums

    def predict(data: Data) -> Outputs:
        shares = sum_shares(convert(data)) / size
        return classes[shares.argmax(axis=1)], shares if probabilities else None

    inline = tree_count(estimator, per_class=False) <= MAX_INLINE_TREES
    return CompiledModel(predict, inline=inline, is_bitwise_batch_invariant=True)


def _leaf_finder(trees: Sequence[Any]) -> MatrixTransform | None:
    """Return the function from rows to their leaf in each tree, of the shape (rows, trees).

    Nodes are numbered through all trees. The kernel of gradient boosting traverses many trees in
    one call and adds up the values of the leaves: it gets copies of the trees whose values are
    the numbers of their nodes, each with a sum of its own. It does not handle missing values. None
    if there are too many nodes to copy, or no such kernel.
    """
    starts = np.cumsum([0] + [tree.node_count for tree in trees])
    predict_stages = _boosting_kernel()
    if starts[-1] > MAX_COPIED_NODES or predict_stages is None:
        return None
    numbered = np.empty((1, len(trees)), dtype=object)
    for index, (tree, start) in enumerate(zip(trees, starts[:-1], strict=True)):
        copy = type(tree)(tree.n_features, np.ones(1, dtype=np.intp), 1)
        nodes = np.arange(start, start + tree.node_count, dtype=np.float64).reshape(-1, 1, 1)
        copy.__setstate__({**tree.__getstate__(), "values": nodes})
        numbered[0, index] = SimpleNamespace(tree_=copy)

    def find(matrix: Any) -> Any:
        sums = np.zeros((len(matrix), len(trees)))
        predict_stages(numbered, matrix, 1.0, sums)
        return sums.astype(np.intp)

    return find


def _boosting_kernel() -> Any:
    """Return scikit-learn's private kernel of gradient boosting, or None if it is not there."""
    try:  # here, for not every model needs scikit-learn
        from sklearn.ensemble._gradient_boosting import predict_stages  # noqa: PLC0415
    except ImportError:
        return None
    return predict_stages


@register_model("sklearn", "ExtraTreesRegressor", "RandomForestRegressor")
def _forest_regressor(estimator: Any, probabilities: bool) -> CompiledModel:
    _require_one_target(estimator)
    predict_stages = _require_boosting_kernel()
    size = len(estimator.estimators_)
    members = np.empty((size, 1), dtype=object)
    members[:, 0] = estimator.estimators_
    convert = _to_float32(estimator, allow_nan=_allows_nan(estimator.estimators_[0]))

    def predict(data: Data) -> Outputs:
        matrix = convert(data)
        sums = np.zeros((len(matrix), 1))
        if np.isnan(matrix).any():  # the kernel does not handle missing values
            for member in estimator.estimators_:
                sums += member.tree_.predict(matrix)
        else:
            predict_stages(members, matrix, 1.0, sums)
        return sums[:, 0] / size, None

    inline = tree_count(estimator, per_class=False) <= MAX_INLINE_TREES
    return CompiledModel(predict, inline=inline, is_bitwise_batch_invariant=True)


def _require_boosting_kernel() -> Any:
    if (predict_stages := _boosting_kernel()) is None:
        raise NotCompiled("This version of scikit-learn has another kernel for trees.")
    return predict_stages


@register_model("sklearn", "GradientBoostingClassifier", "GradientBoostingRegressor")
def _gradient_boosting(estimator: Any, probabilities: bool) -> CompiledModel:
    predict_stages = _require_boosting_kernel()
    if estimator.init_ != "zero" and not type(estimator.init_).__name__.startswith("Dummy"):
        raise NotCompiled(f"{type(estimator).__name__} starts from another model.")
    width = estimator.n_features_in_
    initial = estimator._raw_predict_init(np.zeros((1, width), dtype=np.float32))
    members, learning_rate = estimator.estimators_, estimator.learning_rate
    convert = _to_float32(estimator)
    to_outputs = _outputs_from_sums(estimator, probabilities, zero_is_positive=True)

    def predict(data: Data) -> Outputs:
        matrix = convert(data)
        sums = np.repeat(initial, len(matrix), axis=0)
        predict_stages(members, matrix, learning_rate, sums)
        return to_outputs(sums)

    inline = tree_count(estimator, per_class=True) <= MAX_INLINE_TREES
    return CompiledModel(predict, inline=inline, is_bitwise_batch_invariant=True)


def _outputs_from_sums(
    estimator: Any, probabilities: bool, *, zero_is_positive: bool
) -> Callable[[Any], Outputs]:
    """Return the function from the sums over all trees to predictions and probabilities.

    `zero_is_positive` says which of two classes a sum of zero means.
    """
    loss: Any = getattr(estimator, "_loss", None)
    if not hasattr(estimator, "classes_"):
        link = getattr(loss, "link", None)
        return lambda sums: (link.inverse(sums[:, 0]) if link is not None else sums[:, 0], None)
    classes = estimator.classes_
    # Before scikit-learn 1.4 GradientBoosting has losses of its own, which decide by probabilities.
    by_sums = hasattr(loss, "predict_proba")
    to_probabilities = loss.predict_proba if by_sums else loss._raw_prediction_to_proba

    def to_outputs(sums: Any) -> Outputs:
        shares: Any = to_probabilities(sums) if probabilities or not by_sums else None
        if not by_sums:
            codes = shares.argmax(axis=1)
        elif sums.shape[1] == 1:
            codes = (sums[:, 0] >= 0 if zero_is_positive else sums[:, 0] > 0).astype(np.intp)
        else:
            codes = sums.argmax(axis=1)
        return classes[codes], shares if probabilities else None

    return to_outputs


def compile_hist_gradient_boosting(
    estimator: Any, probabilities: bool, preprocess: MatrixTransform
) -> CompiledModel:
    """Compile a HistGradientBoosting model; `preprocess` encodes its categorical features."""
    trees = [tree for iteration in estimator._predictors for tree in iteration]
    bitsets, bitset_indices = estimator._bin_mapper.make_known_categories_bitsets()
    initial = np.asarray(estimator._baseline_prediction).reshape(1, -1)
    width, outputs = estimator.n_features_in_, initial.shape[1]
    traverse_jointly = _joint_traversal(trees, width, bitsets, bitset_indices)
    to_outputs = _outputs_from_sums(estimator, probabilities, zero_is_positive=False)

    def predict(data: Data) -> Outputs:
        matrix = preprocess(data)
        check_width(matrix, width)
        matrix = matrix.astype(np.float64, copy=False)
        sums = np.repeat(initial, len(matrix), axis=0)
        if len(matrix) * len(trees) > MAX_JOINT_TRAVERSALS:
            for number, tree in enumerate(trees):
                sums[:, number % outputs] += tree.predict(matrix, bitsets, bitset_indices, 1)
            return to_outputs(sums)
        values = traverse_jointly(matrix).reshape(-1, outputs, len(matrix)).transpose(0, 2, 1)
        # Added one after the other, as the native method does; np.sum gives other last bits.
        return to_outputs(np.cumsum(np.concatenate([sums[np.newaxis], values]), axis=0)[-1])

    trees_passed = tree_count(estimator, per_class=True, rounds="n_iter_")
    # Without steps before it, its own preprocessing takes the columns as they come.
    return CompiledModel(
        predict,
        inline=trees_passed <= MAX_INLINE_TREES,
        single_rows="after steps",
        is_bitwise_batch_invariant=True,
    )


def _joint_traversal(
    trees: Sequence[Any], width: int, bitsets: Any, bitset_indices: Any
) -> MatrixTransform:
    """Return the function from rows to the value of each tree for each row, tree after tree.

    All trees become the subtrees of one, whose upper nodes decide by an additional column: the
    number of the tree.
    """
    # Here, for not every model needs scikit-learn.
    from sklearn.ensemble._hist_gradient_boosting._predictor import (  # noqa: PLC0415
        _predict_from_raw_data,
    )

    size = len(trees)
    nodes = np.concatenate([np.zeros(size - 1, trees[0].nodes.dtype), *(t.nodes for t in trees)])
    roots, start, first_bitset = [], size - 1, 0
    for tree in trees:
        roots.append(start)
        end = start + len(tree.nodes)
        subtree = nodes[start:end]
        subtree["left"] += start
        subtree["right"] += start
        subtree["bitset_idx"] += first_bitset
        start, first_bitset = end, first_bitset + len(tree.raw_left_cat_bitsets)
    left_bitsets = np.concatenate([tree.raw_left_cat_bitsets for tree in trees])
    upper_nodes = iter(range(size - 1))

    def build(low: int, high: int) -> int:
        """Build the upper nodes above the trees `low` to `high - 1`; return their root."""
        if high - low == 1:
            return roots[low]
        node, middle = next(upper_nodes), (low + high) // 2
        nodes[node]["feature_idx"], nodes[node]["num_threshold"] = width, middle - 0.5
        nodes[node]["left"], nodes[node]["right"] = build(low, middle), build(middle, high)
        return node

    build(0, size)
    bitset_indices = np.append(bitset_indices, np.zeros(1, dtype=bitset_indices.dtype))

    def traverse(matrix: Any) -> Any:
        rows = len(matrix)
        repeated = np.empty((size, rows, width + 1))
        repeated[:, :, :width] = matrix
        repeated[:, :, width] = np.arange(size)[:, np.newaxis]
        values = np.empty(size * rows)
        flat = repeated.reshape(size * rows, width + 1)
        _predict_from_raw_data(nodes, flat, left_bitsets, bitsets, bitset_indices, 1, values)
        return values

    return traverse
