"""Lines into a pipe whose reader can stop: they wait in a bounded queue, and no request waits."""

from __future__ import annotations

import os
import select
import stat
import threading
from collections import deque
from contextlib import suppress
from typing import TextIO

MAX_QUEUED_LINES = 2000
# The writer looks so often whether lines have been dropped or the pipe was closed.
WRITER_WAIT_SECONDS = 1.0


def open_pipe(stream: TextIO) -> int | None:
    """Return a descriptor of the pipe behind a stream that never blocks; None if it is no pipe.

    A descriptor of this process alone: the flag of the stream's own is shared with all that have
    inherited it.
    """
    try:
        number = stream.fileno()
        if not stat.S_ISFIFO(os.fstat(number).st_mode):
            return None
        return os.open(f"/proc/self/fd/{number}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError, AttributeError):  # no descriptor, no /proc, no permission
        return None


class PipeWriter:
    """Writes lines of at most 4,096 bytes, which a pipe takes in one piece or not at all.

    A line that the pipe does not take is queued, and a thread writes the queue when the pipe has
    room. If the queue is full, lines are dropped and counted, and the next line that is written
    says how many.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._queue: deque[bytes] = deque()
        self._dropped = self._uncounted = 0
        self._has_thread = False

    def close(self) -> None:
        """Close the descriptor; once, for another file can have its number next."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def write(self, line: bytes) -> None:
        """Write a line, queue it, or drop it; never wait."""
        with self._lock:
            if not self._queue and self._put(line):
                return
            if len(self._queue) >= MAX_QUEUED_LINES:
                self._dropped += 1
                self._uncounted += 1
                return
            self._queue.append(line)
            if not self._has_thread:
                self._has_thread = True
                threading.Thread(target=self._drain, name="log", daemon=True).start()

    def take_dropped(self) -> int:
        """Return how many lines have been dropped since the last call."""
        if not self._uncounted:
            return 0
        with self._lock:
            dropped, self._uncounted = self._uncounted, 0
            return dropped

    def _put(self, line: bytes) -> bool:
        """Return whether the line is done with: written, or its reader is gone."""
        try:
            os.write(self._descriptor, line)
        except BlockingIOError:
            return False
        except OSError:  # no one reads the log any more
            return True
        return True

    def _drain(self) -> None:
        """Write the queue until it is empty."""
        while True:
            with suppress(OSError, ValueError):
                select.select([], [self._descriptor], [], WRITER_WAIT_SECONDS)
            with self._lock:
                while self._queue and self._put(self._queue[0]):
                    self._queue.popleft()
                if self._queue or (self._dropped and not self._put(self._dropped_line())):
                    continue
                self._dropped = 0
                self._has_thread = False
                return

    def _dropped_line(self) -> bytes:
        message = f"{self._dropped} lines were dropped: the log was not read"
        return f'level=warning logger={__name__} message="{message}"\n'.encode()
