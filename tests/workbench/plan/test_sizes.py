"""Sizes, numbers of instances, verdicts and prices, for measurements made up."""

from __future__ import annotations

import dataclasses
import json
import math
from datetime import date
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench import heroku
from workbench.doctor.snapshot import Memory
from workbench.errors import UserError
from workbench.plan.calibrate import Busy, Calibration, Period, capped, further_seconds, pauses
from workbench.plan.command import read_need
from workbench.plan.costs import DAYS, HOUR, cost, costs, month, usage
from workbench.plan.deployed import Deployed, narrowed
from workbench.plan.jobs import plan_jobs
from workbench.plan.report import Report
from workbench.plan.sizes import MAX_LOAD, MAX_QUICK_LOAD, Need, Option, Sizing, cheapest
from workbench.platforms.plans import Plan, databases_of, plans_of, read_plans

MB = heroku.MEGABYTE


def measured(busy: float = 0.0005, alone: float = 0.001, megabytes: float = 100) -> Calibration:
    """Return a calibration; each further worker takes 40 MB."""
    memory = Memory(int(megabytes * MB), 40 * MB, 1, exact=True)
    return Calibration(1, 1.0, memory, (alone,) * 10, busy, True, 20, 0.1, each_seconds=busy)


def sizing_of(need: Need, calibration: Calibration) -> Sizing:
    return Sizing(need, calibration, requests=500)


def dyno(name: str) -> Plan:
    return next(plan for plan in plans_of("heroku") if plan.name == name)


DYNOS = [plan for plan in plans_of("heroku") if plan.sleeps is None]


def options_for(need: Need, calibration: Calibration) -> list[Option]:
    sizing = sizing_of(need, calibration)
    return [option for plan in DYNOS for option in sizing.options(plan)]


# (requests/s, p95 ms, busy ms, MB of one worker, cheapest that is sure)
CHOICES = [
    (1, 200, 0.5, 100, ("basic", 1)),
    (50, 200, 0.5, 100, ("basic", 1)),
    (150, 200, 0.5, 100, ("standard-1x", 2)),  # as dear as standard-2x, and one can fail
    (50, 200, 0.5, 600, ("standard-2x", 1)),
    (50, 200, 10, 100, ("performance-m", 1)),
    (10_000, 200, 0.5, 100, ("performance-l", 3)),
    (50, 5, 10, 100, None),  # a core of its own takes longer
    (1_000_000, 200, 10, 100, None),
]


@pytest.mark.parametrize(("rps", "p95", "busy", "megabytes", "expected"), CHOICES)
def test_the_cheapest_that_is_sure(
    rps: float, p95: float, busy: float, megabytes: float, expected: tuple[str, int] | None
) -> None:
    calibration = measured(busy / 1000, busy / 1000, megabytes)
    found = cheapest(options_for(Need(rps, p95 / 1000), calibration))
    assert (found and (found.plan.name, found.count)) == expected


# (seconds of a call, of each row, batches of a round)
BATCHES = [(0.008, 0.002, 1), (0.008, 0.002, 2), (0, 0.001, 2), (0.1, 0.0001, 3)]


@pytest.mark.parametrize(("call", "row", "batches"), BATCHES)
def test_what_a_batch_takes_by_itself_is_no_part_of_a_further_request(
    call: float, row: float, batches: int
) -> None:
    few, many = (row + batches * call / callers for callers in (8, 32))
    assert further_seconds(few, many) == pytest.approx(row)


@pytest.mark.parametrize(("few", "many", "expected"), [(0.02, 0.004, 0), (0.001, 0.002, 0.002)])
def test_a_further_request_takes_something_up_to_the_mean(
    few: float, many: float, expected: float
) -> None:
    assert further_seconds(few, many) == expected


# (responses and CPU seconds of periods of half a second, CPU seconds of a request)
PERIODS = [
    ([(1000, 0.4), (1250, 0.4), (800, 0.4)], 0.4 / 1250),
    ([(1000, 0.4), (100, 0.01)], 0.4 / 1000),  # too few responses: some were begun before
    ([(10, 0.3), (20, 0.3)], 0.6 / 30),
    ([(1000, 0.0), (1500, 0.0)], 1 / 2500),  # the CPU time is not known: the clock's
]


