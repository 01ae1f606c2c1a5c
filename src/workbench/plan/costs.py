"""What the load costs a month on each platform, from the same measurement."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from workbench.plan.calibrate import Calibration
from workbench.plan.sizes import Need, Option, Sizing, Verdict
from workbench.platforms.plans import Plan

DAYS = 365 / 12
HOUR = 3600
MEBIBYTES = 1024
# Platforms that bill by request round its time up to this.
BILLED_SECONDS = 0.1
_VERDICTS: tuple[Verdict, ...] = ("enough", "perhaps too slow", "too slow", "memory too small")


@dataclass(frozen=True)
class Cost:
    """The best option on one platform, with its price and the wait of the first caller."""

    option: Option
    dollars: float | None
    million_rows: float | None  # at this load; None if it does not hold the load
    first_caller_seconds: float | None  # None: the service does not sleep


def requests_a_month(need: Need) -> float:
    """Return the requests in a month of HOURS a day at the mean rate."""
    return need.rps * need.hours * HOUR * DAYS


def costs(sizing: Sizing, plans: Iterable[Plan]) -> list[Cost]:
    """Return one cost for each platform: of the cheapest that is enough, else of the best."""
    by_platform: dict[str, list[Cost]] = {}
    for plan in plans:
        for option in sizing.options(plan):
            by_platform.setdefault(plan.platform, []).append(cost(sizing, option))
    return [min(found, key=_order) for found in by_platform.values()]


def cost(sizing: Sizing, option: Option) -> Cost:
    """Return the price of one option."""
    need, calibration = sizing.need, sizing.calibration
    dollars = month(option, need, calibration)
    holds = option.verdict in ("enough", "perhaps too slow")
    rows = requests_a_month(need) * need.rows
    sleeps = option.plan.sleeps is not None
    return Cost(
        option,
        dollars,
        dollars / rows * 1e6 if holds and dollars is not None else None,
        calibration.boot_seconds / min(option.plan.cpu[0], 1) if sleeps else None,
    )


def _order(found: Cost) -> tuple[int, bool, float]:
    sleeps = found.first_caller_seconds is not None
    dollars = math.inf if found.dollars is None else found.dollars
    return _VERDICTS.index(found.option.verdict), sleeps, dollars


def month(option: Option, need: Need, calibration: Calibration) -> float | None:
    """Return the dollars of a month, None if the price is not known."""
    plan = option.plan
    if plan.dollars is None:
        return None
    if plan.unit == "month":
        return plan.dollars * option.count
    if plan.unit == "hour":
        return plan.dollars * option.count * DAYS * (need.hours if plan.sleeps else 24)
    used = sum(
        max(amount - plan.free.get(name, 0), 0) * plan.rates.get(name, 0)
        for name, amount in usage(option, need, calibration).items()
    )
    return plan.dollars + max(used - plan.included_dollars, 0)


def usage(option: Option, need: Need, calibration: Calibration) -> dict[str, float]:
    """Return what a platform that bills by use counts in a month."""
    plan, requests = option.plan, requests_a_month(need)
    seconds = option.count * _running_share(option, need, calibration) * 24 * HOUR * DAYS
    if plan.allocated:
        cpu, megabytes = seconds * plan.cpu[1], float(plan.megabytes)
    else:
        cpu = requests * calibration.busy_seconds
        megabytes = calibration.memory.megabytes(max(option.workers, 1))
    return {
        "vcpu_second": cpu,
        "gib_second": seconds * megabytes / MEBIBYTES,
        "million_requests": requests / 1e6,
    }


def _running_share(option: Option, need: Need, calibration: Calibration) -> float:
    """Return the share of the month for which an instance is billed: with a request, or always."""
    if option.plan.sleeps is None:
        return 1
    billed = max(sum(calibration.alone) / len(calibration.alone), BILLED_SECONDS)
    return (1 - math.exp(-need.rps / option.count * billed)) * need.hours / 24
