"""Inspect mutants of files, each within the limits: python mutants.py FOLDER COUNT SEED.

Prints what came of them as JSON. A file that costs too much ends the process, and its bytes are in
the folder as `mutant`.
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

SECONDS, MEMORY = 2, 300 << 20  # of the processor, and of address space
# Lengths and counts on the edge of what fits, and opcodes that build.
PIECES = [
    *(bytes([value]) * size for value in (0, 0x7F, 0x80, 0xFF) for size in (1, 4, 8)),
    *(bytes([opcode]) for opcode in b"(.0R}]abcdehilqrtu\x81\x85\x8c\x8e\x93\x94\x95"),
]


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Cut a file off, or change, repeat, move or remove pieces of it."""
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(data) + 1)
        length = min(chance.choice((1, 1, 2, 4, 8, 64)), len(data) - place)
        piece = data[place : place + length]
        data = chance.choice(
            (
                data[:place],
                data[:place] + chance.choice(PIECES) + data[place + length :],
                data[:place] + bytes([chance.randrange(256)]) + data[place + 1 :],
                data[:place] + piece * chance.randint(2, 2000) + data[place:],
                data[:place] + data[place + length :],
                data[place:] + data[:place],
            )
        )
    return data


def verdict(path: Path) -> str:
    """Return what the inspection says: anything but a refusal is an error of ours."""
    try:
        bundle_of(read_document(path).root)
        inspect(path)
    except RefusedFile as refusal:
        return refusal.code
    return "facts"


def main() -> None:
    """Inspect `count` mutants of each file of a folder."""
    folder, count, chance = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    verdicts: Counter[str] = Counter()
    worst = 0.0
    path = folder / "mutant"
    for seed in sorted(folder.glob("seed-*")):
        original = seed.read_bytes()
        for _ in range(count):
            data = mutate(original, chance)
            path.write_bytes(zlib.compress(data, 1) if chance.random() < 0.1 else data)
            began = time.process_time()
            resource.setrlimit(resource.RLIMIT_CPU, (int(began) + 1 + SECONDS, -1))
            verdicts[verdict(path)] += 1
            worst = max(worst, time.process_time() - began)
    print(json.dumps({"verdicts": verdicts, "seconds": worst}))


if __name__ == "__main__":
    main()
