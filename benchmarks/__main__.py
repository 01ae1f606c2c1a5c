"""Compare the generated service with its peers: `make bench`.

    python -m benchmarks --folder .bench [--models logistic,text] [--peers fastapi] [--all]

A run of all models and at least the default peers writes README.md and latency.svg beside this
file; any other run writes them into the folder.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.environments import LIBRARIES, Workshop, describe_machine
from benchmarks.load import Burst, round_robin, wrk
from benchmarks.plot import plot
from benchmarks.report import CONNECTIONS, MODELS, STARTED, Measured, Start, report
from benchmarks.servers import (
    ALL_PEERS,
    DEFAULT_PEERS,
    ECHO,
    OURS,
    SERVERS,
    BenchmarkRows,
    running,
)

HERE = Path(__file__).resolve().parent
MARK = "<!-- What follows is written by make bench. -->\n"


def main() -> None:
    """Run the benchmark and write its report."""
    options = parse_options()
    # On SIGTERM, stop the servers as on Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    models = parse_names(options.models, tuple(MODELS), MODELS)
    peers = parse_names(options.peers, ALL_PEERS if options.all else DEFAULT_PEERS, ALL_PEERS)
    wrk()
    workshop = Workshop(options.folder.resolve())
    prepare(workshop, models, peers)
    head = describe_run(peers, options.rounds, options.seconds)
    servers = (OURS, ECHO, *peers)
    loads = [os.getloadavg()[0]]
    bursts: dict[tuple[str, str, int], list[Burst]] = defaultdict(list)
    starts: dict[str, list[Start]] = {}
    is_complete = set(models) == set(MODELS) and set(peers) >= set(DEFAULT_PEERS)
    try:
        if STARTED in models:
            starts = measure_starts(workshop, (OURS, *peers), options.rounds)
        for model in models:
            for server, connections, burst in measure_load(
                workshop, model, servers, options.rounds, options.seconds
            ):
                bursts[model, server, connections].append(burst)
            loads.append(os.getloadavg()[0])
    except KeyboardInterrupt:
        is_complete = False
        print("Interrupted: the last figures are of fewer rounds.\n")
    measured = Measured(bursts, starts)
    text = f"{head}\n{describe_loads(loads)}\n\n{report(measured)}\n"
    print(text)
    folder = HERE if is_complete else workshop.folder
    (folder / "latency.svg").write_text(plot(measured), encoding="utf-8")
    kept = (HERE / "README.md").read_text(encoding="utf-8").split(MARK)[0]
    picture = "![Median time of one row, by server and model](latency.svg)"
    readme = folder / "README.md"
    readme.write_text(f"{kept}{MARK}\n{picture}\n\n{text}", encoding="utf-8")
    print(f"Written to {readme}")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="for environments and projects")
    parser.add_argument("--models", default="", help=f"some of {', '.join(MODELS)}")
    parser.add_argument("--peers", default="", help=f"some of {', '.join(ALL_PEERS)}")
    parser.add_argument("--all", action="store_true", help="all peers")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="for each burst of requests")
    return parser.parse_args()


def parse_names(
    text: str, default: Sequence[str], known: Sequence[str] | dict[str, str]
) -> list[str]:
    """Return the names in a comma-separated text, or the default. Raises SystemExit."""
    names = text.replace(",", " ").split() or list(default)
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"Unknown: {', '.join(unknown)}. Choose from {', '.join(known)}.")
    return names


def prepare(workshop: Workshop, models: Sequence[str], peers: Sequence[str]) -> None:
    """Build all projects and environments before the first measurement."""
    for model in models:
        workshop.project(model)
    for peer in peers:
        workshop.environment(peer, SERVERS[peer].requirements or ())


def measure_load(
    workshop: Workshop, model: str, servers: Sequence[str], rounds: int, seconds: int
) -> Iterator[tuple[str, int, Burst]]:
    """Send requests to all servers of a model, one server after the other, in each round."""
    rows = BenchmarkRows.read(workshop.models() / model)
    with ExitStack() as stack:
        servers_by_name = {
            name: stack.enter_context(running(name, model, workshop)) for name in servers
        }
        for server in servers_by_name.values():
            server.until_ready(rows.rows[0])
        yield from round_robin(MODELS[model], servers_by_name, rows, CONNECTIONS, rounds, seconds)


def measure_starts(
    workshop: Workshop, servers: Sequence[str], rounds: int
) -> dict[str, list[Start]]:
    """Start one server at a time; the first round is a warm-up and does not count."""
    rows = BenchmarkRows.read(workshop.models() / STARTED)
    starts: dict[str, list[Start]] = {name: [] for name in servers}
    for number in range(rounds + 1):
        print(f"start: round {number} of {rounds}", flush=True)
        for name in servers:
            with running(name, STARTED, workshop) as server:
                ready = server.until_ready(rows.rows[0])
                server.check_answers(rows)
                if number:
                    starts[name].append(Start(ready, server.memory()))
    return starts


def describe_run(peers: Sequence[str], rounds: int, seconds: int) -> str:
    """Return the lines on the machine, the versions and the rounds."""
    version = subprocess.run([wrk(), "-v"], capture_output=True, text=True, check=False).stdout
    packages = [package for peer in peers for package in SERVERS[peer].requirements or ()]
    return "\n".join(
        (
            "## Measured\n",
            *describe_machine(),
            f"- {rounds} rounds of {seconds} s for each server and number of connections; "
            f"{' '.join(version.split()[:2])};",
            f"- {', '.join(packages)};",
            f"- {', '.join(LIBRARIES)};",
        )
    )


def describe_loads(loads: Sequence[float]) -> str:
    """Return the line on the load average, which includes other work of the machine."""
    span = f"{min(loads):.1f} to {max(loads):.1f}"
    return f"- load average during the run: {span}; the benchmark itself makes about 2."


if __name__ == "__main__":
    main()
