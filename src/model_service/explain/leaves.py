"""Shapley values of sums of trees from their leaves, exact for any background.

A leaf of value v is reached by x in the coalition and a background row z elsewhere if each feature
on its path lets it pass. Let z fail by r features and x by c, and no feature fail both. Then each
of the r contributes  v (r-1)! c! / (r+c)!, and each of the c  -v r! (c-1)! / (r+c)!. What z fails
by is a mask, so the background is kept as counts of the different masks at each leaf (the idea of
WOODELF, https://arxiv.org/abs/2511.09376, and of interventional TreeSHAP). Two ways lead on:

tables: for each leaf and each mask of x the contributions, added up over the background;
pairs: the leaves with their background masks, and arithmetic over all of them, for deep trees.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import factorial
from typing import Any

import numpy as np

from model_service.explain.trees import MAX_MASK_BITS, Nodes

# Tables hold at most so many numbers (24 MB), and paths of at most so many features.
MAX_TABLE_NUMBERS = 3 << 20
MAX_TABLE_DEPTH = 10
# Pairs of a leaf and a background mask: each takes 8 to 14 bytes, and a row passes all of them.
MAX_PAIRS = 2_500_000


@lru_cache(maxsize=1)
def pair_weights() -> tuple[Any, Any]:
    """Return the weights of a feature that z fails by, and of one that x fails by, by r and c."""
    size = MAX_MASK_BITS + 1
    of_z, of_x = np.zeros((size, size)), np.zeros((size, size))
    for r in range(size):
        for c in range(size):
            if r:
                of_z[r, c] = factorial(r - 1) * factorial(c) / factorial(r + c)
            if c:
                of_x[r, c] = factorial(r) * factorial(c - 1) / factorial(r + c)
    return of_z, of_x


@lru_cache(maxsize=1)
def _bits_of_16() -> Any:
    return np.array([number.bit_count() for number in range(1 << 16)], dtype=np.int8)


def bit_counts(masks: Any) -> Any:
    """Return how many bits each mask has."""
    masks = np.ascontiguousarray(masks)
    if masks.dtype.itemsize == 2:
        return _bits_of_16()[masks]
    halves = masks.view(np.uint16).reshape(*masks.shape, masks.dtype.itemsize // 2)
    return _bits_of_16()[halves].sum(axis=-1, dtype=np.int8)


@dataclass(frozen=True)
class LeafMasks:
    """The different background masks at each leaf, and how many background rows have each."""

    background_count: int
    pair_start: Any  # int64 (leaves + 1,): of each leaf in the two others
    mask: Any  # (pairs,)
    count: Any  # unsigned (pairs,)

    @classmethod
    def of_rows(cls, nodes: Nodes, rows: Any) -> LeafMasks | None:
        """Count the masks of background rows; None if there are too many different ones."""
        leaf_count = len(nodes.leaf)
        masks = np.concatenate(list(nodes.masks_in_chunks(rows)))
        ends, found, counts = np.zeros(leaf_count + 1, dtype=np.int64), [], []
        for leaf in range(leaf_count):
            different, times = np.unique(masks[:, leaf], return_counts=True)
            ends[leaf + 1] = ends[leaf] + len(different)
            if ends[leaf + 1] > MAX_PAIRS:
                return None
            found.append(different)
            counts.append(times)
        size = len(rows)
        dtype = np.uint8 if size < 1 << 8 else np.uint16 if size < 1 << 16 else np.uint32
        joined = np.concatenate(counts).astype(dtype)
        return cls(len(rows), ends, np.concatenate(found), joined)

    @cached_property
    def leaf(self) -> Any:
        """The leaf of each pair."""
        numbers = np.arange(len(self.pair_start) - 1, dtype=np.int32)
        return np.repeat(numbers, np.diff(self.pair_start))

    def reached_shares(self) -> Any:
        """Return the share of the background rows that reach each leaf."""
        reached = np.where(self.mask == 0, self.count, 0)
        counts = np.bincount(self.leaf, reached, len(self.pair_start) - 1)
        return counts / self.background_count


def fits_tables(nodes: Nodes) -> bool:
    """Return whether the contributions of all masks are few enough to be kept."""
    numbers = float((nodes.depth * 2.0**nodes.depth).sum())
    return int(nodes.depth.max(initial=0)) <= MAX_TABLE_DEPTH and numbers <= MAX_TABLE_NUMBERS


class LeafTables:
    """The contributions of a leaf of value 1 for each mask of a row, looked up."""

    def __init__(self, nodes: Nodes, background: LeafMasks) -> None:
        self._nodes = nodes
        depth = nodes.depth
        self._table = np.empty(int((depth << depth).sum()))
        start, end = np.zeros(len(depth), dtype=np.int64), 0
        for level in np.unique(depth[depth > 0]).tolist():
            leaves = np.flatnonzero(depth == level)
            block = self._table[end : end + (len(leaves) * level << level)]
            _fill(block.reshape(len(leaves), level, 1 << level), leaves, background)
            start[leaves] = end + np.arange(len(leaves)) * (level << level)
            end += len(block)
        # Where the numbers of each leaf and feature start, by the mask of the row.
        self._leaf = np.repeat(np.arange(len(depth)), depth)
        place = np.arange(len(self._leaf)) - np.repeat(nodes.path_start[:-1], depth)
        self._first = start[self._leaf] + (place << depth[self._leaf])

    def contributions(self, masks: Any, leaf_values: Any, player_count: int) -> Any:
        """Return the contribution of each player; `masks` are those of the row at the leaves."""
        weights = self._table[self._first + masks[self._leaf]] * leaf_values[self._leaf]
        return np.bincount(self._nodes.path_player, weights, player_count)

    @property
    def byte_count(self) -> int:
        """How much memory the tables take."""
        return int(self._table.nbytes + self._leaf.nbytes + self._first.nbytes)


def _fill(table: Any, leaves: Any, background: LeafMasks) -> None:
    """Compute the tables (leaves, features, masks) of leaves with so many features on the path."""
    depth, size = table.shape[1:]
    row = np.full(len(background.pair_start) - 1, -1)
    row[leaves] = np.arange(len(leaves))
    chosen = np.flatnonzero(row[background.leaf] >= 0)
    masks = background.mask[chosen].astype(np.int64)
    counts = np.zeros((len(leaves), depth + 1, size))
    counts[row[background.leaf[chosen]], bit_counts(masks), masks] = background.count[chosen]
    counts /= background.background_count
    for halves in _halves(counts):  # of each mask those of all its subsets
        halves[..., 1, :] += halves[..., 0, :]
    # By the mask m of x: the background rows that fail by r features, none of them in m.
    passing = counts[:, :, ::-1]
    of_z, of_x = pair_weights()
    fails, strata = bit_counts(np.arange(size)), slice(0, depth + 1)
    whole = np.einsum("lrm,rm->lm", passing, of_z[strata, fails])
    lost = np.einsum("lrm,rm->lm", passing, of_x[strata, fails])
    # Without one more feature, by the mask that has it; the weight is that of m.
    without = np.einsum("lrm,rm->lm", passing, of_z[strata, (fails - 1).clip(min=0)])
    by_place = zip(_halves(whole), _halves(lost), _halves(without), strict=True)
    for place, (of_whole, of_lost, of_without) in enumerate(by_place):
        halves = table[:, place].reshape(of_whole.shape)
        halves[..., 0, :] = of_whole[..., 0, :] - of_without[..., 1, :]
        halves[..., 1, :] = -of_lost[..., 1, :]


def _halves(by_mask: Any) -> Iterator[Any]:
    """Yield views of an array by mask, for each feature: (…, without or with it, …)."""
    size = by_mask.shape[-1]
    for place in range(size.bit_length() - 1):
        yield by_mask.reshape(*by_mask.shape[:-1], -1, 2, 1 << place)


class LeafPairs:
    """The contributions from all pairs of a leaf and a background mask."""

    def __init__(self, nodes: Nodes, background: LeafMasks) -> None:
        self._nodes, self._background = nodes, background
        self._leaf, self._mask = background.leaf, background.mask

    def contributions(self, masks: Any, leaf_values: Any, player_count: int) -> Any:
        """Return the contribution of each player; `masks` are those of the row at the leaves."""
        # The row and the background row must not fail by the same feature.
        kept = np.flatnonzero((masks[self._leaf] & self._mask) == 0)
        leaf, of_background = self._leaf[kept], self._mask[kept]
        counts = bit_counts(of_background), bit_counts(masks)[leaf]
        weight = leaf_values[leaf] * self._background.count[kept]
        weight /= self._background.background_count
        of_z, of_x = pair_weights()
        gained, lost = weight * of_z[counts], weight * of_x[counts]
        # What the row fails by depends on the leaf alone.
        lost_at = np.bincount(leaf, lost, len(masks))
        found = np.zeros(player_count)
        first = self._nodes.path_start
        for place in range(int(self._nodes.depth.max(initial=0))):
            has = np.flatnonzero(of_background >> place & 1)
            players = self._nodes.path_player[first[leaf[has]] + place]
            found += np.bincount(players, gained[has], player_count)
            failed = np.flatnonzero(masks >> place & 1)
            players = self._nodes.path_player[first[failed] + place]
            found -= np.bincount(players, lost_at[failed], player_count)
        return found

    @property
    def byte_count(self) -> int:
        """How much memory the pairs take."""
        arrays = (self._leaf, self._mask, self._background.count)
        return int(sum(array.nbytes for array in arrays))


LeafGame = LeafTables | LeafPairs


def leaf_game(nodes: Nodes, background: LeafMasks) -> LeafGame:
    """Return the quicker way that fits into memory."""
    return LeafTables(nodes, background) if fits_tables(nodes) else LeafPairs(nodes, background)


def masks_to_arrays(background: LeafMasks) -> Mapping[str, Any]:
    """Return the counts as a file holds them."""
    return {
        "background_count": np.asarray(background.background_count),
        "pair_start": background.pair_start,
        "mask": background.mask,
        "count": background.count,
    }


def masks_from_arrays(arrays: Mapping[str, Any]) -> LeafMasks:
    """Return the counts from the arrays of a file."""
    return LeafMasks(
        int(arrays["background_count"]), arrays["pair_start"], arrays["mask"], arrays["count"]
    )
