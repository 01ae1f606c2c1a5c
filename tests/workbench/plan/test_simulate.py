"""The simulation: what queueing theory says in closed form, and what holds for any load."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.plan.simulate import Instance, Outcome, Phase, Service, percentile, simulate

ENDLESS = {"max_in_flight": 10**6, "timeout_seconds": math.inf}
POINTS = 20_000
FIXED = (1.0,)
EXPONENTIAL = tuple(-math.log(1 - (number + 0.5) / POINTS) for number in range(POINTS))
ONE_AT_A_TIME = Instance(workers=1, cores=1)


def alone(
    times: tuple[float, ...], load: float, requests: int, instance: Instance = ONE_AT_A_TIME
) -> Outcome:
    """Return the outcome of requests that are never predicted together, with mean 1 s."""
    service = Service(times, each=1, max_batch=1, **ENDLESS)
    (outcome,) = simulate(service, instance, [Phase(load, requests / load)], seed=3)
    return outcome


@pytest.mark.parametrize("load", [0.3, 0.5, 0.7])
class TestClosedForms:
    def test_fixed_times_wait_as_in_m_d_1(self, load: float) -> None:
        expected = 1 + load / (2 * (1 - load))
        assert alone(FIXED, load, 100_000).mean == pytest.approx(expected, rel=0.03)

    def test_exponential_times_wait_as_in_m_m_1(self, load: float) -> None:
        outcome = alone(EXPONENTIAL, load, 200_000)
        assert outcome.mean == pytest.approx(1 / (1 - load), rel=0.03)
        p95 = -math.log(0.05) / (1 - load)
        assert outcome.percentile(0.95) == pytest.approx(p95, rel=0.03)

    def test_workers_at_random_are_queues_of_their_own(self, load: float) -> None:
        outcome = alone(FIXED, 2 * load, 100_000, Instance(workers=2, cores=2))
        assert outcome.mean == pytest.approx(1 + load / (2 * (1 - load)), rel=0.03)

    def test_a_slower_core_is_a_slower_clock(self, load: float) -> None:
        slow = Instance(workers=1, cores=0.25)
        full, quarter = alone(FIXED, load, 5_000), alone(FIXED, load / 4, 5_000, slow)
        assert quarter.latencies == pytest.approx([4 * seconds for seconds in full.latencies])


def test_workers_that_share_a_core_get_half_of_it_each() -> None:
    """Processor sharing of exponential times has the mean of one queue: 1 / (1 - load)."""
    outcome = alone(EXPONENTIAL, 0.5, 100_000, Instance(workers=30, cores=1))
    assert outcome.mean == pytest.approx(2, rel=0.03)


loads = st.floats(0.1, 3)
services = st.builds(
    Service,
    times=st.lists(st.floats(0.001, 1), min_size=1, max_size=5).map(tuple),
    each=st.floats(0, 1),
    max_batch=st.integers(1, 48),
    max_in_flight=st.integers(1, 48),
)
instances = st.builds(Instance, workers=st.integers(1, 4), cores=st.floats(0.1, 4))


@settings(deadline=None, max_examples=50)
@given(service=services, instance=instances, load=loads, seed=st.integers(0, 99))
def test_each_request_is_answered_or_rejected_and_never_early(
    service: Service, instance: Instance, load: float, seed: int
) -> None:
    phases = [Phase(load / service.mean, 50 * service.mean), Phase(0, 1)]
    busy, idle = simulate(service, instance, phases, seed=seed)
    assert busy == simulate(service, instance, phases, seed=seed)[0]
    assert idle == Outcome([], 0)
    alone = min(service.times)
    quickest = min(service.seconds(alone, 1, has_waited=waited) for waited in (False, True))
    assert all(quickest * 0.999 <= seconds <= service.timeout_seconds for seconds in busy.latencies)
    assert list(busy.latencies) == sorted(busy.latencies)


@settings(deadline=None, max_examples=30)
@given(load=st.floats(0.1, 0.95), seed=st.integers(0, 99))
def test_batches_that_cost_no_more_never_wait_longer(load: float, seed: int) -> None:
    phases = [Phase(load, 300)]
    (together,) = simulate(Service(FIXED, 0, **ENDLESS), ONE_AT_A_TIME, phases, seed=seed)
    (one_by_one,) = simulate(Service(FIXED, 1, 1, **ENDLESS), ONE_AT_A_TIME, phases, seed=seed)
    assert together.mean <= one_by_one.mean * 1.0001


# (load, batch, limit of requests, seconds to wait, share of rejections)
REJECTIONS = [
    (0.5, 1, 48, 20, (0, 0)),
    (2.0, 1, 48, math.inf, (0.45, 0.55)),  # half of it is above the capacity
    (2.0, 1, 10**6, 20, (0.45, 1)),  # these wait too long, some while they are predicted
    (2.0, 48, 48, math.inf, (0, 0)),  # batches have the capacity
    (0.5, 1, 1, math.inf, (0.31, 0.36)),  # Erlang's loss formula: 0.5 / 1.5
]


@pytest.mark.parametrize(("load", "batch", "limit", "seconds", "share"), REJECTIONS)
def test_rejections(
    load: float, batch: int, limit: int, seconds: float, share: tuple[float, float]
) -> None:
    service = Service(FIXED, 0.1 if batch > 1 else 1, batch, limit, seconds)
    (outcome,) = simulate(service, ONE_AT_A_TIME, [Phase(load, 10_000)])
    assert share[0] <= outcome.rejected_share <= share[1]


def test_a_burst_is_an_outcome_of_its_own() -> None:
    service = Service(FIXED, 1, 1, **ENDLESS)
    phases = [Phase(0.2, 3_000), Phase(0.9, 3_000), Phase(0.2, 3_000)]
    before, burst, after = simulate(service, ONE_AT_A_TIME, phases)
    assert burst.mean > 2 * before.mean
    assert after.mean == pytest.approx(before.mean, rel=0.2)


@pytest.mark.parametrize(
    ("share", "value"), [(0, 1), (0.25, 1), (0.26, 2), (0.5, 2), (0.95, 4), (1, 4)]
)
def test_percentiles(share: float, value: float) -> None:
    assert percentile([1, 2, 3, 4], share) == value


def test_without_requests_nothing_is_said() -> None:
    assert math.isnan(Outcome([], 0).mean)
    assert Outcome([], 3).percentile(0.95) == math.inf
