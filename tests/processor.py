"""How slow the processor is: other programs share its cores, and its clock is not the usual one."""

from __future__ import annotations

import time

# Of a core of 2025. Older cores, and those that others use too, take longer for the same work.
USUAL_SECONDS_OF_UNIT = 0.06


def slowness() -> float:
    """Return how much longer than usually a unit of work takes, which is like that of requests."""
    started = time.process_time()
    cells = ",".join(map(str, range(100_000))).split(",")
    codes = {cell: number for number, cell in enumerate(cells)}
    records = [[cell, number] for cell, number in codes.items()]
    "\n".join([f"{cell};{number}" for cell, number in records])
    return (time.process_time() - started) / USUAL_SECONDS_OF_UNIT