@pytest.mark.parametrize(("periods", "cpu"), PERIODS)
def test_the_quickest_period_says_what_a_request_takes(
    periods: list[tuple[int, float]], cpu: float
) -> None:
    found = Busy.of([Period(responses, 0.5, spent) for responses, spent in periods])
    assert found.cpu == pytest.approx(cpu)
    responses = sum(responses for responses, _ in periods)
    assert found.wall == pytest.approx(0.5 * len(periods) / responses)


def test_pauses_are_random_with_the_mean_of_the_rate() -> None:
    found = list(islice(pauses(50), 10_000))
    assert sum(found) == pytest.approx(200, rel=0.03)
    assert found == list(islice(pauses(50), 10_000))


def test_one_by_one_a_request_that_waited_takes_the_time_of_a_busy_worker() -> None:
    calibration = dataclasses.replace(measured(busy=0.5, alone=1), each_seconds=None)
    service = calibration.service()
    assert service.max_batch == 1
    assert service.seconds(1, 1, has_waited=False) == 1
    assert service.seconds(1, 1, has_waited=True) == 0.5


@settings(deadline=None, max_examples=15)
@given(
    rps=st.floats(0.1, 5_000),
    peak=st.floats(1, 10),
    busy=st.floats(0.0002, 0.2),
    p95=st.floats(0.005, 5),
    plan=st.sampled_from(DYNOS),
)
def test_enough_is_never_said_above_the_capacity(
    rps: float, peak: float, busy: float, p95: float, plan: Plan
) -> None:
    calibration, need = measured(busy, busy), Need(rps, p95, peak)
    sizing = sizing_of(need, calibration)
    for option in sizing.options(plan):
        assert option.fast.load <= option.slow.load
        cores = min(plan.cpu[0], option.workers) * option.count
        if option.verdict == "enough":
            limit = MAX_QUICK_LOAD if busy < 0.001 else MAX_LOAD
            assert rps * peak * busy <= limit * cores * 1.0001
            assert option.slow.p95 <= p95
        if rps * peak * busy >= cores:
            assert option.slow.p95 == math.inf


@pytest.mark.parametrize(
    ("megabytes", "size", "workers"),
    [(100, "basic", 2), (380, "basic", 1), (420, "basic", 0), (420, "standard-2x", 4)],
)
def test_workers_fit_in_the_memory_with_room(megabytes: int, size: str, workers: int) -> None:
    sizing = sizing_of(Need(1, 0.2), measured(megabytes=megabytes))
    assert sizing.workers(dyno(size)) == workers
    options = list(sizing.options(dyno(size)))
    assert (options[0].verdict == "memory too small") == (workers == 0)


def test_the_number_set_in_app_json_is_the_number_planned() -> None:
    sizing = sizing_of(Need(1, 0.2), measured())
    assert {option.workers for option in sizing.options(dyno("standard-2x"), 3)} == {3}


@pytest.mark.parametrize(
    ("times", "total", "limited"),
    [
        ([1, 2, 3], 6, (1, 2, 3)),
        ([1, 2, 3], 9, (1, 2, 3)),
        ([1, 2, 9], 6, (1, 2, 3)),
        ([1, 8, 9], 6, (1, 2.5, 2.5)),
        ([4, 8, 9], 6, (2, 2, 2)),
        ([], 0, ()),
    ],
)
def test_delays_are_taken_off_the_longest_times(
    times: list[float], total: float, limited: tuple[float, ...]
) -> None:
    assert capped(times, total) == limited


# Costs on platforms

