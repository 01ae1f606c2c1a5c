"""The log: one line a request and one a warning, as logfmt on standard output.

What callers send is not in it: no bodies, no queries, no keys, no addresses. A line is ASCII and
shorter than what a pipe takes in one piece, so that the lines of several workers stay whole.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from flask import Flask, g, has_app_context

if TYPE_CHECKING:
    from model_service.web.current import Service

# Linux writes 4,096 bytes to a pipe in one piece; Heroku splits lines of 10,000.
MAX_LINE = 4000
MAX_VALUE = 3000
MAX_TRACEBACK = 100  # lines
_PLAIN = re.compile(r"[\w./:+-]+", re.ASCII)


def init_app(app: Flask, service: Service) -> None:
    """Write what the engine and the project's own code log to standard output."""
    for name in {"model_service", app.name.partition(".")[0]}:
        logger = logging.getLogger(name)
        logger.addHandler(OUTPUT)  # once, however many applications a process has
        logger.setLevel(logging.INFO)


def value(text: str) -> str:
    """Return a text as the value of a logfmt pair: in quotes, and ASCII, where it must be."""
    if len(text) <= MAX_VALUE and _PLAIN.fullmatch(text):
        return text
    quoted = json.dumps(text[: MAX_VALUE + 1])
    if len(quoted) > MAX_VALUE:  # a character is twelve bytes of JSON at most
        quoted = json.dumps(text[: MAX_VALUE // 12] + "…")
    return quoted


class Formatter(logging.Formatter):
    """Lines of logfmt; those of a traceback follow, indented, so that none can be forged."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record, each short enough."""
        request = g.get("request_record") if has_app_context() else None
        line = (
            f"level={record.levelname.lower()} logger={value(record.name)} "
            + (f"request_id={value(request.request_id)} " if request else "")
            + f"message={value(record.getMessage())}"
        )
        if not record.exc_info:
            return line
        raised = self.formatException(record.exc_info).splitlines()[-MAX_TRACEBACK:]
        return "\n".join(
            [line, *(f"  {ascii(text[:MAX_LINE])[1:-1]}"[:MAX_LINE] for text in raised)]
        )


class Handler(logging.Handler):
    """Writes to what is standard output at the time, each line in one piece."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Write the lines of a record."""
        try:
            self.write(*self.format(record).split("\n"))
        except Exception:  # as in logging's own handlers: no request fails because of the log
            self.handleError(record)

    def write(self, *lines: str) -> None:
        """Write lines that belong together."""
        self.acquire()  # a lock that logging makes anew in a process that is forked
        try:
            # No request fails because nobody reads the log, or there is none.
            with suppress(OSError, ValueError, AttributeError):
                for line in lines:
                    sys.stdout.write(line + "\n")
                    sys.stdout.flush()
        finally:
            self.release()


OUTPUT = Handler()
