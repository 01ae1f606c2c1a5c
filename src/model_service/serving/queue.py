"""A queue before the model: waiting requests are batched, each has a deadline."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from model_service.contract.batch import Batch
from model_service.errors import ServiceError
from model_service.model.guard import ModelActed
from model_service.model.predictions import Prediction

logger = logging.getLogger(__name__)

# A batch of several requests has at most so many rows; a larger request is predicted alone.
MAX_BATCH_ROWS = 256
# The queue's thread ends after so long without a request, and starts again with the next one.
IDLE_SECONDS = 1.0
# A timed-out request marks the model as stuck if the prediction has used this share of its time.
STUCK_SHARE = 0.9


class Unavailable(ServiceError):
    """The model does not answer now; the same request can succeed later."""


class Overloaded(Unavailable):
    """As many requests as the queue takes are in flight."""

    summary = "Too many requests at once"

    def __init__(self, max_in_flight: int) -> None:
        super().__init__(f"At most {max_in_flight} may wait for the model; try again.")


class TimedOut(Unavailable):
    """A request had no prediction at its deadline."""

    summary = "The prediction takes too long"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"It was given up after {seconds:g} s; send fewer rows, or try later.")


class Stuck(Unavailable):
    """The model has blocked its thread for so long that this process predicts no more."""

    summary = "The model is stuck"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"It has not answered for {seconds:g} s; this process is being replaced.")


class ModelStopped(Unavailable):
    """The model tried what no model has to do."""

    summary = "The model was stopped"

    def __init__(self) -> None:
        super().__init__("It tried something other than to predict; the log of the service has it.")


# From rows to something for each of them.
Run = Callable[[Batch], Sequence[Any]]


@dataclass(eq=False)
class _Request:
    """Rows in the queue; `done` is set when there are predictions or an error."""

    batch: Batch
    is_alone: bool  # must not be batched with others
    run: Run | None = None  # what is done with the rows instead of predicting them
    is_abandoned: bool = False
    done: threading.Event = field(default_factory=threading.Event)
    predictions: Sequence[Any] = ()
    error: Exception | None = None


class PredictionQueue:
    """The only caller of the model's `predict`.

    One thread takes all waiting requests, predicts them as one batch, and hands out the results;
    new requests gather meanwhile. There is no timer: an idle model predicts immediately. With
    `inline` a request is predicted in its own thread instead, without waiting.

    A prediction of more than `timeout_seconds` cannot be interrupted. The queue is stuck then: it
    calls `on_stuck` once and refuses every request, so that the server can replace the process.
    `on_waiting` gets the number of waiting requests at each change; it is called under the lock
    and must neither raise nor block.
    """

    def __init__(
        self,
        predict: Callable[[Batch], Sequence[Prediction]],
        *,
        timeout_seconds: float,
        max_in_flight: int,
        batches: bool,
        inline: bool = False,
        on_stuck: Callable[[], None] = lambda: None,
        on_waiting: Callable[[int], None] = lambda waiting_count: None,
    ) -> None:
        self._predict, self._batches, self._inline = predict, batches, inline
        self._timeout_seconds, self._max_in_flight = timeout_seconds, max_in_flight
        self._on_stuck, self._on_waiting = on_stuck, on_waiting
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting: deque[_Request] = deque()
        self._started_at: dict[object, float] = {}  # running predictions, the oldest first
        self._in_flight = 0
        self._has_thread = False
        self._is_stuck = False

    @property
    def waiting_count(self) -> int:
        """How many requests wait for the model."""
        return len(self._waiting)

    @property
    def is_stuck(self) -> bool:
        """Whether a prediction took so long that this process predicts no more."""
        return self._is_stuck

    def deadline(self) -> float:
        """Return the deadline of a request that arrives now, on the monotonic clock."""
        return time.monotonic() + self._timeout_seconds

    def require_time(self, deadline: float) -> None:
        """Raise TimedOut after a deadline."""
        if time.monotonic() > deadline:
            raise TimedOut(self._timeout_seconds)

    def require_working(self) -> None:
        """Raise Stuck if this process predicts no more."""
        if self._started_at:
            self._mark_if_stuck(self._timeout_seconds)
        if self._is_stuck:
            raise Stuck(self._timeout_seconds)

    def submit(
        self,
        batch: Batch,
        deadline: float | None = None,
        *,
        part: bool = False,
        run: Run | None = None,
    ) -> Sequence[Any]:
        """Return one prediction for each row; block until it is there, at most to the deadline.

        `part` marks rows of a request that was accepted already: they are not counted against
        `max_in_flight`, and they are predicted alone. `run` is called instead of the model's
        `predict`, for this request alone. Raises Unavailable, and what the model raises.
        """
        self._accept(part)
        try:
            if self._inline:
                return self._run(batch, run)
            is_alone = part or run is not None or not self._batches
            request = _Request(batch, is_alone, run)
            self._enqueue(request)
            deadline = self.deadline() if deadline is None else deadline
            if not request.done.wait(max(deadline - time.monotonic(), 0)):
                request.is_abandoned = True
                self._mark_if_stuck(STUCK_SHARE * self._timeout_seconds)
                raise TimedOut(self._timeout_seconds)
        finally:
            with self._lock:
                self._in_flight -= 1
        if request.error is not None:
            raise request.error
        return request.predictions

    def _accept(self, part: bool) -> None:
        self.require_working()
        with self._lock:
            if not part and self._in_flight >= self._max_in_flight:
                raise Overloaded(self._max_in_flight)
            self._in_flight += 1

    def _enqueue(self, request: _Request) -> None:
        with self._changed:
            if self._is_stuck:
                raise Stuck(self._timeout_seconds)
            # Not before the first request: a thread does not survive gunicorn's fork.
            if not self._has_thread:
                self._start_thread()
            self._waiting.append(request)
            self._on_waiting(self.waiting_count)
            self._changed.notify()

    def _start_thread(self) -> None:
        threading.Thread(target=self._work, name="predictor", daemon=True).start()
        self._has_thread = True

    def _work(self) -> None:
        try:
            while not self._is_stuck and self._process_next():
                pass
        except BaseException:  # a MemoryError can end the thread anywhere, with requests waiting
            with self._lock:
                self._has_thread = False
                if self._waiting:
                    self._start_thread()
            raise

    def _process_next(self) -> bool:
        """Predict the next batch, and hold none of it afterwards; return whether there was one."""
        requests = self._next_requests()
        self._process(requests)
        return bool(requests)

    def _next_requests(self) -> list[_Request]:
        """Wait for requests, and take those that are predicted as one batch; none if it is idle."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting, IDLE_SECONDS):
                self._has_thread = False
                return []
            requests = [self._waiting.popleft()]
            row_count = len(requests[0].batch)
            while self._waiting and not requests[0].is_alone and not self._waiting[0].is_alone:
                row_count += len(self._waiting[0].batch)
                if row_count > MAX_BATCH_ROWS:
                    break
                requests.append(self._waiting.popleft())
            self._on_waiting(self.waiting_count)
            return requests

    def _process(self, requests: Sequence[_Request]) -> None:
        requests = [request for request in requests if not request.is_abandoned]
        if not requests:
            return
        try:
            if len(requests) == 1:
                predictions = self._run(requests[0].batch, requests[0].run)
            else:  # as a list: a slice of predictions that are kept by column costs more
                batch = Batch.join([request.batch for request in requests])
                predictions = list(self._run(batch))
        except Exception as error:  # whatever the model raises is the answer to its request
            if len(requests) > 1:
                for request in requests:
                    self._process([request])
                return
            requests[0].error = error
            requests[0].done.set()
            return
        start = 0
        for request in requests:
            request.predictions = predictions[start : start + len(request.batch)]
            start += len(request.batch)
            request.done.set()

    def _run(self, batch: Batch, run: Run | None = None) -> Sequence[Any]:
        prediction = object()
        with self._lock:
            self._started_at[prediction] = time.monotonic()
        try:
            return self._predict(batch) if run is None else run(batch)
        except ModelActed as act:
            logger.critical("%s", act)
            raise ModelStopped from act
        except BaseException as error:
            if isinstance(error, Exception):
                raise
            # sys.exit() in the author's code, or a panic in Rust, must not end this thread.
            raise RuntimeError(f"the model raises {type(error).__name__}") from error
        finally:
            with self._lock:
                del self._started_at[prediction]

    def _mark_if_stuck(self, seconds: float) -> None:
        """Mark the queue as stuck if the oldest prediction has run for so many seconds."""
        with self._lock:
            started_at = next(iter(self._started_at.values()), None)
            if self._is_stuck or started_at is None or time.monotonic() - started_at < seconds:
                return
            self._is_stuck = True
            while self._waiting:
                request = self._waiting.popleft()
                request.error = Stuck(self._timeout_seconds)
                request.done.set()
            self._on_waiting(self.waiting_count)
        logger.critical("the model is stuck: this process predicts no more")
        self._on_stuck()
