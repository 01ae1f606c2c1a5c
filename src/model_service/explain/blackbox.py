"""Any other model: evaluate it on mixtures of the explained row and background rows.

All coalitions are enumerated if there are few features and there is time; else the values are
estimated from orders in which the features join, with their standard errors.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_service.contract.batch import Batch, listed
from model_service.errors import ServiceError
from model_service.explain.game import Evaluate, Permutations, Solution, enumerate_coalitions
from model_service.explain.numbers import ModelInput, Steps
from model_service.explain.responses import Respond

MAX_ENUMERATED_FEATURES = 10
# An estimate ends here, or when its standard errors are small beside the contributions.
MAX_PAIRS = 64
MIN_PAIRS = 2
SMALL_ERROR = 0.005
# One pair of orders of thousands of features would take gigabytes.
MAX_PAIR_CELLS = 1 << 25
# An estimate of what a row costs does not see all of it.
CAUTION = 1.25
MAX_FITTING = 1 << 20
# What a row costs is measured on the background, then on several times as many rows, each time for
# no more than a share of the time that is left. A call of many rows outweighs earlier ones.
MEASURED_BACKGROUNDS, MEASURED_SHARE, MANY_ROWS = (1, 4, 16), 0.1, 256
# So many refusals have the cost measured anew: the call that it is from can have been a slow one.
MAX_FORGOTTEN = 10


class DoesNotFit(ServiceError):
    """The rows of a request take longer to explain than a request may."""

    summary = "Too many rows to explain"

    def __init__(self, row_count: int, milliseconds: int) -> None:
        rows = "1 row fits" if row_count == 1 else f"{row_count or 'no'} rows fit"
        super().__init__(
            f"{rows} into the {milliseconds} ms that a request has for its explanations "
            "(EXPLAIN_MILLISECONDS)."
        )
        self.row_count = row_count


class Budget:
    """The processor time that the explanations of a request can take, in one thread at a time.

    It runs inside `with`. A busy machine takes no time away: for that requests have a deadline.
    """

    def __init__(
        self, milliseconds: int | None, clock: Callable[[], float] = time.thread_time
    ) -> None:
        self._milliseconds, self._clock = milliseconds, clock
        self._spent = 0.0
        self._started_at: float | None = None

    def __enter__(self) -> Budget:
        self._started_at = self._clock()
        return self

    def __exit__(self, *_: object) -> None:
        if self._started_at is not None:
            self._spent += self._clock() - self._started_at
        self._started_at = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not charge what runs inside to the budget."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit at all."""
        return self._milliseconds is not None

    @property
    def left(self) -> float:
        """The seconds that are left."""
        if self._milliseconds is None:
            return float("inf")
        running = 0.0 if self._started_at is None else self._clock() - self._started_at
        return self._milliseconds / 1000 - self._spent - running

    def now(self) -> float:
        """Return the time of the clock."""
        return self._clock()

    def require(self, done: int, total: int) -> None:
        """Raise DoesNotFit if there are rows left and no time."""
        if done < total and done and self.left <= 0:
            raise self.exceeded(done)

    def exceeded(self, row_count: int) -> DoesNotFit:
        """Return the error that says how many rows fit."""
        return DoesNotFit(row_count, self._milliseconds or 0)


@dataclass(frozen=True)
class Mixer:
    """How rows of a mixture are made and evaluated."""

    evaluate: Callable[[int], Evaluate]  # for the explained row of this number
    differs: Callable[[int], Any]  # (background rows, features), for the same


