"""Inspect mutated files within limits of time and memory: python mutants.py FOLDER COUNT SEED.

Prints the counts of the outcomes as JSON. A file that exceeds a limit ends the process; it is left
in the folder as `mutant`.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
import zlib
from collections import Counter
from pathlib import Path

from workbench.inspect import RefusedFile, bundle_of, inspect, read_document

CPU_SECONDS, MEMORY_BYTES = 2, 300 << 20
# Lengths and counts at the limits of their types, and opcodes that build objects.
PIECES = [
    *(bytes([value]) * size for value in (0, 0x7F, 0x80, 0xFF) for size in (1, 4, 8)),
    *(bytes([opcode]) for opcode in b"(.0R}]abcdehilqrtu\x81\x85\x8c\x8e\x93\x94\x95"),
]


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Truncate a file, or change, repeat, move or remove pieces of it."""
    for _ in range(chance.randint(1, 4)):
        position = chance.randrange(len(data) + 1)
        length = min(chance.choice((1, 1, 2, 4, 8, 64)), len(data) - position)
        piece = data[position : position + length]
        data = chance.choice(
            (
                data[:position],
                data[:position] + chance.choice(PIECES) + data[position + length :],
                data[:position] + bytes([chance.randrange(256)]) + data[position + 1 :],
                data[:position] + piece * chance.randint(2, 2000) + data[position:],
                data[:position] + data[position + length :],
                data[position:] + data[:position],
            )
        )
    return data


def outcome(path: Path) -> str:
    """Return the code of the refusal, or "facts"; any other exception is a bug."""
    try:
        bundle_of(read_document(path).root)
        inspect(path)
    except RefusedFile as refusal:
        return refusal.code
    return "facts"


def main() -> None:
    """Inspect `count` mutants of each file of a folder."""
    folder, count, chance = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    outcomes: Counter[str] = Counter()
    worst = 0.0
    path = folder / "mutant"
    for seed in sorted(folder.glob("seed-*")):
        original = seed.read_bytes()
        for _ in range(count):
            data = mutate(original, chance)
            path.write_bytes(zlib.compress(data, 1) if chance.random() < 0.1 else data)
            began = time.process_time()
            resource.setrlimit(resource.RLIMIT_CPU, (int(began) + 1 + CPU_SECONDS, -1))
            outcomes[outcome(path)] += 1
            worst = max(worst, time.process_time() - began)
    print(json.dumps({"outcomes": outcomes, "seconds": worst}))


if __name__ == "__main__":
    main()
