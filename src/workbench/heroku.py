"""Limits and prices of Heroku, from its documentation, its Python buildpack and its command line.

Of August 2026: buildpack v351, command line 11.10.0.

https://devcenter.heroku.com/articles/limits, …/articles/dyno-sizes, …/articles/slug-compiler
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from model_service.web.settings import Settings

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


@dataclass(frozen=True)
class Dyno:
    """A dyno size: dollars a month, and the WEB_CONCURRENCY that the buildpack sets in it."""

    name: str
    megabytes: int
    dollars: int
    workers: int


BASIC = Dyno("basic", 512, 7, 2)
# Cheapest first.
DYNOS = (
    Dyno("eco", 512, 5, 2),
    BASIC,
    Dyno("standard-1x", 512, 25, 2),
    Dyno("standard-2x", 1024, 50, 4),
    Dyno("performance-m", 2560, 250, 5),
    Dyno("performance-l", 14336, 500, 17),
    Dyno("performance-l-ram", 30720, 500, 9),
    Dyno("performance-xl", 63488, 750, 17),
    Dyno("performance-2xl", 129024, 1500, 33),
)


@dataclass(frozen=True)
class App:
    """The settings in app.json; the defaults are Heroku's own."""

    stack: str | None = None
    size: str = BASIC.name
    concurrency: int | None = None
    predict_seconds: int = Settings.predict_seconds
    keys: bool | None = None  # whether API_KEYS has to be set; None: app.json does not mention it

    @property
    def dyno(self) -> Dyno | None:
        """Return the dyno size, or None for one that is not in the table."""
        return next((dyno for dyno in DYNOS if dyno.name == self.size.lower()), None)

    @property
    def workers(self) -> int:
        """Return the number of worker processes, WEB_CONCURRENCY."""
        return self.concurrency or (self.dyno or BASIC).workers


def parse_app(text: str | None) -> App | None:
    """Parse app.json, or the defaults without one; return None for one that Heroku cannot read."""
    try:
        document = json.loads(text or "{}")
        environment = document.get("env", {})
        workers, seconds = (
            variable.get("value") if isinstance(variable, dict) else variable
            for variable in map(environment.get, ("WEB_CONCURRENCY", "PREDICT_SECONDS"))
        )
        keys = environment.get("API_KEYS")
        if isinstance(keys, dict):
            keys = keys.get("value") or keys.get("required", True)
        return App(
            stack=document.get("stack"),
            size=str(document.get("formation", {}).get("web", {}).get("size") or BASIC.name),
            concurrency=int(workers) if workers else None,
            predict_seconds=int(seconds or Settings.predict_seconds),
            keys=None if keys is None else bool(keys),
        )
    except (AttributeError, TypeError, ValueError):
        return None
