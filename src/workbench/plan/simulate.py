"""Simulate one instance under a load: random arrivals, one queue a worker, batches, rejections.

Requests reach the instances and their workers at random, so a share of a random (Poisson) stream
arrives at each instance, and one instance stands for all. Nothing here measures or prints.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from model_service.web.settings import Settings


@dataclass(frozen=True)
class Service:
    """One worker on a full core: a request alone takes one of `times`, chosen at random.

    A batch of k requests takes (k - 1) times `each` more, in proportion to that time. Without
    batches (`max_batch` is 1) a request that had to wait takes `each` instead, in proportion.
    A worker rejects requests beyond `max_in_flight`, and those that have waited `timeout_seconds`.
    """

    times: Sequence[float]
    each: float
    max_batch: int = Settings.max_in_flight
    max_in_flight: int = Settings.max_in_flight
    timeout_seconds: float = Settings.predict_seconds

    @property
    def mean(self) -> float:
        """Return the mean seconds of a request alone."""
        return sum(self.times) / len(self.times)

    def seconds(self, alone: float, count: int, *, has_waited: bool) -> float:
        """Return the time of a batch whose first request would take `alone` seconds alone."""
        growth = self.each / self.mean
        if self.max_batch == 1 and has_waited:
            return alone * growth
        return alone * (1 + (count - 1) * growth)


@dataclass(frozen=True)
class Instance:
    """Workers that share cores; a busy worker gets its share, and at most one core."""

    workers: int
    cores: float

    def speed(self, busy: int) -> float:
        """Return the share of a core that each of the busy workers gets."""
        return min(1.0, self.cores / busy) if busy else 1.0


@dataclass(frozen=True)
class Phase:
    """A time of requests that come at random, `rate` a second on average."""

    rate: float
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What became of the requests of one phase: sorted seconds from arrival to response."""

    latencies: Sequence[float]
    rejected: int

    @property
    def rejected_share(self) -> float:
        """Return the share of the requests that were rejected."""
        return self.rejected / max(self.rejected + len(self.latencies), 1)

    @property
    def mean(self) -> float:
        """Return the mean seconds, NaN without requests."""
        return sum(self.latencies) / len(self.latencies) if self.latencies else math.nan

    def percentile(self, share: float) -> float:
        """Return the seconds within which this share is answered, infinite if none is."""
        return percentile(self.latencies, share) if self.latencies else math.inf


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value of a sorted sequence that at least `share` of it do not exceed."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def simulate(
    service: Service, instance: Instance, phases: Sequence[Phase], *, seed: int = 1
) -> tuple[Outcome, ...]:
    """Run the phases one after the other, and return one outcome for each.

    The same seed gives the same arrivals, whatever the service does.
    """
    run = _Run(service, instance, random.Random(f"service {seed}"), [_Answers() for _ in phases])
    for time, phase in _arrivals(phases, random.Random(seed)):
        run.advance(time)
        run.arrive(time, phase)
    run.advance(math.inf)
    return tuple(Outcome(sorted(found.latencies), found.rejected) for found in run.answers)


def _arrivals(phases: Sequence[Phase], rng: random.Random) -> Iterator[tuple[float, int]]:
    """Yield the time and the phase of each request."""
    ends = accumulate(phase.seconds for phase in phases)
    for number, (phase, end) in enumerate(zip(phases, ends, strict=True)):
        if phase.rate <= 0:
            continue
        time = end - phase.seconds + rng.expovariate(phase.rate)
        while time < end:
            yield time, number
            time += rng.expovariate(phase.rate)


@dataclass
class _Answers:
    latencies: list[float] = field(default_factory=list)
    rejected: int = 0


@dataclass(frozen=True)
class _Request:
    arrived: float
    phase: int


@dataclass
class _Worker:
    waiting: deque[_Request] = field(default_factory=deque)
    batch: list[_Request] = field(default_factory=list)

    @property
    def in_flight(self) -> int:
        return len(self.waiting) + len(self.batch)


class _Run:
    """The state of the workers at one moment.

    All busy workers have the same speed. So one clock of work done since the start serves them
    all: a batch ends when that clock has advanced by the batch's seconds.
    """

    def __init__(
        self,
        service: Service,
        instance: Instance,
        rng: random.Random,
        answers: Sequence[_Answers],
    ) -> None:
        self._service, self._instance, self._rng = service, instance, rng
        self.answers = answers
        self._workers = [_Worker() for _ in range(instance.workers)]
        self._now = self._work = 0.0
        self._ends: list[tuple[float, int]] = []  # a heap: the end on the clock of work, the worker

    def arrive(self, time: float, phase: int) -> None:
        """Let a request arrive at one of the workers; `advance` has been called for `time`."""
        number = self._rng.randrange(len(self._workers))
        worker = self._workers[number]
        if worker.in_flight >= self._service.max_in_flight:
            self.answers[phase].rejected += 1
            return
        worker.waiting.append(_Request(time, phase))
        if not worker.batch:
            self._start(number, has_waited=False)

    def advance(self, time: float) -> None:
        """Let all batches end that end before `time`."""
        while self._ends:
            speed = self._instance.speed(len(self._ends))
            end = self._now + (self._ends[0][0] - self._work) / speed
            if end > time:
                self._work += (time - self._now) * speed
                break
            self._now, (self._work, number) = end, heapq.heappop(self._ends)
            self._finish(number)
        self._now = time

    def _start(self, number: int, *, has_waited: bool) -> None:
        worker = self._workers[number]
        while worker.waiting and len(worker.batch) < self._service.max_batch:
            request = worker.waiting.popleft()
            if self._since(request) > self._service.timeout_seconds:
                self.answers[request.phase].rejected += 1
            else:
                worker.batch.append(request)
        if worker.batch:
            alone = self._rng.choice(self._service.times)
            seconds = self._service.seconds(alone, len(worker.batch), has_waited=has_waited)
            heapq.heappush(self._ends, (self._work + seconds, number))

    def _finish(self, number: int) -> None:
        worker = self._workers[number]
        for request in worker.batch:
            if (seconds := self._since(request)) > self._service.timeout_seconds:
                self.answers[request.phase].rejected += 1
            else:
                self.answers[request.phase].latencies.append(seconds)
        worker.batch = []
        self._start(number, has_waited=True)

    def _since(self, request: _Request) -> float:
        return self._now - request.arrived
