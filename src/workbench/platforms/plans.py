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
class Priced:
    """What a platform offers, with where and when its price was read."""

    platform: str
    name: str
    dollars: float
    source: str
    date: datetime.date

    def is_outdated(self, today: datetime.date) -> bool:
        """Return whether the entry is older than MAX_AGE_MONTHS."""
        months = 12 * (today.year - self.date.year) + today.month - self.date.month
        return (months, today.day) > (MAX_AGE_MONTHS, self.date.day)


@dataclass(frozen=True)
class DatabasePlan(Priced):
    """One size of PostgreSQL of one platform, for dollars a month."""

    connections: int
    gigabytes: int


@dataclass(frozen=True)
class Plan(Priced):
    """One size of instance of one platform; platforms.json says what each member means."""

    megabytes: int
    cpu: tuple[float, float]  # cores, slowest and fastest
    workers: int
    unit: str
    dedicated: bool
    scales: bool
    sleeps: int | None
    rates: Mapping[str, float] = field(default_factory=dict)
    free: Mapping[str, float] = field(default_factory=dict)
    included_dollars: float = 0
    allocated: bool = False


def read_plans() -> tuple[Plan, ...]:
    """Return all plans, in the order of the file: by platform, the cheapest first."""
    return tuple(_plan(entry) for entry in _table()["plans"])


def plans_of(platform: str) -> tuple[Plan, ...]:
    """Return the plans of one platform, the cheapest first."""
    return tuple(plan for plan in read_plans() if plan.platform == platform)


def databases_of(platform: str) -> tuple[DatabasePlan, ...]:
    """Return the databases of one platform, the cheapest first."""
    entries = (entry for entry in _table()["databases"] if entry["platform"] == platform)
    return tuple(DatabasePlan(**_dated(entry)) for entry in entries)


def _table() -> dict[str, list[dict[str, Any]]]:
    text = resources.files(__package__).joinpath("platforms.json").read_text("utf-8")
    table: dict[str, list[dict[str, Any]]] = json.loads(text)
    return table


def _plan(entry: dict[str, Any]) -> Plan:
    low, high = entry["cpu"]
    return Plan(**{**_dated(entry), "cpu": (low, high)})


def _dated(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "date": datetime.date.fromisoformat(entry["date"])}
