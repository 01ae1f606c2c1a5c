"""What Heroku grants, as it documents it and as its Python buildpack has it (v351, August 2026).

https://devcenter.heroku.com/articles/limits, …/articles/dyno-sizes, …/articles/slug-compiler
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from model_service.web.settings import Settings

# MB as the platform counts them: 2**20 bytes.
MEGABYTE = 1 << 20
SLUG_MEGABYTES = 500
# From here on a build warns that the slug is slow to start.
SLOW_SLUG_MEGABYTES = 300
# Until the port is bound (R10), and until the first byte of an answer (H12).
BOOT_SECONDS = 60
REQUEST_SECONDS = 30
STACKS = ("heroku-22", "heroku-24", "heroku-26")
# The last day on which a Python that is still built is built.
LEAVING_PYTHONS = {"3.10": "2027-01-06"}
# Of any of these a build takes exactly one, and a Pipfile only with its lock.
PACKAGE_MANAGERS = ("requirements.txt", "Pipfile", "Pipfile.lock", "poetry.lock", "uv.lock")


@dataclass(frozen=True)
class Dyno:
    """One size: dollars a month, and the WEB_CONCURRENCY that the buildpack sets in it."""

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
)


@dataclass(frozen=True)
class App:
    """What app.json asks for; the defaults are what Heroku gives without it."""

    stack: str | None = None
    size: str = BASIC.name
    concurrency: int | None = None
    predict_seconds: int = Settings.predict_seconds
    keys: bool | None = None  # whether API_KEYS has to be set; None where it is not mentioned

    @property
    def dyno(self) -> Dyno | None:
        """Return the dyno, or None for a size that is not in the table."""
        return next((dyno for dyno in DYNOS if dyno.name == self.size.lower()), None)

    @property
    def workers(self) -> int:
        """Return the WEB_CONCURRENCY that is set."""
        return self.concurrency or (self.dyno or BASIC).workers


def parse_app(text: str | None) -> App | None:
    """Read app.json, which need not be there; return None for one that Heroku cannot read."""
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
