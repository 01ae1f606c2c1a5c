"""Metrics in Prometheus' text format: https://prometheus.io/docs/instrumenting/exposition_formats/"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Upper bounds of the buckets of a histogram, in seconds.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

Labels = tuple[str, ...]


@dataclass(frozen=True)
class Family:
    """A metric: series of one name that differ in their labels."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    help: str
    labels: Labels = ()
    series: Sequence[Labels] = ((),)  # the values of the labels of each

    @property
    def cell_count(self) -> int:
        """How many cells of the memory a series has: a histogram's are its buckets and its sum."""
        return len(BUCKETS) + 2 if self.type == "histogram" else 1

    def lines(self, totals: Mapping[Labels, Sequence[float]]) -> Iterator[str]:
        """Yield the series that have counted something, in Prometheus' text format."""
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} {self.type}"
        for values in self.series:
            labels = dict(zip(self.labels, values, strict=True))
            if self.type == "histogram":
                yield from self._histogram(labels, totals[values])
            elif totals[values][0] or not self.labels:
                yield sample(self.name, labels, totals[values][0])

    def _histogram(self, labels: dict[str, str], totals: Sequence[float]) -> Iterator[str]:
        *buckets, seconds = totals
        *_, count = cumulative = list(accumulate(buckets))
        if not count:
            return
        for bound, up_to in zip((*map(str, BUCKETS), "+Inf"), cumulative, strict=True):
            yield sample(f"{self.name}_bucket", {**labels, "le": bound}, up_to)
        yield sample(f"{self.name}_sum", labels, seconds)
        yield sample(f"{self.name}_count", labels, count)


@dataclass(frozen=True)
class Gauge:
    """A metric that is read when it is asked for, not counted: its values by that of its label."""

    name: str
    help: str
    values: Mapping[str, float]
    label: str = ""

    @classmethod
    def single(cls, name: str, help: str, value: float) -> Gauge:
        """Return a gauge without a label."""
        return cls(name, help, {"": value})

    def lines(self) -> Iterator[str]:
        """Yield it in Prometheus' text format."""
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} gauge"
        for text, value in self.values.items():
            yield sample(self.name, {self.label: text}, value)


def sample(name: str, labels: Mapping[str, str], value: float) -> str:
    """Return a line of the text format; empty labels are left out."""
    pairs = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items() if text)
    series = name + "{" + pairs + "}" if pairs else name
    return f"{series} {value:.15g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
