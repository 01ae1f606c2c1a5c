"""The game by its definition: Shapley values by enumeration, and estimates by permutations.

A model is known here by one function: from the rows of a mixture to its outputs. A mixture is
given by two arrays: for each of its rows the number of a background row, and which players have
the value of the explained row; the others have that of the background row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import factorial
from typing import Any

import numpy as np

# From background numbers (rows,) and a matrix of players (rows, players) to (rows, outputs).
Evaluate = Callable[[Any, Any], Any]

# Rows of a mixture that are evaluated at a time, and values of all their features.
CHUNK_ROWS, CHUNK_CELLS = 20_000, 1 << 21


@dataclass(frozen=True)
class Solution:
    """The Shapley values of one row."""

    contributions: Any  # (outputs, players)
    base: Any  # (outputs,): the mean over the background
    value: Any  # (outputs,): the model at the row
    error: Any = None  # (outputs, players): standard errors, None if the values are exact


@lru_cache(maxsize=32)
def coalitions(player_count: int) -> Any:
    """Return all coalitions as the rows of a matrix: row s has the bits of s."""
    numbers = np.arange(1 << player_count)
    return (numbers[:, np.newaxis] >> np.arange(player_count)) & 1 == 1


@lru_cache(maxsize=32)
def coalition_weights(player_count: int) -> Any:
    """Return the weight of each coalition in each player's value: (players, coalitions)."""
    members = coalitions(player_count)
    sizes = members.sum(axis=1)
    total = factorial(player_count)
    joined = np.array(
        [
            factorial(s - 1) * factorial(player_count - s) / total if s else 0.0
            for s in range(player_count + 1)
        ]
    )
    left = np.array(
        [
            factorial(s) * factorial(player_count - s - 1) / total if s < player_count else 0.0
            for s in range(player_count + 1)
        ]
    )
    return np.where(members, joined[sizes][:, np.newaxis], -left[sizes][:, np.newaxis]).T


def enumerate_coalitions(evaluate: Evaluate, differs: Any) -> Solution:
    """Solve the game exactly from the values of all coalitions.

    `differs` says for each background row which players have another value there than in the
    explained row: only these are mixed, and the others have no influence.
    """
    background_count, player_count = differs.shape
    players = np.flatnonzero(differs.any(axis=0))
    numbers, mixed, places = _mixtures(differs[:, players])
    values = _evaluate_in_chunks(evaluate, numbers, _widened(mixed, players, player_count))
    worth = values[places].sum(axis=0) / background_count
    contributions = np.zeros((worth.shape[1], player_count))
    contributions[:, players] = (coalition_weights(len(players)) @ worth).T
    return Solution(contributions, worth[0], worth[-1])


def _mixtures(differs: Any) -> tuple[Any, Any, Any]:
    """Return the different mixtures of all background rows.

    These are the number of the background row and the players of each mixture, and the place of
    each coalition in them: (background rows, coalitions).
    """
    members = coalitions(differs.shape[1])
    bits = 1 << np.arange(differs.shape[1])
    numbers, mixed, places, count = [], [], [], 0
    for number, differing in enumerate(differs):
        kept, inverse = np.unique((members & differing) @ bits, return_inverse=True)
        numbers.append(np.full(len(kept), number))
        mixed.append(members[kept])
        places.append(inverse.ravel() + count)
        count += len(kept)
    return np.concatenate(numbers), np.concatenate(mixed), np.array(places)


def _widened(mixed: Any, players: Any, player_count: int) -> Any:
    """Return a matrix of some players as one of all; the others are the explained row's."""
    wide = np.ones((len(mixed), player_count), dtype=bool)
    wide[:, players] = mixed
    return wide


def _evaluate_in_chunks(evaluate: Evaluate, numbers: Any, mixed: Any) -> Any:
    size = max(1, min(CHUNK_ROWS, CHUNK_CELLS // max(mixed.shape[1], 1)))
    parts = [
        evaluate(numbers[start : start + size], mixed[start : start + size])
        for start in range(0, len(mixed), size)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


class Permutations:
    """Estimates from antithetic pairs of orders: in each, the players join one after the other.

    The sum of the contributions is exact for each order, so it is for their mean.
    """

    def __init__(self, evaluate: Evaluate, differs: Any, seed: int = 0) -> None:
        self._evaluate, self._differs = evaluate, differs
        self._random = np.random.Generator(np.random.PCG64(seed))
        self._players = np.flatnonzero(differs.any(axis=0))
        self._pairs: list[Any] = []
        self._ends: tuple[Any, Any] | None = None

    @property
    def rows_of_a_pair(self) -> int:
        """How many rows are evaluated for one pair."""
        return 2 * int(self._differs.sum() + len(self._differs))

    @property
    def pair_count(self) -> int:
        """How many pairs the estimate has."""
        return len(self._pairs)

    def add_pair(self) -> None:
        """Evaluate one more order and its reverse."""
        order = self._random.permutation(self._players)
        self._pairs.append((self._walk(order) + self._walk(order[::-1])) / 2)

    def _walk(self, order: Any) -> Any:
        """Return the contributions (outputs, players) for one order."""
        background_count, player_count = self._differs.shape
        # A player who has the same value in the background row changes nothing: no row for it.
        changes = self._differs[:, order]
        joined = np.hstack([np.ones((background_count, 1), dtype=bool), changes])
        numbers, steps = np.nonzero(joined)
        mixed = np.ones((len(numbers), player_count), dtype=bool)
        mixed[:, order] = np.arange(len(order)) < steps[:, np.newaxis]
        values = _evaluate_in_chunks(self._evaluate, numbers, mixed)
        places = np.cumsum(joined.ravel()).reshape(joined.shape) - 1
        worth = values[places].mean(axis=0)
        self._ends = worth[0], worth[-1]
        contributions = np.zeros((values.shape[1], player_count))
        contributions[:, order] = np.diff(worth, axis=0).T
        return contributions

    def solution(self) -> Solution:
        """Return the estimate; it needs one pair, and two for standard errors."""
        assert self._ends is not None
        found = np.array(self._pairs)
        error = np.zeros(found.shape[1:])
        if len(found) > 1:
            error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
        return Solution(found.mean(axis=0), *self._ends, error)