BY_USE = Plan(
    platform="p", name="n", megabytes=1024, cpu=(1, 1), workers=1, dollars=0, unit="use",
    dedicated=False, scales=True, sleeps=None, source="https://example.org", date=date(2026, 1, 1),
    rates={"vcpu_second": 1e-5, "gib_second": 1e-6, "million_requests": 0.5},
)  # fmt: skip
MONTH = HOUR * DAYS * 24
BILLS = [
    ("a month", {"unit": "month", "dollars": 7}, 14),
    ("an hour", {"unit": "hour", "dollars": 0.01}, 2 * 0.01 * 24 * DAYS),
    ("not published", {"unit": "month", "dollars": None}, None),
    ("use", {}, MONTH * (10 * 0.0005 * 1e-5 + 2 * 1e-6 * 100 / 1024 + 10 * 0.5e-6)),
    ("whole instances", {"allocated": True}, MONTH * (2e-5 + 2e-6 + 10 * 0.5e-6)),
    ("used less than is free", {"free": dict.fromkeys(BY_USE.rates, math.inf), "dollars": 3}, 3),
    ("used less than is included", {"dollars": 20, "included_dollars": 1000}, 20),
]


@pytest.mark.parametrize(("members", "dollars"), [b[1:] for b in BILLS], ids=[b[0] for b in BILLS])
def test_bills(members: dict[str, object], dollars: float | None) -> None:
    need, calibration = Need(10, 0.2), measured()
    option = sizing_of(need, calibration).option(dataclasses.replace(BY_USE, **members), 2, 1)
    bill = month(option, need, calibration)
    assert bill == (None if dollars is None else pytest.approx(dollars))
    rows = sizing_of(need, calibration)
    million = cost(rows, option).million_rows
    assert million == (None if dollars is None else pytest.approx(dollars / (10 * MONTH) * 1e6))


def test_a_platform_that_sleeps_bills_the_time_with_requests() -> None:
    need, calibration = Need(0.01, 0.2, hours=10), measured()
    plan = dataclasses.replace(BY_USE, sleeps=900, allocated=True)
    option = sizing_of(need, calibration).option(plan, 1, 1)
    busy = usage(option, need, calibration)["vcpu_second"]
    assert busy == pytest.approx(0.01 * 0.1 * 10 * HOUR * DAYS, rel=0.01)  # 100 ms a request
    assert cost(sizing_of(need, calibration), option).first_caller_seconds == 1.0


def test_each_platform_has_its_best_plan() -> None:
    found = costs(sizing_of(Need(20, 0.2), measured()), read_plans())
    assert [c.option.plan.platform for c in found] == [
        *dict.fromkeys(plan.platform for plan in read_plans())
    ]
    assert {c.option.verdict for c in found if c.option.plan.platform == "heroku"} == {"enough"}


# The deployed service

DEPLOYED = [
    # (network ms, alone ms, requests/s, cores): a quick model says by its throughput what it has
    (30, 31, 400, 0.2),
    (30, 34, 1600, 0.8),
    # a slow one by its time alone, too
    (30, 40, 10, 0.1),
]


@pytest.mark.parametrize(("network", "alone", "throughput", "cores"), DEPLOYED)
def test_the_cpu_of_a_deployed_service(
    network: float, alone: float, throughput: float, cores: float
) -> None:
    found = Deployed(network / 1000, (alone / 1000,), throughput).cores(measured())
    assert found == pytest.approx((0.7 * cores, 1.3 * cores))


def test_the_measured_cpu_narrows_the_shared_sizes_only() -> None:
    plans = {plan.name: plan for plan in narrowed(DYNOS, "basic", (0.1, 0.2))}
    assert plans["basic"].cpu == pytest.approx((0.1, 0.2))
    assert plans["standard-2x"].cpu == pytest.approx((0.2, 0.4), rel=0.02)
    assert plans["performance-m"].cpu == dyno("performance-m").cpu
    with pytest.raises(UserError, match="has the size 'huge'"):
        narrowed(DYNOS, "huge", (0.1, 0.2))


# The command

PROBLEMS = [
    ({"RPS": "x", "P95": "200"}, "RPS='x' is no number from 0.001 to 1e+06; requests a second"),
    ({"RPS": "5", "P95": "0"}, "P95='0' is no number from 0.1 to 100000; milliseconds"),
    ({"RPS": "5", "P95": "9", "HOURS": "25"}, "HOURS='25' is no number from 0.1 to 24"),
    ({"RPS": "5", "P95": "9", "PEAK": "nan"}, "PEAK='nan' is no number"),
    ({"RPS": "5", "P95": "9", "ROWS": "1.5"}, "ROWS='1.5' is no whole number from 1 to 1000"),
]


