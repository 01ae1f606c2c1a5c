"""Do in this process what a worker does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from postgres import Postgres

from model_service.csv.stream import Progress
from model_service.jobs.database import Database
from model_service.jobs.leases import Lease, Leases
from model_service.jobs.scoring import JobScorer
from model_service.jobs.worker import JobWorker
from model_service.model.model import Model
from model_service.serving.predictor import Predictor
from model_service.serving.queue import PredictionQueue


class InterruptedLeases(Leases):
    """Leases that do something before each renewal."""

    def __init__(self, database: Database, interrupt: Callable[[], object]) -> None:
        super().__init__(database)
        self._interrupt = interrupt

    def renew(self, lease: Lease, progress: Progress) -> None:
        self._interrupt()
        super().renew(lease, progress)


@dataclass
class WorkerHere:
    """A worker in this process, and what it works with."""

    model: Model
    url: str
    interrupt: Callable[[], object] = lambda: None
    stop: threading.Event = field(default_factory=threading.Event)

    @cached_property
    def leases(self) -> Leases:
        return InterruptedLeases(self.database, self.interrupt)

    @cached_property
    def database(self) -> Database:
        return Database(self.url)

    @cached_property
    def worker(self) -> JobWorker:
        model = self.model
        queue = PredictionQueue(model.predict, timeout_seconds=20, max_in_flight=8, batches=False)
        predictor = Predictor.of_model(model, queue)
        scorer = JobScorer(predictor, 1 << 20)
        return JobWorker(self.leases, scorer, self.stop)


def work_off(model: Model, database: Postgres) -> None:
    """Score all jobs that wait, and delete those that are old."""
    here = WorkerHere(model, database.url)
    while here.worker.work():
        pass
    here.database.close()
