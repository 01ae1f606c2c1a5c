"""Limits of Heroku, from its documentation and its Python buildpack (v351, August 2026).

https://devcenter.heroku.com/articles/limits, …/articles/dyno-sizes, …/articles/slug-compiler
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from model_service.web.settings import Settings
from workbench.platforms.plans import plans_of

# Heroku counts 2**20 bytes as one MB.
MEGABYTE = 1 << 20
SLUG_MEGABYTES = 500
# Above it, a build warns that the slug starts slowly.
SLOW_SLUG_MEGABYTES = 300
# Until the port is bound (error R10), and until the first byte of a response (error H12).
BOOT_SECONDS = 60
REQUEST_SECONDS = 30
# The recommended one first.
STACKS = ("heroku-26", "heroku-24", "heroku-22")
DEPRECATED_STACKS = ("heroku-22",)
# The last day on which Heroku builds a Python that it will drop.
LEAVING_PYTHONS = {"3.10": "2027-01-06"}
# A build accepts exactly one of these, and a Pipfile only with its lock.
PACKAGE_MANAGERS = ("requirements.txt", "Pipfile", "Pipfile.lock", "poetry.lock", "uv.lock")
_PROCESS = re.compile(r"^(?P<name>[A-Za-z0-9_-]+):[ \t]*(?P<command>\S.*)$", re.M)


@dataclass(frozen=True)
class Dyno:
    """A dyno size: dollars a month, and the WEB_CONCURRENCY that the buildpack sets in it."""

    name: str
    megabytes: int
    dollars: int
    workers: int


# Cheapest first.
DYNOS = tuple(
    Dyno(plan.name, plan.megabytes, int(plan.dollars), plan.workers) for plan in plans_of("heroku")
)
BASIC = next(dyno for dyno in DYNOS if dyno.name == "basic")


@dataclass(frozen=True)
class App:
    """The settings in app.json; the defaults are Heroku's own."""

    stack: str | None = None
    size: str = BASIC.name
    concurrency: int | None = None
    predict_seconds: int = Settings.predict_seconds
    keys: bool | None = None  # whether API_KEYS has to be set; None: app.json does not mention it
    jobs: bool = False
    job_workers: int = 0
    has_database: bool = False

    @property
    def dyno(self) -> Dyno | None:
        """Return the dyno size, or None for one that is not in the table."""
        return next((dyno for dyno in DYNOS if dyno.name == self.size.lower()), None)

    @property
    def workers(self) -> int:
        """Return the number of worker processes, WEB_CONCURRENCY."""
        return self.concurrency or (self.dyno or BASIC).workers


def parse_procfile(text: str | None) -> dict[str, str]:
    """Return the command of each process in a Procfile; none without one."""
    return {found["name"]: found["command"] for found in _PROCESS.finditer(text or "")}


def parse_app(text: str | None) -> App | None:
    """Parse app.json, or the defaults without one; return None for one that Heroku cannot read."""
    try:
        document = json.loads(text or "{}")
        environment = document.get("env", {})
        workers, seconds, jobs = (
            variable.get("value") if isinstance(variable, dict) else variable
            for variable in map(environment.get, ("WEB_CONCURRENCY", "PREDICT_SECONDS", "JOBS"))
        )
        formation = document.get("formation", {})
        keys = environment.get("API_KEYS")
        if isinstance(keys, dict):
            keys = keys.get("value") or keys.get("required", True)
        return App(
            stack=document.get("stack"),
            size=str(formation.get("web", {}).get("size") or BASIC.name),
            concurrency=int(workers) if workers else None,
            predict_seconds=int(seconds or Settings.predict_seconds),
            keys=None if keys is None else bool(keys),
            jobs=jobs == "on",
            job_workers=int(formation.get("worker", {}).get("quantity") or 0),
            has_database="DATABASE_URL" in environment
            or "heroku-postgresql" in json.dumps(document.get("addons", [])),
        )
    except (AttributeError, TypeError, ValueError):
        return None
