"""Sums of trees: tables and pairs agree with each other, and have the properties of the values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_service.explain.game import enumerate_coalitions
from model_service.explain.leaves import (
    LeafMasks,
    LeafPairs,
    LeafTables,
    bit_counts,
    fits_tables,
)
from model_service.explain.trees import Comparison, Nodes, TooDeep, Tree, flatten

PLAYERS = 5


def random_tree(random: np.random.Generator, columns: int, depth: int) -> Tree:
    """Return a tree with random splits at whole numbers, of which some paths end early."""
    rows: list[list[Any]] = []

    def grow(level: int) -> int:
        number = len(rows)
        is_leaf = level == depth or (level > 1 and random.random() < 0.25)
        rows.append(
            [
                int(random.integers(columns)),
                float(random.integers(-2, 3)),
                -1,
                -1,
                bool(random.integers(2)),
                float(random.normal()) if is_leaf else 0.0,
            ]
        )
        if not is_leaf:
            rows[number][2] = grow(level + 1)
            rows[number][3] = grow(level + 1)
        return number

    grow(0)
    column, threshold, left, right, missing, value = map(np.array, zip(*rows, strict=True))
    return Tree(column, threshold, left, right, missing, value.reshape(-1, 1))


class Forest:
    """Random trees over more columns than players, and rows that meet their thresholds."""

    def __init__(self, seed: int, comparison: Comparison = "float64") -> None:
        random = np.random.default_rng(seed)
        self.columns = PLAYERS + 2
        self.player = np.array([*range(PLAYERS), 0, 3])
        self.trees = [random_tree(random, self.columns, 4) for _ in range(4)]
        self.nodes = flatten(self.trees, self.player, comparison)
        rows = random.integers(-3, 4, size=(30, self.columns)).astype(float)
        self.rows = np.where(random.random(rows.shape) < 0.1, np.nan, rows)
        self.background = self.rows[:12]

    def values(self, nodes: Nodes, rows: Any) -> Any:
        return (nodes.masks(rows) == 0) @ nodes.output_values(0)

    def walked(self, row: Any) -> float:
        """Return the sum for a row by walking down each tree."""
        total = 0.0
        for tree in self.trees:
            node = 0
            while tree.left[node] >= 0:
                value = row[tree.column[node]]
                left = tree.missing_left[node] if np.isnan(value) else value <= tree.threshold[node]
                node = (tree.left if left else tree.right)[node]
            total += tree.values[node, 0]
        return total

    def contributions(self, kind: Any, row: Any) -> Any:
        masks = LeafMasks.of_rows(self.nodes, self.background)
        assert masks is not None
        game = kind(self.nodes, masks)
        return game.contributions(
            self.nodes.masks(row[np.newaxis])[0], self.nodes.output_values(0), PLAYERS
        )


@pytest.mark.parametrize("kind", [LeafTables, LeafPairs])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_leaves_solve_the_game(kind: Any, seed: int) -> None:
    forest = Forest(seed)
    row = forest.rows[20]
    values = forest.values(forest.nodes, forest.rows)
    assert values.tolist() == pytest.approx([forest.walked(each) for each in forest.rows])

    def evaluate(numbers: Any, mixed: Any) -> Any:
        rows = np.where(mixed[:, forest.player], row, forest.background[numbers])
        return forest.values(forest.nodes, rows)[:, np.newaxis]

    differs = np.ones((len(forest.background), PLAYERS), dtype=bool)
    expected = enumerate_coalitions(evaluate, differs)
    found = forest.contributions(kind, row)
    assert found.tolist() == pytest.approx(expected.contributions[0].tolist(), abs=1e-12)
    # Efficiency.
    base = forest.values(forest.nodes, forest.background).mean()
    assert base + found.sum() == pytest.approx(forest.walked(row), abs=1e-12)


@pytest.mark.parametrize("kind", [LeafTables, LeafPairs])
@given(seed=st.integers(0, 10_000), order=st.permutations(range(PLAYERS)))
@settings(max_examples=10, deadline=None)
def test_the_order_of_the_features_does_not_matter(kind: Any, seed: int, order: list[int]) -> None:
    forest = Forest(seed)
    found = forest.contributions(kind, forest.rows[20])
    forest.nodes = flatten(forest.trees, np.array(order)[forest.player], "float64")
    reordered = forest.contributions(kind, forest.rows[20])
    assert reordered[order].tolist() == pytest.approx(found.tolist(), abs=1e-12)


@pytest.mark.parametrize("kind", [LeafTables, LeafPairs])
def test_a_feature_without_a_split_has_no_part(kind: Any) -> None:
    forest = Forest(3)
    for tree in forest.trees:
        tree.column[np.isin(tree.column, (2,))] = 1
    forest.nodes = flatten(forest.trees, forest.player, "float64")
    assert forest.contributions(kind, forest.rows[20])[2] == 0.0


@pytest.mark.parametrize("kind", [LeafTables, LeafPairs])
def test_features_that_act_alike_have_equal_parts(kind: Any) -> None:
    """A tree that asks for both of two features, which are equal in each row."""
    tree = Tree(
        np.array([0, 1, 0, 0, 0]),
        np.zeros(5),
        np.array([1, 2, -1, -1, -1]),
        np.array([4, 3, -1, -1, -1]),
        np.zeros(5, dtype=bool),
        np.array([[0], [0], [5.0], [1.0], [1.0]]),
    )
    nodes = flatten([tree], [0, 1], "float64")
    rows = np.array([[-1.0, -1.0], [1.0, 1.0], [2.0, 2.0]])
    masks = LeafMasks.of_rows(nodes, rows[1:])
    assert masks is not None
    found = kind(nodes, masks).contributions(nodes.masks(rows[:1])[0], nodes.output_values(0), 2)
    assert found.tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("comparison", "value", "goes_left"),
    [
        ("float64", 0.1, True),
        ("float64", np.nextafter(0.1, 1), False),
        ("float32", np.nextafter(0.1, 1), False),  # float32(0.1) is above 0.1
        ("float32", 0.0999999, True),
        ("float32 below", 0.1, False),  # equal values go right
        ("float32 below", 0.0999999, True),
        ("float64", float("nan"), True),
    ],
)
def test_comparisons_at_a_threshold(comparison: Comparison, value: float, goes_left: bool) -> None:
    tree = Tree(
        np.array([0, 0, 0]),
        np.array([0.1, 0, 0]),
        np.array([1, -1, -1]),
        np.array([2, -1, -1]),
        np.array([True, False, False]),
        np.array([[0], [1.0], [2.0]]),
    )
    nodes = flatten([tree], [0], comparison)
    assert nodes.goes_left(np.array([[value]])).tolist() == [[goes_left]]


@pytest.mark.parametrize(
    ("code", "goes_left"),
    [(0, True), (1, False), (2, True), (2.7, True), (3, False), (-1, False), (float("nan"), True)],
)
def test_categories_go_where_the_tree_sends_them(code: float, goes_left: bool) -> None:
    tree = Tree(
        np.array([0, 0, 0]),
        np.zeros(3),
        np.array([1, -1, -1]),
        np.array([2, -1, -1]),
        np.array([True, False, False]),
        np.array([[0], [1.0], [2.0]]),
        categories={0: np.array([True, False, True])},
    )
    nodes = flatten([tree], [0], "float64")
    assert nodes.goes_left(np.array([[code]])).tolist() == [[goes_left]]


def test_zero_can_be_missing() -> None:
    tree = Tree(
        np.array([0, 0, 0]),
        np.array([5.0, 0, 0]),
        np.array([1, -1, -1]),
        np.array([2, -1, -1]),
        np.array([False, False, False]),
        np.array([[0], [1.0], [2.0]]),
        zero_left=np.array([0, -1, -1]),
    )
    nodes = flatten([tree], [0], "float64")
    rows = np.array([[0.0], [1e-40], [1.0], [9.0]])
    assert nodes.goes_left(rows)[:, 0].tolist() == [False, False, True, False]


def test_a_path_of_too_many_features_is_refused() -> None:
    count = 64
    inner = np.arange(count)
    tree = Tree(
        np.concatenate([inner, np.zeros(count + 1, dtype=int)]),
        np.zeros(2 * count + 1),
        np.concatenate([inner + count, np.full(count + 1, -1)]),
        np.concatenate([inner[:-1] + 1, [2 * count], np.full(count + 1, -1)]),
        np.zeros(2 * count + 1, dtype=bool),
        np.zeros((2 * count + 1, 1)),
    )
    with pytest.raises(TooDeep):
        flatten([tree], inner, "float64")


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64])
def test_bits_are_counted(dtype: Any) -> None:
    masks = np.array([0, 1, 3, 2**14 + 1, 127], dtype=dtype)
    assert bit_counts(masks).tolist() == [0, 1, 2, 2, 7]


def test_small_trees_have_tables() -> None:
    assert fits_tables(Forest(0).nodes)
