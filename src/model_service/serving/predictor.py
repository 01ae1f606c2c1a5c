"""From validated rows to predictions. If the model fails, its failure is traced to rows."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from model_service.contract.batch import Batch
from model_service.contract.problems import Problem, Problems
from model_service.errors import InvalidRows, ServiceError
from model_service.explain.answer import ExplainRequest, UnknownClass
from model_service.explain.blackbox import Budget
from model_service.model.model import Model
from model_service.model.predictions import Prediction
from model_service.serving.queue import PredictionQueue, Unavailable
from model_service.serving.readiness import Readiness

logger = logging.getLogger(__name__)

MODEL_FAILS = "the model fails on these values"
# Called before each step of the search for failing rows; an exception that it raises ends it.
OnSearchStep = Callable[[], None]
# No more failing rows of a request are named.
MAX_FAILING_ROWS = 20


class NotReady(ServiceError):
    """The model does not reproduce its golden predictions."""

    summary = "The model is not ready"


class ModelFailsOnMixedRows(ServiceError):
    """The model raises an exception while its answers are explained."""

    summary = "There is no explanation for these values"

    def __init__(self) -> None:
        super().__init__("The model fails on these values, or on mixtures of them with other rows.")


@dataclass(frozen=True, eq=False)
class Predictor:
    """What the routes ask for predictions."""

    model: Model
    queue: PredictionQueue
    readiness: Readiness

    @classmethod
    def of_model(
        cls, model: Model, queue: PredictionQueue, max_text_characters: int | None = None
    ) -> Predictor:
        """Return the predictor of a model; its recorded rows may have longer texts."""
        readiness = Readiness(model, queue)
        if max_text_characters is not None:
            model = model.with_contract(model.contract.with_max_characters(max_text_characters))
        return cls(model, queue, readiness)

    def require_ready(self) -> None:
        """Raise Stuck or NotReady if the model cannot predict, or must not."""
        self.queue.require_working()
        if reason := self.readiness.reason():
            raise NotReady(reason)

    def predict(
        self, batch: Batch, *, part: bool = False, on_search_step: OnSearchStep | None = None
    ) -> Sequence[Prediction]:
        """Return one prediction for each row; `part` is as in PredictionQueue.submit.

        With `on_search_step` there is no deadline for all calls of the model together. Raises
        InvalidRows if the model fails on some of the rows, and Unavailable or NotReady.
        """
        deadline = self.queue.deadline() if on_search_step is None else None
        self.require_ready()
        try:
            return self.queue.submit(batch, deadline, part=part)
        except Unavailable:
            raise
        except Exception as error:
            # One more than is shown: then "more than 20 problems" is certain.
            max_count = MAX_FAILING_ROWS + 1
            failing = self._failing(batch, error, max_count, deadline, on_search_step)
        problems = failures(batch, failing[:MAX_FAILING_ROWS])
        problems.is_complete = len(failing) <= MAX_FAILING_ROWS
        raise InvalidRows(problems)

    def predict_together(self, batches: Sequence[Batch]) -> Sequence[Prediction]:
        """Predict a row of each of several requests by one call of the fast path.

        Raises whatever it raises, and Unavailable or NotReady: then predict each alone.
        """
        fast_path = self.model.fast_path
        assert fast_path is not None
        self.require_ready()
        run = partial(self.model.by_fast_path, fast_path)
        return list(self.queue.submit(Batch.join(batches), run=run))

    def predict_valid(
        self, batch: Batch, *, on_search_step: OnSearchStep | None = None
    ) -> tuple[Sequence[Prediction], list[int]]:
        """Predict a part of a file; return the predictions, and the rows that have none.

        These are the rows on which the model fails, counted from 0. With `on_search_step` the
        search for them has no deadline. Raises Unavailable or NotReady.
        """
        self.require_ready()
        try:
            return self.queue.submit(batch, part=True), []
        except Unavailable:
            raise
        except Exception as error:
            deadline = self.queue.deadline() if on_search_step is None else None
            failing = self._failing(batch, error, len(batch), deadline, on_search_step)
        return self.queue.submit(batch.without(set(failing)), part=True), failing

    def explain(
        self,
        batch: Batch,
        predictions: Sequence[Prediction],
        wanted: ExplainRequest,
        budget: Budget,
    ) -> Sequence[dict[str, Any]]:
        """Return what is added to the prediction of each row, within a budget.

        Raises UnknownClass, Unavailable, NotReady and the errors of explain/; ModelFailsOnMixedRows
        stands for what the model raises.
        """
        self.require_ready()
        try:
            return self.queue.submit(
                batch,
                part=True,
                run=lambda rows: self.model.explain(rows, predictions, wanted, budget),
            )
        except (ServiceError, UnknownClass):
            raise
        except Exception as error:  # a model can raise anything on rows that no caller sent
            logger.warning("no explanation: %s", location_of(error))
            raise ModelFailsOnMixedRows from error

    def _failing(
        self,
        batch: Batch,
        error: Exception,
        max_count: int,
        deadline: float | None,
        on_search_step: OnSearchStep | None,
    ) -> list[int]:
        """Return the rows on which the model fails. Raises the error if it is not about rows."""
        failing = self.failing_rows(batch, max_count, deadline, on_search_step)
        if not failing:
            raise error
        # Without the message of the error, which can quote values.
        logger.warning("the model failed on rows: %s", location_of(error))
        return failing

    def failing_rows(
        self,
        batch: Batch,
        max_count: int,
        deadline: float | None = None,
        on_search_step: OnSearchStep | None = None,
    ) -> list[int]:
        """Search by halving for the rows on which the model fails, counted from 0.

        None are returned if it fails on a row that it is known to take, too.
        """
        found: list[int] = []
        example = Batch.of_rows([self.model.manifest.example()])
        halves = [] if self._fails(example, deadline) else [(0, len(batch))]
        while halves and len(found) < max_count:
            if on_search_step is not None:
                on_search_step()
            start, end = halves.pop()
            if self._fails(batch[start:end], deadline):
                middle = (start + end) // 2
                if middle == start:
                    found.append(start)
                else:
                    halves += [(middle, end), (start, middle)]
        return found

    def _fails(self, batch: Batch, deadline: float | None) -> bool:
        if deadline is not None:
            self.queue.require_time(deadline)  # predictions that are made inline do not wait
        try:
            self.queue.submit(batch, deadline, part=True)
        except Unavailable:
            raise
        except Exception:  # a model can raise anything
            return True
        return False


def failures(batch: Batch, positions: Iterable[int]) -> Problems:
    """Return a problem for each row on which the model fails; positions count from 0."""
    numbers = (batch.row_numbers[position] for position in positions)
    return Problems(Problem(number, None, MODEL_FAILS, reason="model") for number in numbers)


def location_of(error: BaseException) -> str:
    """Return what was raised and where, without the message: it can quote what a caller sent."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {frame.name}, line {frame.lineno} of {frame.filename}"
