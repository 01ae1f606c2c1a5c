"""Build, serve, measure, write: `make bench`, or a part of it.

    python -m benchmarks --folder .bench [--models logistic,text] [--peers fastapi] [--all]

All of the models and the default peers (or more) write README.md and latency.svg beside this file;
a part writes them into the folder.
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

from benchmarks.environments import LIBRARIES, Workshop, where
from benchmarks.load import Burst, in_turn, wrk
from benchmarks.plot import plot
from benchmarks.report import CONNECTIONS, MODELS, STARTED, Measured, Start, report
from benchmarks.servers import ALL_PEERS, DEFAULT_PEERS, ECHO, OURS, SERVERS, Asked, running

HERE = Path(__file__).resolve().parent
MARK = "<!-- What follows is written by make bench. -->\n"


def main() -> None:
    """Measure what is asked for, and tell."""
    options = parsed()
    # Whoever ends the run ends the servers with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    models = named(options.models, tuple(MODELS), MODELS)
    peers = named(options.peers, ALL_PEERS if options.all else DEFAULT_PEERS, ALL_PEERS)
    wrk()
    workshop = Workshop(options.folder.resolve())
    prepare(workshop, models, peers)
    head = machine(peers, options.rounds, options.seconds)
    servers = (OURS, ECHO, *peers)
    loads = [os.getloadavg()[0]]
    bursts: dict[tuple[str, str, int], list[Burst]] = defaultdict(list)
    starts: dict[str, list[Start]] = {}
    whole = set(models) == set(MODELS) and set(peers) >= set(DEFAULT_PEERS)
    try:
        if STARTED in models:
            starts = start(workshop, (OURS, *peers), options.rounds)
        for model in models:
            for server, connections, found in load(
                workshop, model, servers, options.rounds, options.seconds
            ):
                bursts[model, server, connections].append(found)
            loads.append(os.getloadavg()[0])
    except KeyboardInterrupt:
        whole = False
        print("Ended early: the last of what follows was measured in fewer rounds.\n")
    measured = Measured(bursts, starts)
    text = f"{head}\n{busy(loads)}\n\n{report(measured)}\n"
    print(text)
    folder = HERE if whole else workshop.folder
    (folder / "latency.svg").write_text(plot(measured), encoding="utf-8")
    kept = (HERE / "README.md").read_text(encoding="utf-8").split(MARK)[0]
    picture = "![Median time of one row, by server and model](latency.svg)"
    readme = folder / "README.md"
    readme.write_text(f"{kept}{MARK}\n{picture}\n\n{text}", encoding="utf-8")
    print(f"Written to {readme}")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where all is built")
    parser.add_argument("--models", default="", help=f"of {', '.join(MODELS)}")
    parser.add_argument("--peers", default="", help=f"of {', '.join(ALL_PEERS)}")
    parser.add_argument("--all", action="store_true", help="all of the peers")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each burst")
    return parser.parse_args()


def named(given: str, default: Sequence[str], known: Sequence[str] | dict[str, str]) -> list[str]:
    """Return the names of a list with commas, or the default. Raises SystemExit."""
    names = given.replace(",", " ").split() or list(default)
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"Unknown: {', '.join(unknown)}. There are {', '.join(known)}.")
    return names


def prepare(workshop: Workshop, models: Sequence[str], peers: Sequence[str]) -> None:
    """Build all that is served, before anything is measured."""
    for model in models:
        workshop.project(model)
    for peer in peers:
        workshop.environment(peer, SERVERS[peer].requirements or ())


def load(
    workshop: Workshop, model: str, servers: Sequence[str], rounds: int, seconds: int
) -> Iterator[tuple[str, int, Burst]]:
    """Ask all servers of a model in turn, and again in the next round."""
    asked = Asked.read(workshop.models() / model)
    with ExitStack() as opened:
        up = {name: opened.enter_context(running(name, model, workshop)) for name in servers}
        for server in up.values():
            server.until_ready(asked.rows[0])
        yield from in_turn(MODELS[model], up, asked, CONNECTIONS, rounds, seconds)


def start(workshop: Workshop, servers: Sequence[str], rounds: int) -> dict[str, list[Start]]:
    """Start one server after the other, alone; the first round is to warm up."""
    asked = Asked.read(workshop.models() / STARTED)
    found: dict[str, list[Start]] = {name: [] for name in servers}
    for number in range(rounds + 1):
        print(f"start: round {number} of {rounds}", flush=True)
        for name in servers:
            with running(name, STARTED, workshop) as server:
                ready = server.until_ready(asked.rows[0])
                server.answers(asked)
                if number:
                    found[name].append(Start(ready, server.memory()))
    return found


def machine(peers: Sequence[str], rounds: int, seconds: int) -> str:
    """Say where, when and with what this is measured."""
    version = subprocess.run([wrk(), "-v"], capture_output=True, text=True, check=False).stdout
    packages = [package for peer in peers for package in SERVERS[peer].requirements or ()]
    return "\n".join(
        (
            "## Measured\n",
            *where(),
            f"- {rounds} rounds of {seconds} s for each server and number of connections; "
            f"{' '.join(version.split()[:2])};",
            f"- {', '.join(packages)};",
            f"- {', '.join(LIBRARIES)};",
        )
    )


def busy(loads: Sequence[float]) -> str:
    """Say how busy the machine was, with its other work."""
    found = f"{min(loads):.1f} to {max(loads):.1f}"
    return f"- load average while it was measured: {found}; the benchmark itself makes about 2."


if __name__ == "__main__":
    main()
