"""How requests meet the model: together where they wait, alone where one is poisoned."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
import pytest
from stand_ins import model_around

from model_service.contract.contract import Row
from model_service.model.model import load_model
from model_service.serving.queue import ROWS_TOGETHER, PredictionQueue, Unavailable

POISON = -1


class Busy:
    """A model that echoes `x`, fails on a poisoned row, and is busy with row 0 until let go."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.busy, self.free = threading.Event(), threading.Event()

    def predict(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        values = [row["x"] for row in rows]
        self.asked.append(values)
        if 0 in values:
            self.busy.set()
            assert self.free.wait(60)
        if POISON in values:
            raise ZeroDivisionError(f"of {len(values)} rows")
        return [{"prediction": value} for value in values]


def rows(*values: int) -> list[Row]:
    return [{"x": value} for value in values]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@contextmanager
def waiting(
    predictor: PredictionQueue, model: Busy, *requests: list[Row]
) -> Iterator[list[Future[list[dict[str, Any]]]]]:
    """Send a request that keeps the model busy and, one after the other, those that wait for it."""
    with ThreadPoolExecutor(len(requests) + 1) as pool:
        try:
            first = pool.submit(predictor.predict, rows(0))
            assert model.busy.wait(60)
            sent = []
            for number, request in enumerate(requests, start=1):
                sent.append(pool.submit(predictor.predict, request))
                until(lambda number=number: predictor.waiting == number)
            yield sent
        finally:
            model.free.set()
        assert first.result() == [{"prediction": 0}]


def made(model: Busy, **options: Any) -> PredictionQueue:
    return PredictionQueue(
        model.predict, **{"seconds": 60, "most": 48, "together": True, **options}
    )


@pytest.mark.parametrize(
    ("requests", "together", "asked"),
    [
        pytest.param([[1], [2, 3], [4]], True, [[1, 2, 3, 4]], id="together"),
        pytest.param([[1], [2, 3], [4]], False, [[1], [2, 3], [4]], id="not where rows interact"),
        pytest.param([[1], [2] * 256, [3]], True, [[1], [2] * 256, [3]], id="a large one alone"),
        pytest.param([[POISON]], True, [[POISON]], id="one that fails is not asked twice"),
        pytest.param(
            [[1], [2, POISON], [3]], True, [[1, 2, POISON, 3], [1], [2, POISON], [3]], id="poisoned"
        ),
    ],
)
def test_what_waits_is_predicted_together_and_answered_apart(
    requests: list[list[int]], together: bool, asked: list[list[int]]
) -> None:
    assert ROWS_TOGETHER == 256
    model = Busy()
    predictor = made(model, together=together)
    with waiting(predictor, model, *(rows(*values) for values in requests)) as sent:
        pass
    assert model.asked == [[0], *asked]
    for values, future in zip(requests, sent, strict=True):
        if POISON in values:
            with pytest.raises(ZeroDivisionError, match=f"of {len(values)} rows"):
                future.result()
        else:
            assert future.result() == [{"prediction": value} for value in values]


def test_one_request_too_many_is_refused_at_once_and_may_come_again() -> None:
    model = Busy()
    predictor = made(model, most=3)
    with waiting(predictor, model, rows(1), rows(2)):
        with pytest.raises(Unavailable) as caught:
            predictor.predict(rows(3))
        assert caught.value.status == 503
        assert caught.value.headers == {"Retry-After": "1"}
        assert caught.value.detail == "At most 3 may wait for the model; try again."
        with pytest.raises(Unavailable, match="takes too long"):  # let in before
            predictor.predict(rows(4), time.monotonic(), part=True)
    assert predictor.predict(rows(3)) == [{"prediction": 3}]
    assert model.asked == [[0], [1, 2], [3]]


class Endless(list[Row]):
    """Rows for which there is no memory."""

    def __len__(self) -> int:
        raise MemoryError


def test_a_thread_that_ends_for_want_of_memory_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before the old one is gone, which takes a while, and for what waits as well."""
    ending, gone, model = threading.Event(), threading.Event(), Busy()
    monkeypatch.setattr(threading, "excepthook", lambda _: ending.set() or gone.wait(60))
    predictor = made(model)

    def without_memory() -> None:
        with pytest.raises(Unavailable, match="takes too long"):
            predictor.predict(Endless(), time.monotonic())

    try:
        without_memory()
        assert ending.wait(60)
        assert predictor.predict(rows(1)) == [{"prediction": 1}]
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(predictor.predict, rows(0))
            assert model.busy.wait(60)
            without_memory()
            second = pool.submit(predictor.predict, rows(2))
            until(lambda: predictor.waiting == 2)
            model.free.set()
            assert first.result() == [{"prediction": 0}]
            assert second.result() == [{"prediction": 2}]
    finally:
        gone.set()


def test_a_request_that_is_gone_is_not_computed() -> None:
    model = Busy()
    predictor = made(model)
    with waiting(predictor, model, rows(1)):
        with pytest.raises(Unavailable, match="takes too long"):
            predictor.predict(rows(2), time.monotonic())
        assert not predictor.stuck  # the model is busy, and not for long
    assert predictor.predict(rows(3)) == [{"prediction": 3}]
    assert model.asked == [[0], [1], [3]]


@pytest.mark.parametrize("directly", [False, True])
def test_a_stuck_model_is_told_of_once_and_nobody_waits_for_it(directly: bool) -> None:
    model = Busy()
    predictor = made(model, seconds=0.2, directly=directly)
    told: list[bool] = []
    predictor.when_stuck = lambda: told.append(predictor.stuck)
    with ThreadPoolExecutor() as pool:
        try:
            stuck = pool.submit(predictor.predict, rows(0))
            assert model.busy.wait(60)
            if not directly:  # its own thread cannot be left
                with pytest.raises(Unavailable, match="takes too long"):
                    stuck.result()
            until(lambda: _refused(predictor))
            began = time.monotonic()
            with pytest.raises(Unavailable, match="The model is stuck"):
                predictor.predict(rows(1))
            assert time.monotonic() - began < 10
        finally:
            model.free.set()
    assert told == [True]
    assert model.asked[0] == [0]
    assert [1] not in model.asked


def _refused(predictor: PredictionQueue) -> bool:
    try:
        predictor.require_working()
    except Unavailable:
        return True
    return False


def test_those_that_wait_for_a_stuck_model_are_refused_with_it() -> None:
    model = Busy()
    predictor = made(model, seconds=2)
    with ThreadPoolExecutor() as pool:
        try:
            first = pool.submit(predictor.predict, rows(0))
            assert model.busy.wait(60)
            patient = time.monotonic() + 600
            others = [pool.submit(predictor.predict, rows(n), patient) for n in (1, 2)]
            with pytest.raises(Unavailable, match="takes too long"):
                first.result()
            for other in others:
                with pytest.raises(Unavailable, match="The model is stuck"):
                    other.result(timeout=60)
        finally:
            model.free.set()
    assert model.asked == [[0]]


def test_directly_there_is_no_other_thread() -> None:
    threads = []

    def predict(some: Sequence[Row]) -> list[dict[str, Any]]:
        threads.append(threading.current_thread())
        return [{"prediction": row["x"]} for row in some]

    for directly in (True, False):
        predictor = PredictionQueue(predict, seconds=60, most=1, together=True, directly=directly)
        assert predictor.predict(rows(5)) == [{"prediction": 5}]
    assert threads[0] is threading.current_thread()
    assert threads[1].daemon


@pytest.mark.parametrize(
    ("bad", "most", "found"),
    [([3], 20, [3]), ([0, 7], 20, [0, 7]), (range(8), 3, [0, 1, 2]), ([], 20, [])],
)
def test_failing_rows_are_found(bad: Sequence[int], most: int, found: list[int]) -> None:
    predictor = made(Busy())
    some = rows(*(POISON if n in bad else n + 1 for n in range(8)))
    assert predictor.failing(some, {"x": 1}, most) == found
    assert predictor.failing(some, {"x": POISON}, most) == []


def test_a_model_starts_no_threads_of_joblib_in_whichever_thread_it_is_asked(loan: Path) -> None:
    class Backend:
        def predict(self, frame: Any) -> Any:
            backend, _ = joblib.parallel.get_active_backend()
            return [type(backend).__name__] * len(frame)

    model = model_around(Backend(), load_model(loan / "model"), [{"name": "x"}], {"x": 1.0})
    for _ in range(2):
        with ThreadPoolExecutor(1) as pool:
            (answer,) = pool.submit(model.predict, [{"x": 1.0}]).result()
        assert answer == {"prediction": "SequentialBackend"}
