"""The queue: waiting requests are batched, and a failing row affects no other request."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import joblib
import pytest
from stand_ins import model_around

from model_service.contract.batch import Batch
from model_service.contract.json_values import Row
from model_service.errors import InvalidRows
from model_service.model.loading import load_model
from model_service.serving import queue
from model_service.serving.predictor import Predictor
from model_service.serving.queue import (
    MAX_BATCH_ROWS,
    Overloaded,
    PredictionQueue,
    Stuck,
    TimedOut,
    Unavailable,
)
from model_service.web.errors import RequestProblem

POISON = -1


class Busy:
    """A model that echoes `x`, fails on a poisoned row, and is busy with row 0 until let go."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.busy, self.free = threading.Event(), threading.Event()

    def predict(self, batch: Batch) -> list[dict[str, Any]]:
        values: list[Any] = batch.columns["x"]
        self.asked.append(values)
        if 0 in values:
            self.busy.set()
            assert self.free.wait(60)
        if POISON in values:
            raise ZeroDivisionError(f"of {len(values)} rows")
        return [{"prediction": value} for value in values]


def rows(*values: int) -> Batch:
    return Batch.of_rows([{"x": value} for value in values])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@contextmanager
def waiting(
    predictor: PredictionQueue, model: Busy, *requests: Batch
) -> Iterator[list[Future[list[dict[str, Any]]]]]:
    """Send a request that keeps the model busy and, one after the other, those that wait for it."""
    with ThreadPoolExecutor(len(requests) + 1) as pool:
        try:
            first = pool.submit(predictor.submit, rows(0))
            assert model.busy.wait(60)
            sent = []
            for number, request in enumerate(requests, start=1):
                sent.append(pool.submit(predictor.submit, request))
                until(lambda number=number: predictor.waiting_count == number)
            yield sent
        finally:
            model.free.set()
        assert first.result() == [{"prediction": 0}]


def made(model: Busy, **options: Any) -> PredictionQueue:
    return PredictionQueue(
        model.predict, **{"timeout_seconds": 60, "max_in_flight": 48, "batches": True, **options}
    )


@pytest.mark.parametrize(
    ("requests", "batches", "asked"),
    [
        pytest.param([[1], [2, 3], [4]], True, [[1, 2, 3, 4]], id="together"),
        pytest.param([[1], [2, 3], [4]], False, [[1], [2, 3], [4]], id="not if rows interact"),
        pytest.param([[1], [2] * 256, [3]], True, [[1], [2] * 256, [3]], id="a large one alone"),
        pytest.param([[POISON]], True, [[POISON]], id="one that fails is not asked twice"),
        pytest.param(
            [[1], [2, POISON], [3]], True, [[1, 2, POISON, 3], [1], [2, POISON], [3]], id="poisoned"
        ),
    ],
)
def test_waiting_requests_are_predicted_as_one_batch(
    requests: list[list[int]], batches: bool, asked: list[list[int]]
) -> None:
    assert MAX_BATCH_ROWS == 256
    model = Busy()
    predictor = made(model, batches=batches)
    with waiting(predictor, model, *(rows(*values) for values in requests)) as sent:
        pass
    assert model.asked == [[0], *asked]
    for values, future in zip(requests, sent, strict=True):
        if POISON in values:
            with pytest.raises(ZeroDivisionError, match=f"of {len(values)} rows"):
                future.result()
        else:
            assert future.result() == [{"prediction": value} for value in values]


def test_a_request_over_the_limit_is_refused_immediately_and_can_be_repeated() -> None:
    model = Busy()
    predictor = made(model, max_in_flight=3)
    with waiting(predictor, model, rows(1), rows(2)):
        with pytest.raises(Overloaded) as caught:
            predictor.submit(rows(3))
        problem = RequestProblem.of(caught.value)
        assert problem.status == 503
        assert problem.headers == {"Retry-After": "1"}
        assert problem.detail == "At most 3 may wait for the model; try again."
        with pytest.raises(TimedOut, match="given up after"):  # let in before
            predictor.submit(rows(4), time.monotonic(), part=True)
    assert predictor.submit(rows(3)) == [{"prediction": 3}]
    assert model.asked == [[0], [1, 2], [3]]


