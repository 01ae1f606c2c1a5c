"""What the service counts, over all worker processes, for Prometheus.

The memory is laid out before the fork from what is known then: routes, features, classes.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from itertools import product
from typing import Any

from werkzeug.routing import Map

from model_service.contract.contract import Contract
from model_service.contract.json_values import Scalar, json_text
from model_service.contract.problems import REASONS, ProblemCounts
from model_service.contract.unusual import RowWarning
from model_service.model.manifest import Manifest
from model_service.model.predictions import values_at
from model_service.web.prometheus import BUCKETS, Family, Gauge, sample
from model_service.web.request_log import RequestRecord
from model_service.web.shared_counters import MAX_SLOTS, SharedCells, Slots

# Of features and of classes: each is a time series. Further ones are counted without their name.
MAX_NAMES = 100
OTHER = "other"
METHODS = ("GET", "HEAD", "POST", "OPTIONS", OTHER)  # of requests without a route
STATUSES = (*(str(status.value) for status in HTTPStatus if status >= 200), OTHER)


def families(url_map: Map, contract: Contract, manifest: Manifest) -> dict[str, Family]:
    """Return all metrics of a service in the order in which they are shown, by a short name."""
    return {**_of_requests(url_map), **_of_rows(contract), **_of_classes(contract, manifest)}


def _of_requests(url_map: Map) -> dict[str, Family]:
    # A failed request has no route if its path or its method fits none.
    methods: dict[str, set[str]] = {"": set(METHODS)}
    for rule in url_map.iter_rules():
        methods.setdefault(rule.rule, set()).update(rule.methods or ())
    return {
        "waiting": Family("model_requests_waiting", "gauge", "Requests that wait for the model."),
        "requests": Family(
            "http_requests_total",
            "counter",
            "Answers, by route, method and status.",
            ("route", "method", "status"),
            [
                (route, method, status)
                for route, known in methods.items()
                for method, status in product(sorted(known), STATUSES)
            ],
        ),
        "seconds": Family(
            "http_request_duration_seconds",
            "histogram",
            "Time from a request to the end of its answer.",
            ("route",),
            [(route,) for route in methods],
        ),
        "dropped_lines": Family(
            "log_lines_dropped_total", "counter", "Lines of the log that no one read in time."
        ),
    }


def _of_rows(contract: Contract) -> dict[str, Family]:
    features = [feature.name for feature in contract.features[:MAX_NAMES]]
    return {
        "rows": Family("model_rows_total", "counter", "Rows that were predicted."),
        "explained": Family("model_explained_rows_total", "counter", "Rows that were explained."),
        "rejected": Family(
            "model_rejected_rows_total",
            "counter",
            "Rows that were refused; one with several problems counts under each.",
            ("reason", "feature"),
            list(product(REASONS, ("", *features))),
        ),
        "warnings": Family(
            "model_warnings_total",
            "counter",
            "Warnings of values unlike the sample, and of rows that are mostly unknown.",
            ("feature",),
            [("",), *((feature,) for feature in features)],
        ),
    }


def _of_classes(contract: Contract, manifest: Manifest) -> dict[str, Family]:
    classes = class_labels(manifest)
    if not classes:
        return {}
    targets = contract.output.targets or ("",)
    return {
        "predictions": Family(
            "model_predictions_total",
            "counter",
            "Predictions, by class.",
            ("target", "class"),
            # 1 and "1" have one label.
            list(product(targets, dict.fromkeys((*classes.values(), other_label(manifest))))),
        )
    }


def class_labels(manifest: Manifest) -> dict[Scalar, str]:
    """Return the classes that are counted by name, and these names."""
    if manifest.task.kind != "classification":
        return {}
    return {c: json_text(c) for c in (manifest.task.classes or ())[:MAX_NAMES]}


def other_label(manifest: Manifest) -> str:
    """Return the label of the classes that are not counted by name; no class has it."""
    taken, label = set(map(json_text, manifest.task.classes or ())), OTHER
    while label in taken:
        label = f"_{label}"
    return label


class Metrics:
    """The counters of all processes that were forked from this one.

    The memory is laid out at the first use, or by `lay_out` before the fork: all routes are
    registered then. Processes that were forked earlier would not share it.
    """

    def __init__(self, url_map: Map, contract: Contract, manifest: Manifest) -> None:
        self._url_map, self._contract, self._manifest = url_map, contract, manifest
        self._targets = contract.output.targets or ()
        self._classes, self._other_class = class_labels(manifest), other_label(manifest)
        self._about = {
            "name": manifest.about.name,
            "version": str(manifest.about.version),
            "task": manifest.task.kind,
            "sha256": manifest.model.sha256,
        }
        self._lock = threading.Lock()
        self._slots = Slots()
        self._process = self._slot = 0
        self._is_laid_out = False

    def lay_out(self) -> None:
        """Reserve the memory, once."""
        if self._is_laid_out:
            return
        with self._lock:
            if not self._is_laid_out:
                known = families(self._url_map, self._contract, self._manifest)
                self._memory = SharedCells(known.values())
                cells = {key: self._memory.cells[family.name] for key, family in known.items()}
                self._waiting, self._rows = cells["waiting"][()], cells["rows"][()]
                self._dropped_lines = cells["dropped_lines"][()]
                self._requests, self._seconds = cells["requests"], cells["seconds"]
                self._warnings, self._explained = cells["warnings"], cells["explained"][()]
                self._rejected, self._predictions = cells["rejected"], cells.get("predictions", {})
                self._is_laid_out = True

    def slot(self) -> int:
        """Return the slot of this process, which takes one at its first count after the fork."""
        if self._process != os.getpid():
            self._process, self._slot = os.getpid(), self._slots.take()
            # Nothing waits any more in the dead worker that had the slot.
            self._memory.values[self._waiting_cell(self._slot)] = 0
        return self._slot

    def _waiting_cell(self, slot: int) -> int:
        return slot * self._memory.size + self._waiting

    def _add(self, counts: Iterable[tuple[int, float]]) -> None:
        with self._lock:
            first = self.slot() * self._memory.size
            for cell, count in counts:
                self._memory.values[first + cell] += count

    def set_waiting(self, request_count: int) -> None:
        """Set how many requests wait for the model in this process."""
        self.lay_out()
        with self._lock:
            self._memory.values[self._waiting_cell(self.slot())] = request_count

    def count_dropped_lines(self, line_count: int) -> None:
        """Count lines of the log that were dropped."""
        self.lay_out()
        self._add([(self._dropped_lines, line_count)])

    def _reset_dead_gauges(self) -> None:
        """Keep a dead worker's counters; reset its waiting gauge."""
        with self._lock:
            own = self.slot()
            for slot in range(MAX_SLOTS):
                cell = self._waiting_cell(slot)
                if slot != own and self._memory.values[cell]:
                    with self._slots.lock_if_free(slot) as is_dead:
                        if is_dead:
                            self._memory.values[cell] = 0

    def count_request(self, record: RequestRecord) -> None:
        """Count a request and its duration."""
        self.lay_out()
        route = record.route if record.route and (record.route,) in self._seconds else ""
        method = record.method if route or record.method in METHODS else OTHER
        status = str(record.status)
        key = (route, method, status if status in STATUSES else OTHER)
        seconds = self._seconds[(route,)]
        self._add(
            (
                (self._requests[key], 1),
                (seconds + bisect_left(BUCKETS, record.seconds), 1),
                (seconds + len(BUCKETS) + 1, record.seconds),
            )
        )

    def count_predictions(self, predictions: Sequence[Mapping[str, Any]]) -> None:
        """Count rows and their classes."""
        self.lay_out()
        counts: list[tuple[int, float]] = [(self._rows, len(predictions))]
        if self._classes:
            for target in self._targets or ("",):
                path = ("prediction", target) if target else ("prediction",)
                values = values_at(predictions, path)
                found = Counter(values) if len(values) > 1 else dict.fromkeys(values, 1)
                for value, count in found.items():
                    label = self._classes.get(value, self._other_class)
                    counts.append((self._predictions[target, label], count))
        self._add(counts)

    def count_explained(self, row_count: int) -> None:
        """Count rows that were explained."""
        self.lay_out()
        self._add([(self._explained, row_count)])

    def count_rejected(self, counts: ProblemCounts) -> None:
        """Count the problems of rows; one of a further feature is counted without its name."""
        self.lay_out()
        cells = self._rejected
        self._add(
            (cells.get((reason, feature), cells[reason, ""]), count)
            for (reason, feature), count in counts.items()
        )

    def count_warnings(self, warnings: Iterable[RowWarning]) -> None:
        """Count warnings; one of a further feature is counted without its name."""
        self.lay_out()
        cells = self._warnings
        self._add((cells.get((one.feature or "",), cells[("",)]), 1) for one in warnings)

    def text(self, gauges: Iterable[Gauge]) -> str:
        """Return these gauges and all metrics."""
        self.lay_out()
        self._reset_dead_gauges()
        lines = ["# HELP model_info The model that predicts.", "# TYPE model_info gauge"]
        lines.append(sample("model_info", self._about, 1))
        for gauge in gauges:
            lines += gauge.lines()
        return "\n".join([*lines, *self._memory.lines()]) + "\n"
