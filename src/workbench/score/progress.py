"""One line that says how far a run is."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TextIO

SECONDS_BETWEEN_LINES = 10.0  # in a log; a terminal's only line is written anew


@dataclass
class Progress:
    """Rows, rows a second, rejected rows, and the time that is left."""

    total_size: int
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    rows: int = 0
    rejected: int = 0
    started_at: float = field(default_factory=time.monotonic)
    _size: int = 0
    _fresh_rows: int = 0  # without those of a run before
    _fresh_size: int = 0
    _written_at: float = field(default_factory=time.monotonic)

    def add(self, size: int, rows: int, rejected: int, *, is_fresh: bool = True) -> None:
        """Count a finished part, and show the line if it is time to."""
        self._size += size
        self.rows += rows
        self.rejected += rejected
        if is_fresh:
            self._fresh_rows += rows
            self._fresh_size += size
        now = time.monotonic()
        if self.stream.isatty():
            self.stream.write(f"\r{self.line(now):<78}")
            self.stream.flush()
        elif now - self._written_at >= SECONDS_BETWEEN_LINES:
            self._written_at = now
            print(self.line(now), file=self.stream, flush=True)

    def line(self, now: float) -> str:
        """Return the line."""
        seconds = max(now - self.started_at, 0.001)
        rate = self._fresh_rows / seconds
        left = (self.total_size - self._size) * seconds / max(self._fresh_size, 1)
        shown = [f"{self.rows:,} rows", f"{rate:,.0f} rows/s", f"{self.rejected:,} rejected"]
        return ", ".join([*shown, f"{duration(max(left, 0))} left"])

    def end(self) -> None:
        """Leave the terminal's line."""
        if self.stream.isatty():
            self.stream.write("\r" + " " * 78 + "\r")
            self.stream.flush()


def duration(seconds: float) -> str:
    """Return a duration for people: 42 s, 3:05 min, 2:10 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02} min"
    return f"{minutes // 60}:{minutes % 60:02} h"
