"""How requests meet the model: those that wait go together, and none waits for ever."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from model_service.contract.contract import Row
from model_service.model.predictions import Prediction
from model_service.web.errors import RequestProblem

logger = logging.getLogger(__name__)

# Rows that are predicted together; a request of more goes alone, as a part of a CSV does.
ROWS_TOGETHER = 256
# A request that is given up tells on a prediction that has had nearly all of its time.
NEARLY = 0.9


class Unavailable(RequestProblem):
    """The model does not answer now, and may the next time."""

    def __init__(self, title: str, detail: str) -> None:
        super().__init__(503, title, detail, headers={"Retry-After": "1"})


@dataclass(eq=False)
class _Job:
    """Rows that wait for their answers, or for the error of the model."""

    rows: Sequence[Row]
    alone: bool
    gone: bool = False
    done: threading.Event = field(default_factory=threading.Event)
    answers: Sequence[Prediction] = ()
    error: Exception | None = None


class PredictionQueue:
    """The one way to the model's `predict`: in a thread of its own, or directly where asked to.

    The thread takes all requests that wait and predicts them together, if they may be; the next
    ones gather meanwhile. No timer: an idle model predicts at once. Where a prediction takes
    longer than `seconds`, the process predicts no more and calls `on_stuck`, for a thread
    cannot be ended. At most `most` requests are let in.
    """

    def __init__(
        self,
        predict: Callable[[Sequence[Row]], Sequence[Prediction]],
        *,
        seconds: float,
        most: int,
        together: bool,
        directly: bool = False,
        on_stuck: Callable[[], None] = lambda: None,
        on_waiting: Callable[[int], None] = lambda waiting: None,
    ) -> None:
        self._predict, self._seconds, self._most = predict, seconds, most
        self._together, self._directly = together, directly
        # `on_waiting` is called under the lock: it must neither raise nor wait.
        self._on_stuck, self._on_waiting = on_stuck, on_waiting
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting: deque[_Job] = deque()
        self._running: dict[object, float] = {}  # since when, the oldest first
        self._in_flight = 0
        self._works = False  # the thread
        self._stuck = False

    @property
    def waiting(self) -> int:
        """How many requests wait until the model is free."""
        return len(self._waiting)

    @property
    def stuck(self) -> bool:
        """Whether a prediction took so long that this process predicts no more."""
        return self._stuck

    def deadline(self) -> float:
        """Return until when a request that comes now may wait, on the monotonic clock."""
        return time.monotonic() + self._seconds

    def require_working(self) -> None:
        """Raise Unavailable where this process predicts no more."""
        if self._running:
            self._stop_if_stuck(self._seconds)
        if self._stuck:
            raise self._replaced()

    def predict(
        self, rows: Sequence[Row], until: float | None = None, *, part: bool = False
    ) -> Sequence[Prediction]:
        """Predict rows; one answer a row. Raises Unavailable, and what the model raises.

        A `part` of a request that was let in finds room, and is predicted alone.
        """
        self._let_in(part)
        try:
            if self._directly:
                return self._timed(rows)
            job = _Job(rows, part or not self._together)
            self._put(job)
            left = (self.deadline() if until is None else until) - time.monotonic()
            if not job.done.wait(max(left, 0)):
                job.gone = True
                self._stop_if_stuck(NEARLY * self._seconds)
                raise Unavailable(
                    "The prediction takes too long",
                    f"It was given up after {self._seconds:g} s; send fewer rows, or try later.",
                )
        finally:
            with self._lock:
                self._in_flight -= 1
        if job.error is not None:
            raise job.error
        return job.answers

    def failing(
        self, rows: Sequence[Row], example: Row, most: int, until: float | None = None
    ) -> list[int]:
        """Return which rows the model fails on, counted from 0; none if it fails on any row."""

        def fails(some: Sequence[Row]) -> bool:
            try:
                self.predict(some, until, part=True)
            except Unavailable:
                raise
            except Exception:  # whatever a model raises, it did not predict
                return True
            return False

        found: list[int] = []
        halves = [] if fails([example]) else [(0, len(rows))]
        while halves and len(found) < most:
            start, end = halves.pop()
            if fails(rows[start:end]):
                middle = (start + end) // 2
                if middle == start:
                    found.append(start)
                else:
                    halves += [(middle, end), (start, middle)]
        return found

    def _let_in(self, part: bool) -> None:
        self.require_working()
        with self._lock:
            if not part and self._in_flight >= self._most:
                raise Unavailable(
                    "Too many requests at once",
                    f"At most {self._most} may wait for the model; try again.",
                )
            self._in_flight += 1

    def _put(self, job: _Job) -> None:
        with self._changed:
            if self._stuck:
                raise self._replaced()
            if not self._works:  # not before the first request: no thread outlives gunicorn's fork
                self._start()
            self._waiting.append(job)
            self._on_waiting(self.waiting)
            self._changed.notify()

    def _start(self) -> None:
        threading.Thread(target=self._work, name="predictor", daemon=True).start()
        self._works = True

    def _work(self) -> None:
        try:
            while not self._stuck:
                self._answer(self._next())
        finally:  # without memory it may end anywhere, with requests that wait
            with self._lock:
                self._works = False
                if self._waiting:
                    self._start()

    def _next(self) -> list[_Job]:
        """Wait for jobs, and take those that are predicted together."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting)
            jobs = [self._waiting.popleft()]
            rows = len(jobs[0].rows)
            while self._waiting and not jobs[0].alone and not self._waiting[0].alone:
                rows += len(self._waiting[0].rows)
                if rows > ROWS_TOGETHER:
                    break
                jobs.append(self._waiting.popleft())
            self._on_waiting(self.waiting)
            return jobs

    def _answer(self, jobs: Sequence[_Job]) -> None:
        jobs = [job for job in jobs if not job.gone]
        if not jobs:
            return
        rows = jobs[0].rows if len(jobs) == 1 else [row for job in jobs for row in job.rows]
        try:
            answers = self._timed(rows)
        except Exception as error:  # whatever the model raises is for the requests that it is about
            if len(jobs) > 1:
                for job in jobs:
                    self._answer([job])
                return
            jobs[0].error = error
            jobs[0].done.set()
            return
        first = 0
        for job in jobs:
            job.answers = answers[first : first + len(job.rows)]
            first += len(job.rows)
            job.done.set()

    def _timed(self, rows: Sequence[Row]) -> Sequence[Prediction]:
        prediction = object()
        with self._lock:
            self._running[prediction] = time.monotonic()
        try:
            return self._predict(rows)
        except BaseException as error:
            if isinstance(error, Exception):
                raise
            # sys.exit() in the author's own code, or a panic in Rust, must end no thread of ours.
            raise RuntimeError(f"the model raises {type(error).__name__}") from error
        finally:
            with self._lock:
                del self._running[prediction]

    def _stop_if_stuck(self, seconds: float) -> None:
        with self._lock:
            began = next(iter(self._running.values()), None)
            if self._stuck or began is None or time.monotonic() - began < seconds:
                return
            self._stuck = True
            while self._waiting:
                job = self._waiting.popleft()
                job.error = self._replaced()
                job.done.set()
            self._on_waiting(self.waiting)
        logger.critical("the model is stuck: this process predicts no more")
        self._on_stuck()

    def _replaced(self) -> Unavailable:
        detail = f"It has not answered for {self._seconds:g} s; this process is being replaced."
        return Unavailable("The model is stuck", detail)