class BlackBox:
    """A model as a function, with background rows."""

    def __init__(
        self,
        model_input: ModelInput,
        respond: Respond,
        background: Batch,
        *,
        steps: Steps | None = None,
        player: Any = None,
        respond_last: Respond | None = None,
        max_enumerated: int = MAX_ENUMERATED_FEATURES,
    ) -> None:
        """Take the whole model, and if each column has one feature also its last step."""
        self._input, self._respond, self._background = model_input, respond, background
        self._steps, self._player, self._respond_last = steps, player, respond_last
        self._names, self._max_enumerated = list(background.columns), max_enumerated
        self._seconds_per_row, self._has_run, self._forgotten = 0.0, False, 0
        self._rows: Any = None

    def responses(self, batch: Batch) -> Any:
        """Return the response of the model's own methods to rows."""
        return self._respond(self._input.native(batch))

    def solve(self, batch: Batch, budget: Budget) -> list[Solution]:
        """Return the Shapley values of each row. Raises DoesNotFit."""
        mixer = self.mixer(batch)
        row_count = len(batch)
        differs = [mixer.differs(number) for number in range(row_count)]
        evaluate = [self._timed(mixer.evaluate(number), budget) for number in range(row_count)]
        sizes = [_mixture_count(d, self._max_enumerated) for d in differs]
        if all(size is not None for size in sizes):
            largest = max(size for size in sizes if size is not None)
            if budget.is_limited:
                self._measure(evaluate[0], row_count * largest, budget)
            fitting = self._fitting(largest, budget)
            if fitting >= row_count:
                return self._enumerate(evaluate, differs, budget)
            if fitting >= 1:
                raise self._exceeded(fitting, budget)
        return self._estimate(evaluate, differs, budget)

    def _measure(self, evaluate: Evaluate, wanted: int, budget: Budget) -> None:
        """Measure what a row costs, on more rows as long as it seems too much.

        The overhead of a call counts for each of its rows: of few rows it is the most.
        """
        if self._fitting(wanted, budget):
            return
        background, players = len(self._background), len(self._names)
        if not self._has_run:
            with budget.paused():  # imports and caches that no later call needs
                evaluate(np.zeros(1, dtype=int), np.zeros((1, players), dtype=bool))
            self._has_run, self._seconds_per_row = True, 0.0
        for times in MEASURED_BACKGROUNDS:
            if self._fitting(wanted, budget) or (
                self._seconds_per_row * background * times > MEASURED_SHARE * budget.left
            ):
                return
            numbers = np.tile(np.arange(background), times)
            evaluate(numbers, np.zeros((len(numbers), players), dtype=bool))

    def mixer(self, batch: Batch) -> Mixer:
        """Return how rows are mixed with the background and evaluated."""
        return self._mix_columns(batch) if self._steps is not None else self._mix_values(batch)

    def _fitting(self, rows_of_one: int, budget: Budget) -> int:
        if budget.is_limited and self._seconds_per_row == 0.0:
            return 0  # not measured yet
        seconds = rows_of_one * self._seconds_per_row * CAUTION
        left = max(budget.left, 0.0)
        return MAX_FITTING if left >= seconds * MAX_FITTING else int(left / seconds)

    def _exceeded(self, row_count: int, budget: Budget) -> DoesNotFit:
        """Return the error that says how many rows fit, and forget what a row costs."""
        if self._forgotten < MAX_FORGOTTEN:
            self._forgotten += 1
            self._seconds_per_row = 0.0
        return budget.exceeded(row_count)

    def _enumerate(
        self, evaluate: Sequence[Evaluate], differs: Sequence[Any], budget: Budget
    ) -> list[Solution]:
        found = []
        for number, (function, of_row) in enumerate(zip(evaluate, differs, strict=True)):
            budget.require(number, len(differs))
            found.append(enumerate_coalitions(function, of_row))
        return found

    def _estimate(
        self, evaluate: Sequence[Evaluate], differs: Sequence[Any], budget: Budget
    ) -> list[Solution]:
        found = []
        for number, (function, of_row) in enumerate(zip(evaluate, differs, strict=True)):
            estimate = Permutations(function, of_row)
            left = len(differs) - number
            if estimate.rows_of_a_pair * len(self._names) > MAX_PAIR_CELLS:
                raise budget.exceeded(number)
            needed = estimate.rows_of_a_pair * MIN_PAIRS
            if budget.is_limited:
                self._measure(function, needed * left, budget)
            if (fitting := self._fitting(needed, budget)) < left:
                raise self._exceeded(number + max(fitting, 0), budget)
            ends_at = budget.now() + budget.left / left
            self._refine(estimate, ends_at, budget)
            found.append(estimate.solution())
        return found

    def _refine(self, estimate: Permutations, ends_at: float, budget: Budget) -> None:
        of_pair = estimate.rows_of_a_pair
        while estimate.pair_count < MAX_PAIRS:
            seconds = of_pair * self._seconds_per_row * CAUTION
            if estimate.pair_count >= MIN_PAIRS:
                solution = estimate.solution()
                size = np.abs(solution.contributions).sum(axis=1)
                if (
                    budget.now() + seconds > ends_at
                    or (solution.error.max(axis=1) <= SMALL_ERROR * size).all()
                ):
                    return
            estimate.add_pair()

    def _timed(self, evaluate: Evaluate, budget: Budget) -> Evaluate:
        """Measure what a row costs, at each evaluation anew."""

        def timed(numbers: Any, mixed: Any) -> Any:
            started_at = budget.now()
            values = evaluate(numbers, mixed)
            self._note(len(numbers), (budget.now() - started_at) / len(numbers))
            return values

        return timed

    def _note(self, row_count: int, seconds_per_row: float) -> None:
        """Keep what a row costs: as measured over many rows, else the least of all calls."""
        if row_count >= MANY_ROWS or self._seconds_per_row == 0.0:
            self._seconds_per_row = seconds_per_row
        else:
            self._seconds_per_row = min(self._seconds_per_row, seconds_per_row)

    def _mix_values(self, batch: Batch) -> Mixer:
        """Mix the values of features, and evaluate the whole model."""
        names = self._names
        background = [_objects(listed(self._background.columns[name])) for name in names]
        explained = [listed(batch.columns[name]) for name in names]

        def differs(row: int) -> Any:
            columns = [
                [not _is_same(value, values[row]) for value in column]
                for column, values in zip(background, explained, strict=True)
            ]
            return np.array(columns, dtype=bool).T

        def evaluate_row(row: int) -> Evaluate:
            def evaluate(numbers: Any, mixed: Any) -> Any:
                columns = {}
                for place, name in enumerate(names):
                    values = background[place][numbers]
                    values[mixed[:, place]] = explained[place][row]
                    columns[name] = values.tolist()
                return self.responses(Batch(columns, range(1, len(numbers) + 1)))

            return evaluate

        return Mixer(evaluate_row, differs)

    def _mix_columns(self, batch: Batch) -> Mixer:
        """Mix the columns before the last step, and evaluate this step alone."""
        assert self._steps is not None
        assert self._respond_last is not None
        if self._rows is None:
            self._rows = self._steps.matrix(self._input.root(self._background))
        background, respond = self._rows, self._respond_last
        explained = self._steps.matrix(self._input.root(batch))
        player, count = self._player, len(self._names)

        def differs(row: int) -> Any:
            own = explained[row]
            other = ~((background == own) | (np.isnan(background) & np.isnan(own)))
            found = np.zeros((len(background), count), dtype=bool)
            for column, number in enumerate(player):
                found[:, number] |= other[:, column]
            return found

        def evaluate_row(row: int) -> Evaluate:
            return lambda numbers, mixed: respond(
                np.where(mixed[:, player], explained[row], background[numbers])
            )

        return Mixer(evaluate_row, differs)


def _mixture_count(differs: Any, max_enumerated: int) -> int | None:
    """Return how many rows an enumeration evaluates; None if there are too many features."""
    if int(differs.any(axis=0).sum()) > max_enumerated:
        return None
    return int((1 << differs.sum(axis=1)).sum())


def _objects(values: Sequence[Any]) -> Any:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def _is_same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)
