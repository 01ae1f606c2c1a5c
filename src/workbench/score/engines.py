"""What schedules the parts: this process, a pool of processes, Dask or Ray.

Parts are scheduled, rows are not carried: a worker reads its part and writes its file, so all of
them must see the same folders. Each engine gives the same files, byte for byte.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from workbench.errors import UserError
from workbench.score.archive import Archive, portable_score
from workbench.score.job import Job, Part, Result
from workbench.score.work import score_part

SCHEMES = ("dask", "ray")
# More parts than workers, so that none waits for the next one.
WAITING_PARTS = 2


class Submit(Protocol):
    """Hand a part over; the future's result is a Result."""

    def __call__(self, part: Part) -> Any: ...


@dataclass(frozen=True)
class Engine:
    """Scores parts, a few at a time; `completed` returns those of some futures that are done."""

    submit: Submit
    completed: Callable[[set[Any]], set[Any]]
    result: Callable[[Any], Result]
    max_waiting: int

    def score(self, parts: Iterable[Part]) -> Iterator[Result]:
        """Yield the result of each part, in the order in which they are finished."""
        parts = iter(parts)
        waiting = {self.submit(part) for part in islice(parts, self.max_waiting)}
        while waiting:
            done = self.completed(waiting)
            waiting -= done
            for future in done:
                yield self.result(future)
            waiting |= {self.submit(part) for part in islice(parts, len(done))}


@contextmanager
def opened(project: Path, job: Job, jobs: int, address: str | None) -> Iterator[Engine]:
    """Return the engine of an address, or of this machine. Raises UserError."""
    if address is None:
        with _local(project, job, jobs) as engine:
            yield engine
        return
    scheme, _, rest = address.partition("://")
    if scheme not in SCHEMES or not rest or urlsplit(address).query:
        raise UserError(
            f"ENGINE={address} must be dask://HOST:PORT or ray://HOST:PORT; for Spark see "
            "make docs TOPIC=score-files"
        )
    archive = Archive.of(project)
    with (_dask if scheme == "dask" else _ray)(rest, archive, job) as engine:
        yield engine


@contextmanager
def _local(project: Path, job: Job, jobs: int) -> Iterator[Engine]:
    text = job.to_json()
    if jobs == 1:
        yield Engine(lambda part: score_part(str(project), text, part), set, lambda done: done, 1)
        return
    # Not fork: Arrow and OpenBLAS can have threads, which do not survive it.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _end_with_parent) as pool:
        yield Engine(
            lambda part: pool.submit(score_part, str(project), text, part),
            _completed,
            _result,
            WAITING_PARTS * jobs,
        )


def _end_with_parent() -> None:
    """Let this process end when the one that has started it is killed: it would never end."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _completed(futures: set[Any]) -> set[Any]:
    return wait(futures, return_when=FIRST_COMPLETED).done


def _result(future: Future[Result]) -> Result:
    try:
        return future.result()
    except BrokenProcessPool:
        raise UserError(
            "A process was ended from outside, as Linux does when memory is short. Run the same "
            "command with fewer of them (JOBS=1): the parts that are finished are kept."
        ) from None


@contextmanager
def _connecting(address: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"ENGINE={address}: no cluster answers there ({error}).") from None


@contextmanager
def _dask(address: str, archive: Archive, job: Job) -> Iterator[Engine]:
    from dask import distributed  # noqa: PLC0415  # only for this engine

    with _connecting(f"dask://{address}"):
        client = distributed.Client(f"tcp://{address}")
    score = portable_score()
    try:
        workers = max(len(client.scheduler_info(n_workers=-1)["workers"]), 1)
        (content,) = client.scatter([archive.content], broadcast=True, hash=False)
        text = job.to_json()
        yield Engine(
            lambda part: client.submit(
                score, content, archive.sha256, text, part.to_json(), pure=False, retries=1
            ),
            lambda futures: set(
                distributed.wait(list(futures), return_when="FIRST_COMPLETED").done
            ),
            lambda future: Result.from_json(future.result()),
            WAITING_PARTS * workers,
        )
    finally:
        client.close()


@contextmanager
def _ray(address: str, archive: Archive, job: Job) -> Iterator[Engine]:
    import ray  # noqa: PLC0415  # only for this engine

    with _connecting(f"ray://{address}"):
        ray.init(address=f"ray://{address}", logging_level="error")
    try:
        content = ray.put(archive.content)
        text = job.to_json()
        run = ray.remote(portable_score())
        workers = max(int(ray.cluster_resources().get("CPU", 1)), 1)
        yield Engine(
            lambda part: run.remote(content, archive.sha256, text, part.to_json()),
            lambda futures: set(ray.wait(list(futures))[0]),
            lambda future: Result.from_json(ray.get(future)),
            WAITING_PARTS * workers,
        )
    finally:
        ray.shutdown()
