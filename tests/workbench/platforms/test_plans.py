"""Prices have a source and a date, and none of them is old."""

from __future__ import annotations

from datetime import date
from urllib.parse import urlsplit

import pytest

from workbench.platforms.plans import Plan, Priced, databases_of, plans_of, read_plans

PLANS = read_plans()
every_plan = pytest.mark.parametrize("plan", PLANS, ids=lambda plan: f"{plan.platform} {plan.name}")


@pytest.mark.parametrize(
    "plan", [*PLANS, *databases_of("heroku")], ids=lambda plan: f"{plan.platform} {plan.name}"
)
def test_a_price_has_a_source_and_is_at_most_18_months_old(plan: Priced) -> None:
    assert urlsplit(plan.source).scheme == "https"
    assert not plan.is_outdated(date.today()), f"look it up again: {plan.source}"


@every_plan
def test_an_entry_is_whole(plan: Plan) -> None:
    assert plan.unit in ("month", "hour", "use")
    assert plan.megabytes > 0
    assert plan.workers > 0
    assert 0 < plan.cpu[0] <= plan.cpu[1]
    assert (plan.unit == "use") == bool(plan.rates)
    assert (
        plan.free.keys() <= plan.rates.keys() <= {"vcpu_second", "gib_second", "million_requests"}
    )
    assert plan.sleeps is None or plan.sleeps > 0


def test_names_are_unique_within_a_platform() -> None:
    assert len({(plan.platform, plan.name) for plan in PLANS}) == len(PLANS)


@pytest.mark.parametrize(
    ("today", "outdated"),
    [
        ("2027-11-04", False),
        ("2027-11-05", True),
        ("2027-12-01", True),
        ("2028-01-01", True),
    ],
)
def test_a_price_of_4_may_2026_is_outdated_after_18_months(today: str, outdated: bool) -> None:
    starter = next(plan for plan in plans_of("render") if plan.name == "starter")
    assert starter.date == date(2026, 5, 4)
    assert starter.is_outdated(date.fromisoformat(today)) == outdated
