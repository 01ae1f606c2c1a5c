"""What the platforms offer and ask for it: platforms.json, each entry with its source and date."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

# An older price is probably wrong.
MAX_AGE_MONTHS = 18


@dataclass(frozen=True)
class Plan:
    """One size of instance of one platform; platforms.json says what each member means."""

    platform: str
    name: str
    megabytes: int
    cpu: tuple[float, float]  # cores, slowest and fastest
    workers: int
    dollars: float
    unit: str
    dedicated: bool
    scales: bool
    sleeps: int | None
    source: str
    date: datetime.date
    rates: Mapping[str, float] = field(default_factory=dict)
    free: Mapping[str, float] = field(default_factory=dict)
    included_dollars: float = 0
    allocated: bool = False

    def is_outdated(self, today: datetime.date) -> bool:
        """Return whether the entry is older than MAX_AGE_MONTHS."""
        months = 12 * (today.year - self.date.year) + today.month - self.date.month
        return (months, today.day) > (MAX_AGE_MONTHS, self.date.day)


def read_plans() -> tuple[Plan, ...]:
    """Return all plans, in the order of the file: by platform, the cheapest first."""
    text = resources.files(__package__).joinpath("platforms.json").read_text("utf-8")
    return tuple(_plan(entry) for entry in json.loads(text)["plans"])


def plans_of(platform: str) -> tuple[Plan, ...]:
    """Return the plans of one platform, the cheapest first."""
    return tuple(plan for plan in read_plans() if plan.platform == platform)


def _plan(entry: dict[str, Any]) -> Plan:
    low, high = entry["cpu"]
    return Plan(**{**entry, "cpu": (low, high), "date": datetime.date.fromisoformat(entry["date"])})
