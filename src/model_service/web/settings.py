"""Every config var of the service, its default and its meaning."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from model_service.errors import StartError

# In lower case, names of other alphabets in their xn-- form, without the scheme's own port.
ORIGIN = re.compile(r"(?P<scheme>https?)://([a-z0-9.-]+|\[[0-9a-f:]+\])(:(?P<port>[0-9]{1,5}))?")
DEFAULT_PORTS = {"http": "80", "https": "443"}


class SettingsError(StartError):
    """A config var has a value that cannot be used."""


@dataclass(frozen=True)
class Settings:
    """What can be set from outside; the service boots with nothing set."""

    # MODEL_DIR: the folder of model, contract and manifest; unset, the one that app.py names.
    model_directory: Path | None = None
    # MAX_JSON_BYTES: a longer JSON body is refused with 413.
    max_json_bytes: int = 1024 * 1024
    # MAX_JSON_ROWS: a batch of more rows is refused with 413.
    max_json_rows: int = 1000
    # MAX_CSV_BYTES: a longer CSV is refused with 413.
    max_csv_bytes: int = 50 * 1024 * 1024
    # MAX_CSV_ROWS: a CSV of more rows is refused with 413.
    max_csv_rows: int = 200_000
    # MAX_CSV_LINE_CHARACTERS: a CSV with a longer row or header is refused with 422.
    max_csv_line_characters: int = 1024 * 1024
    # MAX_TEXT_CHARACTERS: a longer text is refused with 422, in JSON, CSV and form alike.
    max_text_characters: int = 128 * 1024
    # PREDICT_SECONDS: who has waited longer for the model gets 503, before the router's 30 s.
    predict_seconds: int = 20
    # MAX_IN_FLIGHT: more requests at the model are refused with 503; others need threads, too.
    max_in_flight: int = 48
    # API_KEYS: the SHA-256 hashes of keys, of which each caller needs one; unset, all may ask.
    api_keys: tuple[bytes, ...] = ()
    # CORS_ORIGINS: the sites whose scripts may read answers of the API; unset, none.
    cors_origins: tuple[str, ...] = ()
    # REQUESTS_PER_MINUTE: a caller's requests over it are refused with 429; unset, none are.
    requests_per_minute: int | None = None
    # REDIS_URL: where they are counted for all processes; unset, each process counts by itself.
    redis_url: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read the config vars. Raises SettingsError."""
        return cls(
            model_directory=_path(environment, "MODEL_DIR"),
            max_json_bytes=_positive(environment, "MAX_JSON_BYTES", cls.max_json_bytes),
            max_json_rows=_positive(environment, "MAX_JSON_ROWS", cls.max_json_rows),
            max_csv_bytes=_positive(environment, "MAX_CSV_BYTES", cls.max_csv_bytes),
            max_csv_rows=_positive(environment, "MAX_CSV_ROWS", cls.max_csv_rows),
            max_csv_line_characters=_positive(
                environment, "MAX_CSV_LINE_CHARACTERS", cls.max_csv_line_characters
            ),
            max_text_characters=_positive(
                environment, "MAX_TEXT_CHARACTERS", cls.max_text_characters
            ),
            predict_seconds=_positive(environment, "PREDICT_SECONDS", cls.predict_seconds),
            max_in_flight=_positive(environment, "MAX_IN_FLIGHT", cls.max_in_flight),
            api_keys=_hashes(environment, "API_KEYS"),
            cors_origins=_origins(environment, "CORS_ORIGINS"),
            requests_per_minute=(
                _positive(environment, "REQUESTS_PER_MINUTE", 1)
                if environment.get("REQUESTS_PER_MINUTE")
                else None
            ),
            redis_url=environment.get("REDIS_URL") or None,
        )


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    text = environment.get(name)
    return Path(text) if text else None


def _positive(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise SettingsError(f"{name} is {text!r}; set it to a whole number above 0, or unset it.")
    return int(text)


def _hashes(environment: Mapping[str, str], name: str) -> tuple[bytes, ...]:
    hashes = _list(environment, name)
    for number, text in enumerate(hashes, start=1):
        if not re.fullmatch("[0-9a-fA-F]{64}", text):  # it may be a key: do not show it
            raise SettingsError(
                f"{name} holds something else than SHA-256 hashes (the {number}. of "
                f"{len(hashes)}, between commas); make key prints the line that sets it."
            )
    return tuple(bytes.fromhex(text) for text in hashes)


def _origins(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    origins = _list(environment, name)
    for origin in origins:
        found = ORIGIN.fullmatch(origin)
        if not found or found["port"] == DEFAULT_PORTS[found["scheme"]]:
            raise SettingsError(
                f"{name} has {origin!r}, which is no origin as browsers send it; write such as "
                "https://app.example.org (no path, no slash at the end), several with commas."
            )
    return tuple(origins)


def _list(environment: Mapping[str, str], name: str) -> list[str]:
    text = environment.get(name)
    return [part.strip() for part in text.split(",")] if text else []