class Endless(Batch):
    """Rows for which there is no memory."""

    def __len__(self) -> int:
        raise MemoryError


def test_a_thread_that_a_memory_error_ends_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before the old one is gone, which takes a while, and for what waits as well."""
    ending, gone, model = threading.Event(), threading.Event(), Busy()
    monkeypatch.setattr(threading, "excepthook", lambda _: ending.set() or gone.wait(60))
    predictor = made(model)

    def without_memory() -> None:
        with pytest.raises(TimedOut, match="given up after"):
            predictor.submit(Endless({}, ()), time.monotonic())

    try:
        without_memory()
        assert ending.wait(60)
        assert predictor.submit(rows(1)) == [{"prediction": 1}]
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(predictor.submit, rows(0))
            assert model.busy.wait(60)
            without_memory()
            second = pool.submit(predictor.submit, rows(2))
            until(lambda: predictor.waiting_count == 2)
            model.free.set()
            assert first.result() == [{"prediction": 0}]
            assert second.result() == [{"prediction": 2}]
    finally:
        gone.set()


def test_an_idle_thread_ends_and_the_next_request_gets_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue, "IDLE_SECONDS", 0.001)
    model, threads = Busy(), []
    model.free.set()
    predictor = made(model, on_waiting=lambda _: threads.append(threading.current_thread()))
    for number in range(3):
        assert predictor.submit(rows(number)) == [{"prediction": number}]
        until(lambda: not threads[-1].is_alive())
    assert len(set(threads) - {threading.current_thread()}) == 3


def test_a_queue_that_nobody_uses_is_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "IDLE_SECONDS", 0.001)
    predictor = made(Busy())
    predictor.submit(rows(1))
    held = weakref.ref(predictor)
    del predictor
    until(lambda: held() is None)


def test_a_request_that_timed_out_is_not_computed() -> None:
    model = Busy()
    predictor = made(model)
    with waiting(predictor, model, rows(1)):
        with pytest.raises(TimedOut, match="given up after"):
            predictor.submit(rows(2), time.monotonic())
        assert not predictor.is_stuck  # the model is busy, and not for long
    assert predictor.submit(rows(3)) == [{"prediction": 3}]
    assert model.asked == [[0], [1], [3]]


@pytest.mark.parametrize("inline", [False, True])
def test_a_stuck_model_is_reported_once_and_no_request_waits_for_it(inline: bool) -> None:
    model = Busy()
    reported: list[bool] = []
    predictor = made(
        model,
        timeout_seconds=0.2,
        inline=inline,
        on_stuck=lambda: reported.append(predictor.is_stuck),
    )
    with ThreadPoolExecutor() as pool:
        try:
            stuck = pool.submit(predictor.submit, rows(0))
            assert model.busy.wait(60)
            if not inline:  # its own thread cannot be left
                with pytest.raises(TimedOut, match="given up after"):
                    stuck.result()
            until(lambda: _refused(predictor))
            began = time.monotonic()
            with pytest.raises(Stuck, match="has not answered for"):
                predictor.submit(rows(1))
            assert time.monotonic() - began < 10
        finally:
            model.free.set()
    assert reported == [True]
    assert model.asked[0] == [0]
    assert [1] not in model.asked


def _refused(predictor: PredictionQueue) -> bool:
    try:
        predictor.require_working()
    except Unavailable:
        return True
    return False


def test_requests_that_wait_for_a_stuck_model_are_refused() -> None:
    model = Busy()
    predictor = made(model, timeout_seconds=2)
    with ThreadPoolExecutor() as pool:
        try:
            first = pool.submit(predictor.submit, rows(0))
            assert model.busy.wait(60)
            patient = time.monotonic() + 600
            others = [pool.submit(predictor.submit, rows(n), patient) for n in (1, 2)]
            with pytest.raises(TimedOut, match="given up after"):
                first.result()
            for other in others:
                with pytest.raises(Stuck, match="has not answered for"):
                    other.result(timeout=60)
        finally:
            model.free.set()
    assert model.asked == [[0]]


def test_an_inline_queue_uses_no_other_thread() -> None:
    threads = []

    def predict(batch: Batch) -> list[dict[str, Any]]:
        threads.append(threading.current_thread())
        return [{"prediction": value} for value in batch.columns["x"]]

    for inline in (True, False):
        predictor = PredictionQueue(
            predict, timeout_seconds=60, max_in_flight=1, batches=True, inline=inline
        )
        assert predictor.submit(rows(5)) == [{"prediction": 5}]
    assert threads[0] is threading.current_thread()
    assert threads[1].daemon


@pytest.mark.parametrize(
    ("bad", "most", "found"),
    [([3], 20, [3]), ([0, 7], 20, [0, 7]), (range(8), 3, [0, 1, 2]), ([], 20, [])],
)
def test_failing_rows_are_found(bad: Sequence[int], most: int, found: list[int]) -> None:
    some = rows(*(POISON if n in bad else n + 1 for n in range(8)))
    assert predictor_with({"x": 1}).failing_rows(some, most) == found
    assert predictor_with({"x": POISON}).failing_rows(some, most) == []


def predictor_with(example: Row, model: Busy | None = None, **options: Any) -> Predictor:
    """Return a predictor whose model is known to take the example."""
    manifest = SimpleNamespace(example=lambda: example)
    ready = SimpleNamespace(reason=lambda: None)
    queue = made(model or Busy(), **options)
    return Predictor(SimpleNamespace(manifest=manifest), queue, ready)  # type: ignore[arg-type]


class Slow(Busy):
    """A model that takes a twentieth of a second for any number of rows."""

    def predict(self, batch: Batch) -> list[dict[str, Any]]:
        time.sleep(0.05)
        return super().predict(batch)


@pytest.mark.parametrize("inline", [True, False])
def test_the_search_of_a_job_has_no_deadline_and_reports(inline: bool) -> None:
    some = rows(*[POISON] * 16, 1)
    predictor = predictor_with({"x": 1}, Slow(), timeout_seconds=1, inline=inline)
    with pytest.raises(TimedOut):
        predictor.predict_valid(some)
    steps: list[float] = []
    report = partial(steps.append, 1)
    assert predictor.predict_valid(some, on_search_step=report) == (
        [{"prediction": 1}],
        list(range(16)),
    )
    assert len(steps) > 30
    with pytest.raises(InvalidRows) as caught:
        predictor.predict(some, part=True, on_search_step=report)
    assert caught.value.problems.total == 16


def test_a_report_can_end_the_search() -> None:
    def stop() -> None:
        raise InterruptedError

    predictor = predictor_with({"x": 1})
    for predict in (predictor.predict, predictor.predict_valid):
        with pytest.raises(InterruptedError):
            predict(rows(POISON, 1), on_search_step=stop)


def test_a_model_starts_no_joblib_threads_in_any_thread(loan: Path) -> None:
    class Backend:
        def predict(self, frame: Any) -> Any:
            backend, _ = joblib.parallel.get_active_backend()
            return [type(backend).__name__] * len(frame)

    model = model_around(Backend(), load_model(loan / "model"), [{"name": "x"}], {"x": 1.0})
    for _ in range(2):
        with ThreadPoolExecutor(1) as pool:
            (answer,) = pool.submit(model.predict, Batch.of_rows([{"x": 1.0}])).result()
        assert answer == {"prediction": "SequentialBackend"}
