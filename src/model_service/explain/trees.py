"""Sums of decision trees as flat arrays, and which features let a row pass on the way to a leaf.

The nodes of all trees are numbered by depth, so that children follow their parents. The features
that decide on the way to a node have numbers there, in the order in which they first decide: bit k
of a mask stands for the k-th of them. The mask of a row at a node has the bits of those features
that do not let it pass. Its mask is 0 at the leaves that it reaches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import numpy as np

# How a row's value v is compared with a threshold t: in 64 bits; v rounded to 32 bits; both
# rounded to 32 bits, and equal values go right.
Comparison = Literal["float64", "float32", "float32 below"]
# What LightGBM calls zero.
ZERO = 1e-35
MAX_MASK_BITS = 62
# Of masks, so many are held at a time: 32 MB.
MAX_MASKS = 1 << 22


class TooDeep(ValueError):
    """A path has more features than a mask has bits."""


@dataclass(frozen=True)
class Tree:
    """The nodes of one tree as a library has them; -1 is the child of a leaf."""

    column: Any  # int (nodes,)
    threshold: Any  # float64 (nodes,)
    left: Any  # int (nodes,)
    right: Any  # int (nodes,)
    missing_left: Any  # bool (nodes,): where a missing value goes
    values: Any  # float64 (nodes, outputs)
    # LightGBM can treat zero as missing: 1 left, 0 right, -1 as any other number.
    zero_left: Any = None  # int8 (nodes,)
    # For nodes that decide by category: whether each code goes left, by node; others go as -1.
    categories: dict[int, Any] | None = None
    other_left: bool = False


@dataclass(frozen=True)
class Nodes:
    """All trees of a model in arrays; deciding nodes and leaves are numbered apart."""

    comparison: Comparison
    column: Any  # int32 (deciding,)
    threshold: Any  # float64 (deciding,)
    missing_left: Any  # bool (deciding,)
    zero_left: Any  # int8 (deciding,), or empty
    coded: Any  # int32: those that decide by category
    code_start: Any  # int64 (coded + 1,): of each in `code_left`
    code_left: Any  # bool: whether a code goes left; the last of each node is for all others
    parent: Any  # int32 (nodes,): number among all nodes; 0 for roots
    decider: Any  # int32 (nodes,): number of the parent among the deciding ones
    is_left: Any  # bool (nodes,)
    bit: Any  # int64 (nodes,): of the feature that decides at the parent; 0 for roots
    level_start: Any  # int64 (levels + 1,)
    leaf: Any  # int32 (leaves,): number among all nodes
    leaf_value: Any  # float64 (leaves, 1 or outputs)
    leaf_output: Any  # int32 (leaves,): the only output that it counts for, or empty
    path_start: Any  # int64 (leaves + 1,): of each leaf in `path_player`
    path_player: Any  # int32: the features on the way to each leaf, in the order of their bits

    def arrays(self) -> dict[str, Any]:
        """Return the arrays by name, as a file holds them."""
        return {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Any]) -> Nodes:
        """Return the nodes from the arrays of a file."""
        found = {f.name: arrays[f.name] for f in fields(cls)}
        return cls(**{**found, "comparison": str(found["comparison"])})

    @cached_property
    def depth(self) -> Any:
        """How many features are on the way to each leaf."""
        return np.diff(self.path_start)

    @property
    def output_count(self) -> int:
        """How many outputs the leaves count for."""
        if len(self.leaf_output):
            return int(self.leaf_output.max()) + 1
        return int(self.leaf_value.shape[1])

    @cached_property
    def _mask_dtype(self) -> Any:
        deepest = int(self.depth.max(initial=0))
        return np.int16 if deepest < 15 else np.int32 if deepest < 31 else np.int64

    @cached_property
    def _bits(self) -> Any:
        return self.bit.astype(self._mask_dtype)

    @cached_property
    def _levels(self) -> list[tuple[int, int]]:
        return list(pairwise(self.level_start.tolist()))[1:]

    def goes_left(self, rows: Any) -> Any:
        """Return whether each row goes left at each deciding node: (rows, deciding)."""
        if self.comparison != "float64":
            with np.errstate(over="ignore"):
                rows = rows.astype(np.float32)
        values = rows[:, self.column]
        if self.comparison == "float32 below":
            left = values < self._threshold32
        else:
            left = values <= self.threshold
        if len(self.zero_left):
            is_zero = (np.abs(values) <= ZERO) & (self.zero_left >= 0)
            left = np.where(is_zero, self.zero_left == 1, left)
        if len(self.coded):
            left[:, self.coded] = self._coded_left(values[:, self.coded])
        missing = np.isnan(values)
        return np.where(missing, self.missing_left, left) if missing.any() else left

    @cached_property
    def _threshold32(self) -> Any:
        return self.threshold.astype(np.float32)

    def _coded_left(self, values: Any) -> Any:
        """Return whether codes go left at the nodes that decide by category."""
        starts, sizes = self.code_start[:-1], np.diff(self.code_start) - 1
        codes = np.where(np.isnan(values), -1, values)
        known = (codes > -1) & (codes < sizes)
        return self.code_left[starts + np.where(known, codes, sizes).astype(np.int64)]

    def masks(self, rows: Any) -> Any:
        """Return the mask of each row at each leaf: (rows, leaves)."""
        if not len(self.column):  # each tree is a single leaf
            return np.zeros((len(rows), len(self.leaf)), dtype=self._mask_dtype)
        left = self.goes_left(rows)
        if len(rows) == 1:
            return self._masks_of_one(left[0])[np.newaxis]
        failed = np.where(left[:, self.decider] != self.is_left, self._bits, 0)
        for start, end in self._levels:
            failed[:, start:end] |= failed[:, self.parent[start:end]]
        return failed[:, self.leaf]

    def _masks_of_one(self, left: Any) -> Any:
        failed = (left[self.decider] != self.is_left) * self._bits
        parent = self.parent
        for start, end in self._levels:
            failed[start:end] |= failed[parent[start:end]]
        return failed[self.leaf]

    def masks_in_chunks(self, rows: Any) -> Any:
        """Yield the masks of some rows at a time."""
        size = max(1, MAX_MASKS // max(len(self.bit), 1))
        for start in range(0, len(rows), size):
            yield self.masks(rows[start : start + size])

    def output_values(self, output: int) -> Any:
        """Return the value of each leaf for one output."""
        if len(self.leaf_output):
            return np.where(self.leaf_output == output, self.leaf_value[:, 0], 0.0)
        return self.leaf_value[:, output]


def flatten(
    trees: Sequence[Tree],
    player_of_column: Any,
    comparison: Comparison,
    outputs: Sequence[int] | None = None,
) -> Nodes:
    """Number the nodes of all trees by depth.

    `player_of_column` has the number of the feature of each column. `outputs` has the output that
    each tree counts for; None if the leaves have a value for each output. Raises TooDeep.
    """
    starts = np.cumsum([0, *(len(tree.column) for tree in trees)])
    joined = _joined(trees, starts)
    order, level_start = _by_depth(joined["left"], joined["right"], starts[:-1])
    new = np.empty(len(order), dtype=np.int64)
    new[order] = np.arange(len(order))
    left, right = joined["left"][order], joined["right"][order]
    decides = left >= 0
    deciding = np.flatnonzero(decides)
    parent, is_left = np.zeros(len(order), dtype=np.int64), np.zeros(len(order), dtype=bool)
    for children, side in ((left, True), (right, False)):
        parent[new[children[deciding]]] = deciding
        is_left[new[children[deciding]]] = side
    number = np.cumsum(decides) - 1
    player = np.asarray(player_of_column)[np.where(decides, joined["column"][order], 0)]
    roots = len(trees)
    bit, paths = _paths(player, parent, roots)
    leaves = np.flatnonzero(~decides)
    path_start = np.concatenate([[0], np.cumsum([len(paths[leaf]) for leaf in leaves])])
    tree_of = np.repeat(np.arange(len(trees)), np.diff(starts))[order]
    zero_left = joined["zero_left"][order][deciding]
    coded, code_start, code_left = _codes(trees, starts, new, number)
    return Nodes(
        comparison,
        joined["column"][order][deciding].astype(np.int32),
        joined["threshold"][order][deciding],
        joined["missing_left"][order][deciding],
        zero_left if (zero_left >= 0).any() else np.empty(0, dtype=np.int8),
        coded,
        code_start,
        code_left,
        parent.astype(np.int32),
        number[parent].clip(min=0).astype(np.int32),
        np.where(np.arange(len(order)) < roots, True, is_left),
        bit,
        level_start,
        leaves.astype(np.int32),
        joined["values"][order][leaves],
        np.empty(0, np.int32)
        if outputs is None
        else np.asarray(outputs, np.int32)[tree_of[leaves]],
        path_start.astype(np.int64),
        np.array([p for leaf in leaves for p in paths[leaf]], dtype=np.int32),
    )


def _joined(trees: Sequence[Tree], starts: Any) -> dict[str, Any]:
    """Return the arrays of all trees, one behind the other; children are numbered through."""

    def moved(children: Any, start: int) -> Any:
        return np.where(children >= 0, children + start, -1)

    zeros = [np.full(len(t.column), -1) if t.zero_left is None else t.zero_left for t in trees]
    return {
        "column": np.concatenate([t.column for t in trees]).astype(np.int64),
        "threshold": np.concatenate([t.threshold for t in trees]).astype(np.float64),
        "left": np.concatenate([moved(t.left, s) for t, s in zip(trees, starts, strict=False)]),
        "right": np.concatenate([moved(t.right, s) for t, s in zip(trees, starts, strict=False)]),
        "missing_left": np.concatenate([t.missing_left for t in trees]).astype(bool),
        "values": np.concatenate([t.values for t in trees]).astype(np.float64),
        "zero_left": np.concatenate(zeros).astype(np.int8),
    }


def _by_depth(left: Any, right: Any, roots: Any) -> tuple[Any, Any]:
    """Return the nodes in the order of their depth, and where each depth starts."""
    levels, level = [], np.asarray(roots)
    while len(level):
        levels.append(level)
        children = np.column_stack([left[level], right[level]]).ravel()
        level = children[children >= 0]
    starts = np.concatenate([[0], np.cumsum([len(found) for found in levels])])
    return np.concatenate(levels), starts.astype(np.int64)


def _paths(player: Any, parent: Any, roots: int) -> tuple[Any, list[Any]]:
    """Return the bit of the decision before each node, and the features on the way to it."""
    paths: list[tuple[int, ...]] = [()] * len(player)
    bits = np.zeros(len(player), dtype=np.int64)
    players, parents = player.tolist(), parent.tolist()
    for node in range(roots, len(players)):
        above = parents[node]
        path, decides = paths[above], players[above]
        if decides not in path:
            path = (*path, decides)
            if len(path) > MAX_MASK_BITS:
                raise TooDeep(f"a path of a tree has more than {MAX_MASK_BITS} features")
        bits[node] = 1 << path.index(decides)
        paths[node] = path
    return bits, paths


def _codes(trees: Sequence[Tree], starts: Any, new: Any, number: Any) -> tuple[Any, Any, Any]:
    """Return the nodes that decide by category, and which codes go left at each."""
    found: list[tuple[int, Any]] = []
    for tree, start in zip(trees, starts, strict=False):
        for node, left in (tree.categories or {}).items():
            found.append((int(number[new[start + node]]), np.append(left, tree.other_left)))
    found.sort(key=lambda entry: entry[0])
    coded = np.array([node for node, _ in found], dtype=np.int32)
    ends = np.cumsum([0, *(len(left) for _, left in found)]).astype(np.int64)
    joined = [left for _, left in found] or [np.empty(0, dtype=bool)]
    return coded, ends, np.concatenate(joined).astype(bool)
