"""The worker process: scores one job after the other until it is told to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from typing import Any

from model_service.contract.problems import Problems
from model_service.csv.spool import SpooledFile
from model_service.csv.stream import Progress
from model_service.errors import InvalidRows, ServiceError
from model_service.jobs.job import DatabaseUnavailable
from model_service.jobs.leases import GIVEN_UP, MAX_TRIES, Lease, LeaseLost, Leases
from model_service.jobs.scoring import JobScorer
from model_service.jobs.storage import PART_BYTES
from model_service.serving.queue import Unavailable

logger = logging.getLogger(__name__)

# No LISTEN: it needs a connection of its own, and is lost without a sign.
POLL_SECONDS = 1.0
REPORT_SECONDS = 1.0


class StopRequested(Exception):
    """The process was told to stop."""


class JobWorker:
    """Scores jobs. `stop` ends it at the next chunk; its job goes to another worker.

    The database of the leases has to be a PatientDatabase, which waits out an outage.
    """

    def __init__(self, leases: Leases, scorer: JobScorer, stop: threading.Event) -> None:
        self._leases, self._scorer, self._stop = leases, scorer, stop

    def run(self) -> None:
        """Work until `stop` is set, or until the model is stuck."""
        # The database is unavailable only if `stop` was set while it was waited for.
        with suppress(StopRequested, DatabaseUnavailable):
            while not (self._stop.is_set() or self._scorer.predictor.queue.is_stuck):
                if not self.work():
                    self._stop.wait(POLL_SECONDS)

    def work(self) -> bool:
        """Score the next job; return whether there was one. Raises StopRequested."""
        lease = self._leases.take()
        if lease is None:
            return False
        report = _Report(self._leases, lease, self._stop)
        try:
            self._score(lease, report)
        except LeaseLost:
            logger.warning("job %s: it was deleted, or another worker has it", lease.job)
        except (StopRequested, DatabaseUnavailable):
            with suppress(LeaseLost, DatabaseUnavailable):
                self._leases.release(lease, counts=False)
                logger.info("job %s: given back", lease.job)
            raise
        except Exception as error:  # a model can raise anything
            with suppress(LeaseLost):
                self._fail(lease, report.progress, error)
        return True

    def _score(self, lease: Lease, report: _Report) -> None:
        started_at = time.monotonic()
        with SpooledFile() as file, SpooledFile() as spool:
            for part in self._leases.input(lease):
                file.write(part)
                report(Progress())
            file.seek(0)
            job = self._scorer.csv_job(report, report.again, keep_bad_rows=lease.keep_bad_rows)
            with closing(job.run(file, spool)) as answer:
                for number, part in enumerate(_pieces(answer)):
                    self._leases.write(lease, number, part)
                    report.again()
        done = report.progress
        self._leases.finish(lease, done)
        seconds = time.monotonic() - started_at
        counts = (done.done, done.rejected, seconds)
        logger.info("job %s: done, %d rows, %d rejected, %.1f s", lease.job, *counts)

    def _fail(self, lease: Lease, progress: Progress, error: Exception) -> None:
        """End a job whose file is wrong; one that failed for another reason is tried again."""
        if isinstance(error, ServiceError) and not isinstance(error, Unavailable):
            logger.info("job %s: failed, %s", lease.job, error.summary)
            self._leases.fail(lease, progress, _document(error))
            return
        logger.error("job %s: try %d of %d", lease.job, lease.tries, MAX_TRIES, exc_info=error)
        if lease.tries < MAX_TRIES:
            self._leases.release(lease, counts=True)
        else:
            self._leases.fail(lease, progress, GIVEN_UP)


class _Report:
    """Takes the progress of a job: renews its lease once a second, and stops the work."""

    def __init__(self, leases: Leases, lease: Lease, stop: threading.Event) -> None:
        self._leases, self._lease, self._stop = leases, lease, stop
        self._reported_at = time.monotonic()
        self.progress = Progress()

    def __call__(self, progress: Progress) -> None:
        """Raise StopRequested or LeaseLost if the work has to end."""
        self.progress = progress
        if self._stop.is_set():
            raise StopRequested
        if time.monotonic() - self._reported_at >= REPORT_SECONDS:
            self._leases.renew(self._lease, progress)
            self._reported_at = time.monotonic()

    def again(self) -> None:
        """Report the last progress again: the work goes on."""
        self(self.progress)


def _pieces(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in pieces of PART_BYTES, the last one shorter."""
    waiting = bytearray()
    for part in parts:
        waiting += part
        while len(waiting) >= PART_BYTES:
            yield bytes(waiting[:PART_BYTES])
            del waiting[:PART_BYTES]
    if waiting:
        yield bytes(waiting)


def _document(error: ServiceError) -> Mapping[str, Any]:
    """Return what a caller is told, with the members of a problem of `/predict`."""
    problems = error.problems if isinstance(error, InvalidRows) else Problems()
    return {
        "title": error.summary,
        "detail": str(error),
        "errors": [problem.to_json() for problem in problems],
    }
