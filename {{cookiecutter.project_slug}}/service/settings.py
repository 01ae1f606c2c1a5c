"""Every config var of the service, its default and its meaning."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MODEL_DIRECTORY = Path(__file__).resolve().parent.parent / "model"


class SettingsError(RuntimeError):
    """A config var does not hold what it should."""


@dataclass(frozen=True)
class Settings:
    """What can be set from outside; the service boots with nothing set."""

    # MODEL_DIR: where model, contract and manifest lie.
    model_directory: Path = MODEL_DIRECTORY
    # MAX_JSON_BYTES: a longer JSON body is refused with 413.
    max_json_bytes: int = 1024 * 1024
    # MAX_JSON_ROWS: a batch of more rows is refused with 413.
    max_json_rows: int = 1000
    # MAX_CSV_BYTES: a longer CSV is refused with 413.
    max_csv_bytes: int = 50 * 1024 * 1024
    # MAX_CSV_ROWS: a CSV of more rows is refused with 413.
    max_csv_rows: int = 200_000
    # API_KEYS: the SHA-256 hashes of keys, of which each caller needs one; unset, all may ask.
    api_keys: tuple[bytes, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read the config vars. Raises SettingsError."""
        return cls(
            model_directory=Path(environment.get("MODEL_DIR") or MODEL_DIRECTORY),
            max_json_bytes=_positive(environment, "MAX_JSON_BYTES", cls.max_json_bytes),
            max_json_rows=_positive(environment, "MAX_JSON_ROWS", cls.max_json_rows),
            max_csv_bytes=_positive(environment, "MAX_CSV_BYTES", cls.max_csv_bytes),
            max_csv_rows=_positive(environment, "MAX_CSV_ROWS", cls.max_csv_rows),
            api_keys=_hashes(environment, "API_KEYS"),
        )


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


def _list(environment: Mapping[str, str], name: str) -> list[str]:
    text = environment.get(name)
    return [part.strip() for part in text.split(",")] if text else []
