"""Log lines in logfmt on standard output.

Nothing that callers send is logged: no bodies, queries, keys or addresses. A line is ASCII, and
shorter than what a pipe takes in one piece, so that the lines of several workers do not mix.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from flask import Flask, g, has_app_context

from model_service.web.log_pipe import PipeWriter, open_pipe

if TYPE_CHECKING:
    from model_service.web.current import Service

# Linux writes 4,096 bytes to a pipe in one piece; Heroku splits lines of 10,000.
MAX_LINE_CHARACTERS = 4000
MAX_VALUE_CHARACTERS = 3000
MAX_TRACEBACK_LINES = 100
_PLAIN = re.compile(r"[\w./:+-]+", re.ASCII)


def init_app(app: Flask, service: Service) -> None:
    """Write what the engine and the project's own code log to standard output."""
    log_to_stdout("model_service", app.name.partition(".")[0])


def log_to_stdout(*names: str) -> None:
    """Write what these loggers log to standard output."""
    for name in names:
        logger = logging.getLogger(name)
        logger.addHandler(OUTPUT)  # has no effect the second time
        logger.setLevel(logging.INFO)


def logfmt_value(text: str) -> str:
    """Return a text as the value of a logfmt pair, in quotes and ASCII if it needs them."""
    if len(text) <= MAX_VALUE_CHARACTERS and _PLAIN.fullmatch(text):
        return text
    quoted = json.dumps(text[: MAX_VALUE_CHARACTERS + 1])
    if len(quoted) > MAX_VALUE_CHARACTERS:  # a character is at most twelve bytes of JSON
        quoted = json.dumps(text[: MAX_VALUE_CHARACTERS // 12] + "…")
    return quoted


class Formatter(logging.Formatter):
    """Formats a record as a line of logfmt.

    The lines of a traceback follow, indented, so that none can be taken for a line of the log.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record, each short enough."""
        request = g.get("request_record") if has_app_context() else None
        line = (
            f"level={record.levelname.lower()} logger={logfmt_value(record.name)} "
            + (f"request_id={logfmt_value(request.request_id)} " if request else "")
            + f"message={logfmt_value(record.getMessage())}"
        )
        if not record.exc_info:
            return line
        traceback = self.formatException(record.exc_info).splitlines()[-MAX_TRACEBACK_LINES:]
        return "\n".join([line, *map(_traceback_line, traceback)])


def _traceback_line(text: str) -> str:
    escaped = ascii(text[:MAX_LINE_CHARACTERS])[1:-1]
    return f"  {escaped}"[:MAX_LINE_CHARACTERS]


class Handler(logging.Handler):
    """Writes to the current sys.stdout, each line in one piece.

    A pipe that is full does not hold up the requests: see log_pipe.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(Formatter())
        self._opened_for: tuple[int, TextIO] | None = None
        self._pipe: PipeWriter | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write the lines of a record."""
        try:
            self.write(*self.format(record).split("\n"))
        except Exception:  # as logging's own handlers do: the log must not fail a request
            self.handleError(record)

    def write(self, *lines: str) -> None:
        """Write lines without a line of another thread between them."""
        self.acquire()  # logging makes this lock anew in a forked process
        try:
            # A closed or missing output must not fail a request.
            with suppress(OSError, ValueError, AttributeError):
                pipe = self._pipe_of(sys.stdout)
                for line in lines:
                    if pipe is not None:
                        pipe.write(f"{line}\n".encode())
                    else:
                        sys.stdout.write(line + "\n")
                        sys.stdout.flush()
        finally:
            self.release()

    def take_dropped(self) -> int:
        """Return how many lines have been dropped since the last call."""
        return self._pipe.take_dropped() if self._pipe is not None else 0

    def _pipe_of(self, stream: TextIO) -> PipeWriter | None:
        """Return the writer for a stream that is a pipe; a forked process needs its own."""
        if self._opened_for is None or self._opened_for != (os.getpid(), stream):
            if self._pipe is not None:
                self._pipe.close()
            descriptor = open_pipe(stream)
            self._pipe = PipeWriter(descriptor) if descriptor is not None else None
            self._opened_for = os.getpid(), stream
        return self._pipe


OUTPUT = Handler()
