"""What reading one file may cost, so that a small hostile file cannot take the machine down."""

from __future__ import annotations

from workbench.inspect.errors import Refused, too_big

# A forest of 100 MB takes 50 thousand operations, and one of 5,000 small trees 900 thousand. A
# million words take 3 million; half a million that numpy counted take 5, and three seconds.
MOST_OPERATIONS = 5_500_000
MOST_BYTES = 128 << 20
# Data of this size is kept, for it may be the names or classes that the facts need; of larger
# ones only the first are, since a big forest consists of thousands and they tell nothing.
SMALL, MOST_LARGE_BYTES = 16 << 10, 32 << 20


class Budget:
    """Operations and memory that are left for one file, its nested pickles included."""

    def __init__(self) -> None:
        self.operations = iter(range(MOST_OPERATIONS))
        self._bytes = MOST_BYTES
        self._large_bytes = MOST_LARGE_BYTES

    def spend(self, operations: int) -> None:
        """Account for an opcode that takes as long as so many more."""
        for _ in range(operations):
            next(self.operations, None)

    def charge(self, size: int) -> None:
        """Account for a value of `size` bytes that stays in memory."""
        self._bytes -= size
        if self._bytes < 0:
            raise too_big("it describes too many objects")

    def can_keep(self, size: int) -> bool:
        """Say whether data of `size` bytes is worth its memory, and account for it if so."""
        if size > SMALL:
            if size > self._large_bytes:
                return False
            self._large_bytes -= size
        self.charge(size)
        return True

    def exhausted(self) -> Refused:
        """Describe a file that has used up its operations."""
        return too_big("it takes too many steps to read")