@pytest.mark.parametrize(("options", "message"), PROBLEMS)
def test_a_wrong_option_is_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        read_need(options)
    assert message in caught.value.problems[0]


def test_options_are_read() -> None:
    options = {"RPS": "50", "P95": "200", "PEAK": "3", "HOURS": "8", "ROWS": "16"}
    assert read_need(options) == Need(50, 0.2, 3, 8, 16)
    assert read_need({"RPS": "50", "P95": "200"}) == Need(50, 0.2)


def report(need: Need, calibration: Calibration, today: date = date(2026, 11, 30)) -> Report:
    sizing, options = sizing_of(need, calibration), options_for(need, calibration)
    bills = costs(sizing, (plan for plan in read_plans() if plan.platform != "heroku"))
    best = cheapest(options)
    jobs = plan_jobs(sizing, best, DYNOS, databases_of("heroku")) if best else None
    return Report(need, calibration, options, best, jobs, bills, sizing.max_load, None, today)


@pytest.mark.parametrize(
    ("need", "calibration"),
    [
        (Need(50, 0.2, job_workers=1), measured()),
        (Need(50, 0.2, 3, 8, 16), measured(0.02, 0.03)),
        (Need(100_000, 0.01, 10), measured()),
        (Need(0.01, 60), measured(30, 40, 50_000)),
    ],
)
def test_the_report_fits_in_100_columns_and_is_json_too(
    need: Need, calibration: Calibration
) -> None:
    found = report(need, calibration)
    assert [line for line in found.text().splitlines() if len(line) > 100] == []
    document = json.loads(found.to_json(), parse_constant=pytest.fail)
    assert (document["cheapest"] is None) == (found.best is None)
    assert len(document["options"]) == len(found.options)


def test_old_prices_and_a_busy_machine_are_said() -> None:
    calibration = dataclasses.replace(measured(), machine_load=6.0)
    text = report(Need(50, 0.2), calibration, date(2036, 1, 1)).text()
    assert "Warning: the price of heroku basic is of 2026-09-06, over 18" in text
    assert "Warning: this machine had 6.0 busy processes a core" in text
    assert "Warning" not in report(Need(50, 0.2), measured()).text()


JOBS = [
    # requests/s, MB of one worker, worker dynos; their size, database, connections, dollars
    (1, 100, 1, ("basic", "essential-0", 2 + 1 + 2, 7 + 5)),
    (150, 100, 3, ("standard-1x", "essential-0", 2 * 2 + 3 + 2, 3 * 25 + 5)),
    (1, 100, 14, ("standard-1x", "essential-0", 2 + 14 + 2, 14 * 25 + 5)),
    (1, 100, 17, ("standard-1x", "standard-0", 2 + 17 + 2, 17 * 25 + 50)),
    (1, 600, 2, ("standard-2x", "essential-0", 4 + 2 + 2, 2 * 50 + 5)),
]


@pytest.mark.parametrize(("rps", "megabytes", "workers", "expected"), JOBS)
def test_jobs_take_dynos_a_database_and_its_connections(
    rps: float, megabytes: float, workers: int, expected: tuple[str, str, int, int]
) -> None:
    sizing = sizing_of(Need(rps, 0.2, job_workers=workers), measured(megabytes=megabytes))
    dynos = [plan for plan in DYNOS if plan.scales or workers == 1]
    web = cheapest([option for plan in dynos for option in sizing.options(plan)])
    assert web is not None
    jobs = plan_jobs(sizing, web, dynos, databases_of("heroku"))
    assert jobs.dyno is not None
    assert jobs.database is not None
    name = jobs.database.name.removeprefix("heroku-postgresql:")
    assert (jobs.dyno.name, name, jobs.connections, jobs.dollars) == expected


def test_more_connections_than_any_database_has_are_no_plan() -> None:
    sizing = sizing_of(Need(1, 0.2, job_workers=200), measured())
    web = next(sizing.options(dyno("standard-1x")))
    assert plan_jobs(sizing, web, DYNOS, databases_of("heroku")).dollars is None
