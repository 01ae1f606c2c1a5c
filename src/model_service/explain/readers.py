"""Read the trees of each library's fitted models. Used once, when verify builds the explanations.

The values are those of the leaves alone; what else a model adds (the start of a boosting, a base
score) is a constant that is found by comparing with the model's own answers.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model_service.explain.trees import Comparison, Tree


class Unreadable(Exception):
    """The trees of this model cannot be read; the message says why."""


@dataclass(frozen=True)
class TreeSum:
    """The trees of a model, and the output that each of them counts for."""

    trees: Sequence[Tree]
    comparison: Comparison
    outputs: Sequence[int] | None = None  # None: each leaf has a value for each output


def read_trees(model: Any) -> TreeSum:
    """Return the trees of a fitted model. Raises Unreadable."""
    reader = _reader_of(model)
    if reader is None:
        raise Unreadable(f"{type(model).__name__} is no sum of trees")
    return reader(model)


def has_reader(model: Any) -> bool:
    """Return whether a model is one of those whose trees can be read."""
    return _reader_of(model) is not None


def _reader_of(model: Any) -> Callable[[Any], TreeSum] | None:
    cls = type(model)
    return _READERS.get((cls.__module__.split(".")[0], cls.__name__))


# scikit-learn


def _sklearn_tree(tree: Any, scale: float, *, shares: bool) -> Tree:
    values = tree.value  # (nodes, targets, classes or 1)
    if shares:
        # Before scikit-learn 1.3 the nodes hold the number of rows of each class instead.
        values = values / np.maximum(values.sum(axis=2, keepdims=True), 1e-300)
        values = values[:, :, 1:] if values.shape[2] == 2 else values
    missing_left = getattr(tree, "missing_go_to_left", None)
    return Tree(
        tree.feature.clip(min=0),
        tree.threshold,
        tree.children_left,
        tree.children_right,
        np.zeros(tree.node_count) if missing_left is None else missing_left,
        values.reshape(len(values), -1) * scale,
    )


def _one_tree(model: Any) -> TreeSum:
    return _forest_of([model], shares=hasattr(model, "classes_"))


def _forest(model: Any) -> TreeSum:
    return _forest_of(model.estimators_, shares=hasattr(model, "classes_"))


def _forest_of(members: Sequence[Any], *, shares: bool) -> TreeSum:
    if shares and members[0].n_outputs_ > 1:
        raise Unreadable("the classes of several targets are kept in one array")
    trees = [_sklearn_tree(member.tree_, 1 / len(members), shares=shares) for member in members]
    return TreeSum(trees, "float32")


def _gradient_boosting(model: Any) -> TreeSum:
    members = model.estimators_  # (rounds, outputs)
    trees, outputs = [], []
    for number in range(members.shape[1]):
        for member in members[:, number]:
            trees.append(_sklearn_tree(member.tree_, model.learning_rate, shares=False))
            outputs.append(number)
    return TreeSum(trees, "float32", outputs)


def _hist_gradient_boosting(model: Any) -> TreeSum:
    known, feature_row = model._bin_mapper.make_known_categories_bitsets()
    trees, outputs = [], []
    for iteration in model._predictors:
        for number, predictor in enumerate(iteration):
            trees.append(_hist_tree(predictor, known, feature_row))
            outputs.append(number)
    return TreeSum(trees, "float64", outputs)


def _hist_tree(predictor: Any, known: Any, feature_row: Any) -> Tree:
    nodes = predictor.nodes
    is_leaf = nodes["is_leaf"].astype(bool)
    missing_left = nodes["missing_go_to_left"].astype(bool)
    categories = {}
    for node in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~is_leaf).tolist():
        goes_left = _bits(predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]])
        is_known = _bits(known[feature_row[nodes["feature_idx"][node]]])
        # A category that was not there in the training goes where missing values go.
        unknown = np.full(len(is_known) + 1, missing_left[node])
        unknown[:-1] = np.where(goes_left | is_known, goes_left, missing_left[node])
        categories[node] = unknown
    return Tree(
        nodes["feature_idx"].astype(np.int64),
        nodes["num_threshold"],
        np.where(is_leaf, -1, nodes["left"].astype(np.int64)),
        np.where(is_leaf, -1, nodes["right"].astype(np.int64)),
        missing_left,
        nodes["value"].reshape(-1, 1),
        categories=categories or None,
    )


def _bits(words: Any) -> Any:
    """Return the bits of unsigned 32-bit words as booleans, the lowest first."""
    words = np.asarray(words, dtype=np.uint32)
    return ((words[:, np.newaxis] >> np.arange(32, dtype=np.uint32)) & 1).astype(bool).ravel()


# XGBoost


def _xgboost_class(model: Any) -> TreeSum:
    rounds = model._get_iteration_range(None) if hasattr(model, "_get_iteration_range") else (0, 0)
    return _xgboost(model.get_booster(), rounds[1])


def _xgboost(booster: Any, rounds: int = 0) -> TreeSum:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        booster.save_model(str(path))
        document = json.loads(path.read_text(encoding="utf-8"))["learner"]
    model = document["gradient_booster"]
    weights: Sequence[float] | None = None
    if model["name"] == "dart":
        weights, model = model["weight_drop"], model["gbtree"]
    elif model["name"] != "gbtree":
        raise Unreadable(f"XGBoost's {model['name']} has no trees")
    model = model["model"]
    groups = [int(group) for group in model["tree_info"]]
    if int(document["learner_model_param"].get("num_target", "1")) > 1 and any(
        int(tree["tree_param"].get("size_leaf_vector", "1")) > 1 for tree in model["trees"]
    ):
        raise Unreadable("XGBoost's trees have several targets")
    parallel = int(model["gbtree_model_param"].get("num_parallel_tree", "1") or 1)
    kept = rounds * parallel * (max(groups, default=0) + 1) if rounds else len(groups)
    scales = weights if weights is not None else [1.0] * len(groups)
    trees = [
        _xgboost_tree(tree, float(scale))
        for tree, scale in zip(model["trees"][:kept], scales, strict=False)
    ]
    return TreeSum(trees, "float32 below", groups[:kept])


def _xgboost_tree(tree: Mapping[str, Any], scale: float) -> Tree:
    left = np.array(tree["left_children"])
    conditions = np.array(tree["split_conditions"], dtype=np.float32)
    categories = {}
    nodes, starts = tree.get("categories_nodes", []), tree.get("categories_segments", [])
    for node, start, size in zip(nodes, starts, tree.get("categories_sizes", []), strict=True):
        codes = np.array(tree["categories"][start : start + size], dtype=np.int64)
        goes_left = np.ones(int(codes.max(initial=0)) + 1, dtype=bool)
        goes_left[codes] = False  # the listed categories go right
        categories[int(node)] = goes_left
    return Tree(
        np.array(tree["split_indices"]),
        conditions.astype(np.float64),
        left,
        np.array(tree["right_children"]),
        np.array(tree["default_left"]),
        np.where(left < 0, conditions, 0).astype(np.float64).reshape(-1, 1) * scale,
        categories=categories or None,
        other_left=True,
    )


# LightGBM


def _lightgbm_class(model: Any) -> TreeSum:
    return _lightgbm(model.booster_)


def _lightgbm(booster: Any) -> TreeSum:
    document = booster.dump_model()
    if document.get("average_output"):
        rounds = len(document["tree_info"]) / document["num_tree_per_iteration"]
        scale = 1 / rounds
    else:
        scale = 1.0
    per_round = document["num_tree_per_iteration"]
    trees = [_lightgbm_tree(info["tree_structure"], scale) for info in document["tree_info"]]
    return TreeSum(trees, "float64", [number % per_round for number in range(len(trees))])


def _lightgbm_tree(root: Mapping[str, Any], scale: float) -> Tree:
    rows: list[list[Any]] = []
    categories: dict[int, Any] = {}
    waiting: list[tuple[Mapping[str, Any], int, int]] = [(root, -1, 0)]
    while waiting:
        node, parent, side = waiting.pop()
        number = len(rows)
        if parent >= 0:
            rows[parent][side] = number
        if "leaf_coeff" in node:
            raise Unreadable("LightGBM's leaves are linear models")
        if "split_feature" not in node:
            rows.append([0, 0.0, -1, -1, False, node["leaf_value"] * scale, -1])
            continue
        column, missing = node["split_feature"], node["missing_type"]
        default_left, threshold, zero_left = bool(node["default_left"]), 0.0, -1
        if node["decision_type"] == "==":
            codes = np.array([int(code) for code in str(node["threshold"]).split("||")])
            categories[number] = np.isin(np.arange(codes.max() + 1), codes)
            default_left = False
        else:
            threshold = float(node["threshold"])
            if missing == "None":  # missing values count as zero
                default_left = threshold >= 0.0
            elif missing == "Zero":
                zero_left = int(default_left)
        rows.append([column, threshold, -1, -1, default_left, 0.0, zero_left])
        waiting.append((node["right_child"], number, 3))
        waiting.append((node["left_child"], number, 2))
    columns = [np.array(values) for values in zip(*rows, strict=True)]
    column, thresholds, left, right, missing_left, values, zeros = columns
    return Tree(
        column,
        thresholds,
        left,
        right,
        missing_left,
        values.astype(np.float64).reshape(-1, 1),
        zero_left=zeros,
        categories=categories or None,
    )


# CatBoost


def _catboost(model: Any) -> TreeSum:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        document = json.loads(path.read_text(encoding="utf-8"))
    if "oblivious_trees" not in document:
        raise Unreadable("CatBoost's trees are not symmetric")
    if document.get("ctrs") or document["features_info"].get("categorical_features"):
        raise Unreadable("CatBoost's model takes categories")
    floats = document["features_info"]["float_features"]
    # A split of CatBoost asks whether a value is above the border.
    nan_goes_up = {f["feature_index"]: f.get("nan_value_treatment") == "AsTrue" for f in floats}
    columns = {f["feature_index"]: f["flat_feature_index"] for f in floats}
    scale = float(document.get("scale_and_bias", [1.0])[0])
    trees = [
        _oblivious_tree(tree, columns, nan_goes_up, scale) for tree in document["oblivious_trees"]
    ]
    return TreeSum(trees, "float32")


def _oblivious_tree(
    tree: Mapping[str, Any],
    columns: Mapping[int, int],
    nan_goes_up: Mapping[int, bool],
    scale: float,
) -> Tree:
    """Return a symmetric tree, whose nodes of one depth share a split, as a binary one."""
    splits = tree["splits"] or []
    if any(split["split_type"] != "FloatFeature" for split in splits):
        raise Unreadable("CatBoost's model takes categories")
    depth = len(splits)
    inner = (1 << depth) - 1
    nodes = np.arange(2 * inner + 1)
    level = np.floor(np.log2(nodes + 1)).astype(int)
    decides = nodes < inner
    # The first split is the lowest bit of a leaf's number: the root takes the last one.
    of_level = [splits[depth - 1 - n] for n in range(depth)]
    by_node = [of_level[n] if n < depth else None for n in level]
    values = np.array(tree["leaf_values"]).reshape(1 << depth, -1) * scale
    return Tree(
        np.array([columns[s["float_feature_index"]] if s else 0 for s in by_node]),
        np.array([s["border"] if s else 0.0 for s in by_node]),
        np.where(decides, 2 * nodes + 1, -1),
        np.where(decides, 2 * nodes + 2, -1),
        np.array([not nan_goes_up[s["float_feature_index"]] if s else False for s in by_node]),
        np.concatenate([np.zeros((inner, values.shape[1])), values]),
    )


def _adapted(adapter: Any) -> TreeSum:
    return read_trees(adapter.booster)


_READERS: dict[tuple[str, str], Callable[[Any], TreeSum]] = {
    **{
        ("sklearn", f"{kind}Tree{task}"): _one_tree
        for kind in ("Decision", "Extra")
        for task in ("Classifier", "Regressor")
    },
    **{
        ("sklearn", f"{kind}{task}"): _forest
        for kind in ("RandomForest", "ExtraTrees")
        for task in ("Classifier", "Regressor")
    },
    **{
        ("sklearn", f"GradientBoosting{task}"): _gradient_boosting
        for task in ("Classifier", "Regressor")
    },
    **{
        ("sklearn", f"HistGradientBoosting{task}"): _hist_gradient_boosting
        for task in ("Classifier", "Regressor")
    },
    **{
        ("xgboost", name): _xgboost_class
        for name in (
            "XGBClassifier",
            "XGBRegressor",
            "XGBRFClassifier",
            "XGBRFRegressor",
            "XGBRanker",
        )
    },
    ("xgboost", "Booster"): _xgboost,
    **{
        ("lightgbm", f"LGBM{task}"): _lightgbm_class
        for task in ("Classifier", "Regressor", "Ranker")
    },
    ("lightgbm", "Booster"): _lightgbm,
    **{
        ("catboost", name): _catboost
        for name in ("CatBoost", "CatBoostClassifier", "CatBoostRegressor")
    },
    ("model_service", "BoosterAdapter"): _adapted,
}
