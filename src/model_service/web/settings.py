"""The config vars of the service. Each is declared once: name, parser, default, meaning."""

# ruff: noqa: RUF009  # config_var returns a dataclasses.field
from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from model_service.errors import StartError

# In lower case, names of other alphabets in their xn-- form, without the scheme's own port.
ORIGIN = re.compile(r"(?P<scheme>https?)://([a-z0-9.-]+|\[[0-9a-f:]+\])(:(?P<port>[0-9]{1,5}))?")
DATABASE_SCHEME = re.compile("postgres(ql)?://")
DEFAULT_PORTS = {"http": "80", "https": "443"}

MAX_PROXIES = 10
MAX_SECONDS = 24 * 60 * 60  # a wait of hundreds of years overflows in threading

T = TypeVar("T")


class SettingsError(StartError):
    """A config var has a value that cannot be used."""


def _positive(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise SettingsError(f"{name} is {text!r}; set it to a whole number above 0, or unset it.")
    return int(text)


def _seconds(name: str, text: str) -> int:
    seconds = _positive(name, text)
    if seconds > MAX_SECONDS:
        raise SettingsError(f"{name} is {text!r}; set it to {MAX_SECONDS} at most, or unset it.")
    return seconds


def _proxy_count(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= MAX_PROXIES):
        raise SettingsError(
            f"{name} is {text!r}; set it to the number of proxies in front of the service, "
            f"0 to {MAX_PROXIES}, or unset it."
        )
    return int(text)


def _switch(name: str, text: str) -> bool:
    if text not in ("on", "off"):
        raise SettingsError(f"{name} is {text!r}; set it to on or off, or unset it.")
    return text == "on"


def _hashes(name: str, text: str) -> tuple[bytes, ...]:
    hashes = _parts(text)
    for number, part in enumerate(hashes, start=1):
        if not re.fullmatch("[0-9a-fA-F]{64}", part):  # it can be a key: do not show it
            raise SettingsError(
                f"{name} holds something other than SHA-256 hashes (number {number} of "
                f"{len(hashes)}, between commas); make key prints the line that sets it."
            )
    return tuple(bytes.fromhex(part) for part in hashes)


def _origins(name: str, text: str) -> tuple[str, ...]:
    origins = _parts(text)
    for origin in origins:
        found = ORIGIN.fullmatch(origin)
        if not found or found["port"] == DEFAULT_PORTS[found["scheme"]]:
            raise SettingsError(
                f"{name} has {origin!r}, which is no origin as browsers send it; write such as "
                "https://app.example.org (no path, no slash at the end), several with commas."
            )
    return tuple(origins)


def _path(_: str, text: str) -> Path:
    return Path(text)


def _text(_: str, text: str) -> str:
    return text


def _date(name: str, text: str) -> str:
    try:
        day = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise SettingsError(
            f"{name} is {text!r}, which is no time such as 2026-11-30T12:00:00Z; unset it."
        ) from None
    return f"{day.day} {day:%B %Y}"


def _can_be_parsed(database_url: str) -> bool:
    """Return whether libpq understands a URL, so that no later message quotes its password.

    Raises ImportError without psycopg, which is imported only if JOBS is on: it takes 20 MB.
    """
    from psycopg import ProgrammingError  # noqa: PLC0415
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    try:
        address = conninfo_to_dict(database_url)
    except ProgrammingError:
        return False
    # The part of a password behind an @ would be the host, which a failed connection names.
    return "@" not in str(address.get("host", ""))


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def config_var(
    name: str,
    parse: Callable[[str, str], Any],
    default: T,
    meaning: str,
    *,
    unset: str | None = None,
    is_secret: bool = False,
) -> T:
    """Declare a config var; `unset` says in the documentation what holds without it.

    `parse` gets the name and a text that is not empty, and raises SettingsError.
    """
    metadata = {"name": name, "parse": parse, "meaning": meaning, "unset": unset}
    declared: T = field(default=default, repr=not is_secret, metadata=metadata)
    return declared


@dataclass(frozen=True)
class Settings:
    """The parsed config vars. The service starts with none of them set."""

    model_directory: Path | None = config_var(
        "MODEL_DIR",
        _path,
        None,
        "folder of the model, the contract and the manifest",
        unset="as `app.py` says: `model`",
    )
    max_json_bytes: int = config_var(
        "MAX_JSON_BYTES", _positive, 1024 * 1024, "a longer JSON body is refused with 413"
    )
    max_json_rows: int = config_var(
        "MAX_JSON_ROWS", _positive, 1000, "a batch of more rows is refused with 413"
    )
    max_csv_bytes: int = config_var(
        "MAX_CSV_BYTES", _positive, 50 * 1024 * 1024, "a longer CSV is refused with 413"
    )
    max_csv_rows: int = config_var(
        "MAX_CSV_ROWS", _positive, 200_000, "a CSV of more rows is refused with 413"
    )
    max_csv_line_characters: int = config_var(
        "MAX_CSV_LINE_CHARACTERS",
        _positive,
        1024 * 1024,
        "a CSV with a longer row or header is refused with 422",
    )
    max_text_characters: int = config_var(
        "MAX_TEXT_CHARACTERS",
        _positive,
        128 * 1024,
        "a longer text is refused with 422, in JSON, CSV and form alike",
    )
    predict_seconds: int = config_var(
        "PREDICT_SECONDS",
        _seconds,
        20,
        "a request that has waited so long for the model gets 503; Heroku's router gives up "
        f"after 30; at most {MAX_SECONDS}",
    )
    # gunicorn has 64 threads: those that are left serve requests that need no prediction.
    max_in_flight: int = config_var(
        "MAX_IN_FLIGHT",
        _positive,
        48,
        "more requests at the model of one process are refused with 503",
    )
    explain: bool = config_var(
        "EXPLAIN", _switch, True, "off: no explanations and no reasons", unset="on"
    )
    explain_milliseconds: int = config_var(
        "EXPLAIN_MILLISECONDS",
        _positive,
        250,
        "processor time of a request for its explanations; of more rows than fit it is refused "
        "with 422",
    )
    jobs: bool = config_var(
        "JOBS",
        _switch,
        False,
        "on: `/jobs` takes CSV files that workers score in the background; needs `DATABASE_URL`",
        unset="off",
    )
    max_job_bytes: int = config_var(
        "MAX_JOB_BYTES",
        _positive,
        50 * 1024 * 1024,
        "a longer CSV for `/jobs` is refused with 413; its rows are not limited",
    )
    database_url: str | None = config_var(
        "DATABASE_URL",
        _text,
        None,
        "PostgreSQL that holds the jobs; Heroku sets it with the add-on",
        unset="unset: none",
        is_secret=True,
    )
    api_keys: tuple[bytes, ...] = config_var(
        "API_KEYS",
        _hashes,
        (),
        "SHA-256 hashes of API keys, separated by commas",
        unset="unset: open to everyone",
    )
    cors_origins: tuple[str, ...] = config_var(
        "CORS_ORIGINS",
        _origins,
        (),
        "origins whose scripts may read the API, separated by commas",
        unset="unset: none",
    )
    requests_per_minute: int | None = config_var(
        "REQUESTS_PER_MINUTE",
        _positive,
        None,
        "more requests of one caller are refused with 429",
        unset="unset: no limit",
    )
    trusted_proxies: int = config_var(
        "TRUSTED_PROXIES",
        _proxy_count,
        1,
        "proxies in front, whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed: 1 on "
        "Heroku; 0 if callers reach the process directly, as the Dockerfile sets it",
    )
    web_concurrency: int = config_var(
        "WEB_CONCURRENCY",
        _positive,
        1,
        "worker processes, which share the model's memory; Heroku sets it from the dyno's memory",
    )
    redis_url: str | None = config_var(
        "REDIS_URL",
        _text,
        None,
        "Redis that counts the requests of all processes, if there is a limit",
        unset="unset: each process counts its own",
        is_secret=True,
    )
    release_date: str | None = config_var(
        "HEROKU_RELEASE_CREATED_AT",
        _date,
        None,
        "the time of the release, whose date stands at the foot of each page; Heroku sets it after "
        "`heroku labs:enable runtime-dyno-metadata`",
        unset="unset: no date",
    )

    def __post_init__(self) -> None:
        """Raise SettingsError if JOBS is on without what it needs."""
        if not self.jobs:
            return
        if not DATABASE_SCHEME.match(self.database_url or ""):
            found = "is no address of a PostgreSQL (postgres://…)"  # it holds a password
            raise SettingsError(
                f"JOBS is on, and DATABASE_URL {found if self.database_url else 'is not set'}: "
                "heroku addons:create heroku-postgresql:essential-0, or set JOBS to off."
            )
        try:
            can_be_parsed = _can_be_parsed(self.database_url or "")
        except ImportError:
            raise SettingsError(
                "JOBS is on, and psycopg is not installed: add psycopg[binary] to "
                "requirements.in, then make lock; or set JOBS to off."
            ) from None
        if not can_be_parsed:
            raise SettingsError(
                "JOBS is on, and DATABASE_URL cannot be parsed: percent-encode the special "
                "characters of its password, such as %25 for % and %40 for @."
            )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read the config vars; an empty one counts as unset. Raises SettingsError."""
        values = {}
        for setting in fields(cls):
            name: str = setting.metadata["name"]
            if text := environment.get(name):
                values[setting.name] = setting.metadata["parse"](name, text)
        return cls(**values)


class ConfigVar(NamedTuple):
    """A row of the documentation's table."""

    name: str
    default: str
    meaning: str


def config_vars() -> Iterator[ConfigVar]:
    """Yield the config vars in the order of Settings."""
    for setting in fields(Settings):
        about = setting.metadata
        yield ConfigVar(about["name"], about["unset"] or str(setting.default), about["meaning"])
