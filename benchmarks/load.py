"""Run wrk against a server; load.lua compares each answer with the expected one."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers import BenchmarkRows, Running

WARM_UP_SECONDS = 1
SCRIPT = Path(__file__).with_name("load.lua")
RESULT = re.compile(r"^found (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (.*)$", re.M)


class WrongAnswerError(RuntimeError):
    """A server gave a wrong answer, or none."""


@dataclass(frozen=True)
class Burst:
    """The result of one run of wrk: latencies in seconds, and requests per second."""

    latency: float  # median
    rate: float
    tail: float = 0.0  # 99th percentile of the latency


def round_robin(
    title: str,
    servers: Mapping[str, Running],
    rows: BenchmarkRows,
    connections: Sequence[int],
    rounds: int,
    seconds: int,
) -> Iterator[tuple[str, int, Burst]]:
    """Warm up servers that are ready; then, in each round, measure one after the other.

    Yields the server's name, the number of connections and the result.
    """
    expected = {name: server.log.with_suffix(".expected") for name, server in servers.items()}
    for name, server in servers.items():
        lines = [line for exchange in server.check_answers(rows) for line in exchange]
        expected[name].write_text("\n".join(lines) + "\n", encoding="utf-8")
        burst(server.url, expected[name], max(connections), WARM_UP_SECONDS)
    for turn in range(rounds):
        print(f"{title}: round {turn + 1} of {rounds}", flush=True)
        for name, server in servers.items():
            for number in connections:
                yield name, number, burst(server.url, expected[name], number, seconds)


def wrk() -> str:
    """Return the path of wrk. Raises SystemExit if it is not installed."""
    path = shutil.which("wrk")
    if path is None:
        raise SystemExit("The benchmark needs wrk: apt-get install wrk, or brew install wrk.")
    return path


def burst(url: str, expected: Path, connections: int, seconds: int) -> Burst:
    """Send the rows of a file in a loop for some seconds. Raises WrongAnswerError."""
    options = (f"--threads={connections}", f"--connections={connections}", "--timeout=30s")
    command = [wrk(), *options, f"--duration={seconds}s", f"--script={SCRIPT}", url, "--"]
    done = subprocess.run([*command, str(expected)], capture_output=True, text=True, check=True)
    return read(done.stdout, url)


def read(output: str, url: str) -> Burst:
    """Return the result that load.lua printed. Raises WrongAnswerError."""
    match = RESULT.search(output)
    if match is None:
        raise WrongAnswerError(f"{url}: wrk says {output!r}")
    median, tail, duration, answers, wrong, failed = map(int, match.groups()[:6])
    if wrong or failed or not answers:
        detail = f"{wrong} wrong and {failed} without an answer, of {answers}. {match[7]}"
        raise WrongAnswerError(f"{url}: {detail.strip()}")
    return Burst(median / 1e6, answers / (duration / 1e6), tail / 1e6)
