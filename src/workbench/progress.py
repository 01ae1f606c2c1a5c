"""Steps that take seconds: a line for each with its time, counted while it runs on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import TextIO

TICK_SECONDS = 0.5
WIDTH = 40  # of the titles, so that the seconds stand below each other


@contextmanager
def step(title: str, stream: TextIO | None = None) -> Iterator[None]:
    """Print a title and, when the block ends, the seconds that it took."""
    shown = stream or sys.stdout
    started = time.monotonic()
    ended = Event()
    counter = Thread(target=_count, args=(title, shown, started, ended), daemon=True)
    if shown.isatty():
        counter.start()
    ending = "stopped"
    try:
        yield
        ending = ""
    finally:
        ended.set()
        if shown.isatty():
            counter.join()
        print(f"{_line(title, started)} {ending}".rstrip(), file=shown, flush=True)


def _count(title: str, shown: TextIO, started: float, ended: Event) -> None:
    while not ended.wait(TICK_SECONDS):
        print(_line(title, started), end="\r", file=shown, flush=True)


def _line(title: str, started: float) -> str:
    return f"  {title:<{WIDTH}} {time.monotonic() - started:4.0f} s"
