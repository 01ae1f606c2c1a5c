"""Limit the time and memory that reading one file can take."""

from __future__ import annotations

from workbench.inspect.refused_file import RefusedFile, too_big

# A forest of 100 MB takes 50,000 operations, one of 5,000 small trees 900,000, a vocabulary of a
# million words 3 million, and half a million words with NumPy counts 5 million, in three seconds.
MAX_OPERATIONS = 5_500_000
MAX_BYTES = 128 << 20
# Small data is always kept: it can be the names or classes that the facts need. Of larger data only
# the first MAX_LARGE_BYTES are: a big forest has thousands of arrays without any fact.
SMALL_BYTES, MAX_LARGE_BYTES = 16 << 10, 32 << 20


class Budget:
    """The operations and memory left for one file, including the pickles nested in it."""

    def __init__(self) -> None:
        self.operations = iter(range(MAX_OPERATIONS))
        self._bytes = MAX_BYTES
        self._large_bytes = MAX_LARGE_BYTES

    def spend(self, operations: int) -> None:
        """Charge an opcode for the time of this many more operations."""
        for _ in range(operations):
            next(self.operations, None)

    def charge(self, size: int) -> None:
        """Charge `size` bytes for a value that stays in memory."""
        self._bytes -= size
        if self._bytes < 0:
            raise too_big("it describes too many objects")

    def can_keep(self, size: int, *, can_be_a_fact: bool = True) -> bool:
        """Return whether data of `size` bytes fits the budget, and charge it if so."""
        if size > SMALL_BYTES or not can_be_a_fact:
            if size > self._large_bytes:
                return False
            self._large_bytes -= size
        self.charge(size)
        return True

    def exhausted(self) -> RefusedFile:
        """Return the refusal of a file that has used up its operations."""
        return too_big("it takes too many steps to read")
