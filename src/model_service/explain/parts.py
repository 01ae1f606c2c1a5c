"""The terms of a model that are solved in closed form: linear models and sums of trees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from model_service.explain.leaves import (
    LeafMasks,
    fits_tables,
    leaf_game,
    masks_from_arrays,
    masks_to_arrays,
)
from model_service.explain.trees import Nodes
from model_service.fast_path.data import is_sparse

# So many leaves are looked up in less than a millisecond.
MAX_QUICK_LEAVES = 5000


@dataclass(frozen=True)
class Word:
    """A word of a text and what it adds; None stands for all words that are not in the text."""

    word: str | None
    contribution: float


@dataclass(slots=True)  # a frozen one takes three times as long to create
class Explained:
    """The explanation of one row and one output, of a part or of the whole model."""

    contributions: Sequence[float]  # of each feature
    base: float
    value: float
    error: Sequence[float] | None = None  # standard errors of each, None if they are exact
    words: Sequence[Word] = ()


@dataclass(frozen=True)
class LinearPart:
    """A linear model: coefficient times the distance from the mean of the background."""

    player: Any  # int32 (columns,): the feature of each column
    player_count: int
    coefficients: Any  # (outputs, columns)
    intercept: Any  # (outputs,)
    mean: Any  # (columns,): of the background

    @cached_property
    def _of_mean(self) -> Any:
        """What each feature adds at the mean: (outputs, players)."""
        at_mean = self.coefficients * self.mean
        return np.array([np.bincount(self.player, row, self.player_count) for row in at_mean])

    @cached_property
    def base(self) -> Any:
        """The mean of each output over the background."""
        return self._of_mean.sum(axis=1) + self.intercept

    @cached_property
    def _scalars(self) -> list[tuple[list[tuple[int, float]], list[float], float, float]]:
        """For each output as Python numbers: what `solve_values` needs."""
        players = self.player.tolist()
        return [
            (list(zip(players, own, strict=True)), at_mean, intercept, base)
            for own, at_mean, intercept, base in zip(
                self.coefficients.tolist(),
                self._of_mean.tolist(),
                self.intercept.tolist(),
                self.base.tolist(),
                strict=True,
            )
        ]

    def solve_values(self, values: Sequence[float], output: int) -> Explained:
        """Do as `solve` for the values of one row: NumPy's calls cost more than its arithmetic."""
        pairs, at_mean, intercept, base = self._scalars[output]
        added = [0.0] * self.player_count
        for (player, coefficient), value in zip(pairs, values, strict=True):
            added[player] += coefficient * value
        contributions = [one - mean for one, mean in zip(added, at_mean, strict=True)]
        return Explained(contributions, base, sum(added) + intercept)

    def solve(self, row: Any, output: int) -> Explained:
        """Return what each feature adds; `row` is a matrix of one row."""
        own = self.coefficients[output]
        if is_sparse(row):
            columns, products = row.indices, own[row.indices] * row.data
            added = np.bincount(self.player[columns], products, self.player_count)
        else:
            added = np.bincount(self.player, own * row[0], self.player_count)
        contributions = added - self._of_mean[output]
        base = float(self.base[output])
        value = float(added.sum() + self.intercept[output])
        return Explained(contributions.tolist(), base, value)

    is_quick = True  # a row takes less time than handing it to another thread

    def by_column(self, row: Any, output: int) -> tuple[Any, Any]:
        """Return the columns that are not zero in a row, and what each of them adds."""
        values = row.toarray()[0] if is_sparse(row) else row[0]
        columns = np.flatnonzero(values)
        added = self.coefficients[output, columns] * (values[columns] - self.mean[columns])
        return columns, added

    @property
    def tolerance(self) -> float:
        """The largest relative difference from the model's own numbers."""
        return 1e-9

    @property
    def byte_count(self) -> int:
        """How much memory the part takes."""
        return int(self.coefficients.nbytes + self.mean.nbytes + self.player.nbytes)

    def arrays(self) -> dict[str, Any]:
        """Return the arrays that a file holds."""
        return {
            "player": self.player,
            "player_count": np.asarray(self.player_count),
            "coefficients": self.coefficients,
            "intercept": self.intercept,
            "mean": self.mean,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> LinearPart:
        """Return the part from the arrays of a file."""
        return cls(
            arrays["player"],
            int(arrays["player_count"]),
            arrays["coefficients"],
            arrays["intercept"],
            arrays["mean"],
        )


class TreePart:
    """A sum of trees, by leaf tables or leaf pairs."""

    def __init__(
        self, nodes: Nodes, background: LeafMasks, constant: Any, player_count: int
    ) -> None:
        self.nodes, self.background = nodes, background
        self.constant, self.player_count = constant, player_count
        # Before the workers fork: they share its memory, and none makes a request wait for it.
        self.game = leaf_game(nodes, background)
        self._values = [nodes.output_values(output) for output in range(len(constant))]
        shares = background.reached_shares()
        self.base = np.array([float(shares @ values) for values in self._values]) + constant

    def add_constant(self, added: Any) -> None:
        """Add to each output what the trees lack: the start of a boosting, a base score."""
        self.constant = self.constant + added
        self.base = self.base + added

    @property
    def is_quick(self) -> bool:
        """Whether a row takes little time: a look-up at each of not too many leaves."""
        return fits_tables(self.nodes) and len(self.nodes.leaf) <= MAX_QUICK_LEAVES

    def solve(self, row: Any, output: int) -> Explained:
        """Return what each feature adds; `row` is a matrix of one row."""
        masks, values = self.nodes.masks(row)[0], self._values[output]
        contributions = self.game.contributions(masks, values, self.player_count)
        value = float(values[masks == 0].sum() + self.constant[output])
        return Explained(contributions.tolist(), float(self.base[output]), value)

    @property
    def tolerance(self) -> float:
        """The largest relative difference from the model's own numbers."""
        return 1e-5 if self.nodes.comparison == "float32 below" else 1e-9

    @property
    def byte_count(self) -> int:
        """How much memory the part takes."""
        nodes = sum(a.nbytes for a in self.nodes.arrays().values())
        return int(nodes + self.game.byte_count)

    def arrays(self) -> dict[str, Any]:
        """Return the arrays that a file holds."""
        return {
            **self.nodes.arrays(),
            **masks_to_arrays(self.background),
            "constant": self.constant,
            "player_count": np.asarray(self.player_count),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> TreePart:
        """Return the part from the arrays of a file."""
        background = masks_from_arrays(arrays)
        nodes = Nodes.from_arrays(dict(arrays))
        return cls(nodes, background, arrays["constant"], int(arrays["player_count"]))


Part = LinearPart | TreePart
