"""Counts for Prometheus, of all workers, in memory that they share.

The official client keeps the counts of several processes in mapped files: a worker dies of SIGBUS
when the disk is full, and each one that was ever there leaves its files. Here the memory is
anonymous, laid out at boot from what is known then (routes, features, classes) and never grows.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
import threading
import weakref
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from itertools import accumulate, product
from pathlib import Path
from typing import Any

import numpy as np
from werkzeug.routing import Map

from model_service.contract.contract import REASONS, Contract, Problem, Scalar, json_text
from model_service.model.model import Manifest
from model_service.model.predictions import values_at
from model_service.web.request_log import RequestRecord

if sys.platform != "win32":
    import fcntl

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# More workers than any dyno has. Two that share a slot would lose a count now and then.
SLOTS = 64
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# Of features, and of classes: each is a time series. What is more is counted without its name.
MAX_NAMES = 100
OTHER = "other"
METHODS = ("GET", "HEAD", "POST", "OPTIONS", OTHER)  # where no route is found
STATUSES = (*(str(status.value) for status in HTTPStatus if status >= 200), OTHER)

Labels = tuple[str, ...]


@dataclass(frozen=True)
class Family:
    """Series of one name, which differ in their labels; each has some cells of the memory."""

    name: str
    type: str
    help: str
    labels: Labels
    cells: Mapping[Labels, int]  # the first cell of each series

    def lines(self, totals: Sequence[float]) -> Iterator[str]:
        """Yield the series that have counted anything, as Prometheus reads them."""
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} {self.type}"
        for values, cell in self.cells.items():
            labels = dict(zip(self.labels, values, strict=True))
            if self.type == "histogram":
                yield from self._histogram(labels, totals[cell : cell + len(SECONDS) + 2])
            elif totals[cell] or not self.labels:
                yield sample(self.name, labels, totals[cell])

    def _histogram(self, labels: dict[str, str], totals: Sequence[float]) -> Iterator[str]:
        *buckets, seconds = totals
        *_, count = counts = list(accumulate(buckets))
        if not count:
            return
        for most, up_to in zip((*map(str, SECONDS), "+Inf"), counts, strict=True):
            yield sample(f"{self.name}_bucket", {**labels, "le": most}, up_to)
        yield sample(f"{self.name}_sum", labels, seconds)
        yield sample(f"{self.name}_count", labels, count)


class _Places:
    """The slots that are taken: a process locks a byte of a file that has no name and no bytes.

    The system gives the lock to one process only, and takes it back however that ends.
    """

    def __init__(self) -> None:
        if sys.platform == "linux":
            self._file = os.memfd_create("places")  # needs no folder, which may be read-only
        elif sys.platform != "win32":
            self._file, name = tempfile.mkstemp()
            Path(name).unlink()
        if sys.platform != "win32":
            # An open file would warn if nobody closes it, and nobody closes an application.
            weakref.finalize(self, os.close, self._file)

    def take(self) -> int:
        """Return the first slot that no other process has; that of one that died is used again."""
        if sys.platform == "win32":
            return 0  # nothing forks there
        for slot in range(SLOTS):
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
            except OSError:
                continue
            return slot
        return 0

    @contextmanager
    def of_the_dead(self, slot: int) -> Iterator[bool]:
        """Tell whether no other process has a slot; none can take it meanwhile.

        Not for the slot of this process, which would lose it.
        """
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
        except OSError:
            yield False
            return
        try:
            yield True
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, slot)


class Metrics:
    """What all processes that were forked from this one have counted.

    The memory is laid out at the first use, or before the fork by `lay_out`: by then all routes
    are registered. Processes that were forked before that would not share it.
    """

    def __init__(self, url_map: Map, contract: Contract, manifest: Manifest) -> None:
        self._url_map, self._contract, self._manifest = url_map, contract, manifest
        self._layout_lock = threading.Lock()
        self._is_laid_out = False

    def lay_out(self) -> None:
        """Reserve the memory for all series that there can be."""
        if self._is_laid_out:
            return
        with self._layout_lock:
            if not self._is_laid_out:
                self._lay_out(self._contract, self._manifest)
                self._is_laid_out = True

    def _lay_out(self, contract: Contract, manifest: Manifest) -> None:
        self._size = 0
        # A failed request has no route where its path or its method fits none.
        methods: dict[str, set[str]] = {"": set(METHODS)}
        for rule in self._url_map.iter_rules():
            methods.setdefault(rule.rule, set()).update(rule.methods or ())
        self._requests = self._family(
            "http_requests_total",
            "Answers, by route, method and status.",
            ("route", "method", "status"),
            [
                (route, method, status)
                for route, known in methods.items()
                for method, status in product(sorted(known), STATUSES)
            ],
        )
        self._seconds = self._family(
            "http_request_duration_seconds",
            "Time from a request to the end of its answer.",
            ("route",),
            [(route,) for route in methods],
            type="histogram",
        )
        self._waiting = self._family(
            "model_requests_waiting", "Requests that wait for the model.", (), [()], type="gauge"
        )
        self._rows = self._family("model_rows_total", "Rows that were predicted.", (), [()])
        features = [feature.name for feature in contract.features[:MAX_NAMES]]
        self._rejected = self._family(
            "model_rejected_rows_total",
            "Rows that were refused; one with several problems counts under each.",
            ("reason", "feature"),
            list(product(REASONS, ("", *features))),
        )
        self._targets = contract.output.targets
        self._classes: dict[Scalar, str] = {}
        if manifest.task == "classification":
            self._classes = {c: json_text(c) for c in (manifest.classes or ())[:MAX_NAMES]}
        self._predictions = self._family(
            "model_predictions_total",
            "Predictions, by class.",
            ("target", "class"),
            list(product(self._targets or ("",), (*self._classes.values(), OTHER))),
        )
        self._about = {
            "name": manifest.name,
            "version": str(manifest.version),
            "task": manifest.task,
            "sha256": manifest.sha256,
        }
        self._memory = mmap.mmap(-1, SLOTS * self._size * 8)
        self._cells = memoryview(self._memory).cast("d")
        self._lock = threading.Lock()
        self._places = _Places()
        self._process = self._slot = 0

    def _family(
        self, name: str, help: str, labels: Labels, series: Sequence[Labels], type: str = "counter"
    ) -> Family:
        cells = len(SECONDS) + 2 if type == "histogram" else 1
        first = self._size
        places = {values: first + cells * number for number, values in enumerate(series)}
        self._size = first + cells * len(series)
        return Family(name, type, help, labels, places)

    def slot(self) -> int:
        """Return where this process counts; it takes a slot the first time after its fork."""
        self.lay_out()
        if self._process != os.getpid():
            self._process, self._slot = os.getpid(), self._places.take()
            self._cells[self._waiting_of(self._slot)] = 0  # of one that died, nobody waits
        return self._slot

    def _waiting_of(self, slot: int) -> int:
        return slot * self._size + self._waiting.cells[()]

    def _add(self, counts: Iterable[tuple[int, float]]) -> None:
        with self._lock:
            first = self.slot() * self._size
            for cell, count in counts:
                self._cells[first + cell] += count

    def set_waiting(self, requests: int) -> None:
        """Note how many requests wait for the model of this process."""
        self.lay_out()
        with self._lock:
            self._cells[self._waiting_of(self.slot())] = requests

    def _forget_the_dead(self) -> None:
        """Count what a process has counted after its death too, but for those that waited in it."""
        with self._lock:
            own = self.slot()
            for slot in range(SLOTS):
                cell = self._waiting_of(slot)
                if slot != own and self._cells[cell]:
                    with self._places.of_the_dead(slot) as dead:
                        if dead:
                            self._cells[cell] = 0

    def count_request(self, record: RequestRecord) -> None:
        """Count a request and its time."""
        self.lay_out()
        route = record.route if record.route and (record.route,) in self._seconds.cells else ""
        method = record.method if route or record.method in METHODS else OTHER
        status = str(record.status)
        key = (route, method, status if status in STATUSES else OTHER)
        seconds = self._seconds.cells[(route,)]
        self._add(
            (
                (self._requests.cells[key], 1),
                (seconds + bisect_left(SECONDS, record.seconds), 1),
                (seconds + len(SECONDS) + 1, record.seconds),
            )
        )

    def count_predictions(self, answers: Sequence[Mapping[str, Any]]) -> None:
        """Count rows and their classes."""
        self.lay_out()
        counts: list[tuple[int, float]] = [(self._rows.cells[()], len(answers))]
        if self._classes:
            for target in self._targets or ("",):
                path = ("prediction", target) if target else ("prediction",)
                values = values_at(answers, path)
                found = Counter(values) if len(values) > 1 else dict.fromkeys(values, 1)
                for prediction, count in found.items():
                    name = self._classes.get(prediction, OTHER)
                    counts.append((self._predictions.cells[target, name], count))
        self._add(counts)

    def count_rejected(self, problems: Iterable[Problem]) -> None:
        """Count what was wrong with rows. A feature that is none has no name here."""
        self.lay_out()
        found = Counter((problem.reason, problem.feature or "") for problem in problems)
        cells = self._rejected.cells
        self._add(
            (cells.get((reason, feature), cells[reason, ""]), count)
            for (reason, feature), count in found.items()
        )

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """Return all that was counted, and `gauges`: help and value of what is now, by name."""
        self.lay_out()
        self._forget_the_dead()
        totals = np.frombuffer(self._memory).reshape(SLOTS, self._size).sum(axis=0).tolist()
        lines = ["# HELP model_info The model that predicts.", "# TYPE model_info gauge"]
        lines.append(sample("model_info", self._about, 1))
        for name, (meaning, now) in gauges.items():
            lines += [f"# HELP {name} {meaning}", f"# TYPE {name} gauge", sample(name, {}, now)]
        families = [self._waiting, self._requests, self._seconds, self._rows, self._rejected]
        for family in [*families, self._predictions] if self._classes else families:
            lines += family.lines(totals)
        return "\n".join(lines) + "\n"


def sample(name: str, labels: Mapping[str, str], value: float) -> str:
    """Return a line of the text format; a label that is empty is none."""
    pairs = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items() if text)
    series = name + "{" + pairs + "}" if pairs else name
    return f"{series} {value:.15g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
