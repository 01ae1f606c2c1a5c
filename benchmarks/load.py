"""One run of wrk against a server: every answer is held against the one that is expected."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers import Asked, Running

WARM_UP_SECONDS = 1
SCRIPT = Path(__file__).with_name("load.lua")
FOUND = re.compile(r"^found (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (.*)$", re.M)


class WrongAnswerError(RuntimeError):
    """A server gave an answer that is not the model's, or none."""


@dataclass(frozen=True)
class Burst:
    """What one run of wrk saw: the median latency in seconds, answers a second, the slow tail."""

    latency: float
    rate: float
    tail: float = 0.0  # the latency that one answer of a hundred exceeds


def in_turn(
    title: str,
    up: Mapping[str, Running],
    asked: Asked,
    connections: Sequence[int],
    rounds: int,
    seconds: int,
) -> Iterator[tuple[str, int, Burst]]:
    """Warm up servers that are ready, then ask each in turn, and again in the next round."""
    expected = {name: server.log.with_suffix(".expected") for name, server in up.items()}
    for name, server in up.items():
        lines = [line for pair in server.answers(asked) for line in pair]
        expected[name].write_text("\n".join(lines) + "\n", encoding="utf-8")
        burst(server.url, expected[name], max(connections), WARM_UP_SECONDS)
    for turn in range(rounds):
        print(f"{title}: round {turn + 1} of {rounds}", flush=True)
        for name, server in up.items():
            for number in connections:
                yield name, number, burst(server.url, expected[name], number, seconds)


def wrk() -> str:
    """Return where wrk is. Raises SystemExit."""
    found = shutil.which("wrk")
    if found is None:
        raise SystemExit("The benchmark needs wrk: apt-get install wrk, or brew install wrk.")
    return found


def burst(url: str, expected: Path, connections: int, seconds: int) -> Burst:
    """Ask for so long, the rows of the file one after the other. Raises WrongAnswerError."""
    each = (f"--threads={connections}", f"--connections={connections}", "--timeout=30s")
    command = [wrk(), *each, f"--duration={seconds}s", f"--script={SCRIPT}", url, "--"]
    done = subprocess.run([*command, str(expected)], capture_output=True, text=True, check=True)
    return read(done.stdout, url)


def read(output: str, url: str) -> Burst:
    """Return what the script printed. Raises WrongAnswerError."""
    found = FOUND.search(output)
    if found is None:
        raise WrongAnswerError(f"{url}: wrk says {output!r}")
    median, tail, duration, answers, wrong, failed = map(int, found.groups()[:6])
    if wrong or failed or not answers:
        detail = f"{wrong} wrong and {failed} without an answer, of {answers}. {found[7]}"
        raise WrongAnswerError(f"{url}: {detail.strip()}")
    return Burst(median / 1e6, answers / (duration / 1e6), tail / 1e6)
