"""Numbers in memory that all worker processes share, once for each process.

The official client of Prometheus keeps the counters of several processes in memory-mapped files: a
worker dies of SIGBUS when the disk is full, and dead workers leave their files. Here the memory is
anonymous. It is laid out before the fork and never grows.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from model_service.web.prometheus import Family, Labels

if sys.platform != "win32":
    import fcntl

# More workers than any dyno has. Two workers in one slot would lose a count now and then.
MAX_SLOTS = 64


class Slots:
    """Which part of the memory belongs to which process.

    A process locks one byte of a file without a name and without bytes. The system grants the lock
    to one process, and releases it when that process ends in any way.
    """

    def __init__(self) -> None:
        if sys.platform == "linux":
            self._file = os.memfd_create("slots")  # needs no folder, which can be read-only
        elif sys.platform != "win32":
            self._file, name = tempfile.mkstemp()
            Path(name).unlink()
        if sys.platform != "win32":
            # No one closes an application; an open file would warn.
            weakref.finalize(self, os.close, self._file)

    def take(self) -> int:
        """Return the first slot that no other process has. Slots of dead workers are reused."""
        if sys.platform == "win32":
            return 0  # Windows has no fork
        for slot in range(MAX_SLOTS):
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
            except OSError:
                continue
            return slot
        return 0

    @contextmanager
    def lock_if_free(self, slot: int) -> Iterator[bool]:
        """Lock the slot of another process if that is dead; yield whether it is locked.

        Not for the slot of this process, which would lose it.
        """
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
        except OSError:
            yield False
            return
        try:
            yield True
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, slot)


class SharedCells:
    """Cells for each series of each family, once for each slot."""

    def __init__(self, families: Iterable[Family]) -> None:
        self.families = tuple(families)
        self.cells: dict[str, dict[Labels, int]] = {}  # the first cell of a series, in a slot
        self.size = 0  # in cells, of a slot
        for family in self.families:
            self.cells[family.name] = {
                values: self.size + family.cell_count * number
                for number, values in enumerate(family.series)
            }
            self.size += family.cell_count * len(family.series)
        self._map = mmap.mmap(-1, MAX_SLOTS * self.size * 8)
        self.values = memoryview(self._map).cast("d")

    def lines(self) -> Iterator[str]:
        """Yield the sums over all slots in Prometheus' text format."""
        totals = np.frombuffer(self._map).reshape(MAX_SLOTS, self.size).sum(axis=0).tolist()
        for family in self.families:
            cells = self.cells[family.name]
            yield from family.lines(
                {values: totals[cell : cell + family.cell_count] for values, cell in cells.items()}
            )
