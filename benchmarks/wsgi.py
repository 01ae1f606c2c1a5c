"""One service under several WSGI servers: `make bench-wsgi`.

    python -m benchmarks.wsgi --folder .bench [--rounds 3] [--seconds 2]

The loan pipeline's rendered and verified project, served by its own gunicorn.conf.py, by its own
serve_granian.py, by granian's command, and by gunicorn's own threaded worker. Writes wsgi.md beside
this file.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from statistics import median

from benchmarks import endings
from benchmarks.environments import LIBRARIES, Workshop, clean, where
from benchmarks.load import in_turn, wrk
from benchmarks.report import number, table
from benchmarks.servers import (
    BOOT_SECONDS,
    GUNICORN,
    OURS,
    SERVERS,
    Asked,
    Running,
    ServerError,
    free_port,
    started,
)

HERE = Path(__file__).resolve().parent
MARK = "<!-- What follows is written by make bench-wsgi. -->\n"
MODEL = "logistic"
GRANIAN = "granian==2.8.7"
CONNECTIONS, WORKERS = (1, 32), (1, 2)
LOADED_SECONDS = 0.7
PREDICTIONS, ROWS_UNDER_LOAD = 100, 100
MEMORY_SECONDS, REPLACED_SECONDS, HEALTH_SECONDS = 15, 10, 5
# When the signal comes, as a part of the time from exec to the first answer.
MOMENTS = (0.3, 0.7, 1.0)


@dataclass(frozen=True)
class Way:
    """A way to serve the project: a title, a command, and what a worker writes when it serves."""

    title: str
    command: tuple[str, ...]
    serves: str = "Started worker-"


WAYS = {
    "gunicorn": Way(
        "gunicorn (gunicorn.conf.py)", (*GUNICORN, "gunicorn.conf.py"), "Booting worker"
    ),
    "gthread": Way(
        "the same, --worker-class gthread",
        (*GUNICORN, "gunicorn.conf.py", "--worker-class", "gthread"),
        "Booting worker",
    ),
    "granian": Way(
        "granian, preloaded (serve_granian.py)", (".venv/bin/python", "serve_granian.py")
    ),
    "command": Way(
        "granian's command, --workers-kill-timeout 5",
        (
            *(".venv/bin/python", "-m", "granian", "--interface", "wsgi", "--http", "1", "--no-ws"),
            *("--host", "::", "--port", "{port}", "--workers", "{workers}"),
            *("--blocking-threads", "64", "--respawn-failed-workers"),
            *("--workers-kill-timeout", "5", "--factory", "service:create_app"),
        ),
    ),
}
# The service's own, and what it is compared with.
OWN, OTHER = "gunicorn", "granian"

Samples = dict[str, list[float | None]]


@dataclass
class Found:
    """What was measured, by figure and way; None is what did not come in time."""

    figures: dict[str, Samples] = field(default_factory=lambda: defaultdict(dict))

    def add(self, figure: str, way: str, value: float | None) -> None:
        """Keep one more sample."""
        self.figures[figure].setdefault(way, []).append(value)


@dataclass(frozen=True)
class Figure:
    """A line of the table: how its samples become one text."""

    title: str
    scale: float
    decimals: int
    # Of the samples: their median, or the worst of them.
    of: Callable[[Sequence[float]], float] = median
    never: str = "never"

    def text(self, samples: Sequence[float | None]) -> str:
        """Return what is told; where one sample is None, that."""
        known = [sample for sample in samples if sample is not None]
        missing = len(samples) - len(known)
        if not samples:
            return "-"
        if not known:
            return self.never
        told = number(self.of(known), self.scale, self.decimals)
        return f"{told}; {self.never} {missing} of {len(samples)}" if missing else told


def figures() -> dict[str, Figure]:
    """Return the lines of the table, in their order."""
    lines = {}
    for workers in WORKERS:
        of = f"{workers} worker{'s' if workers > 1 else ''}"
        for connections in CONNECTIONS:
            at = f"{connections} connection{'s' if connections > 1 else ''}, {of}"
            key = f"{connections}/{workers}"
            lines[f"rate {key}"] = Figure(f"requests/s at {at}", 1, 0)
            lines[f"p50 {key}"] = Figure(f"p50, ms, at {at}", 1e3, 2)
            lines[f"p99 {key}"] = Figure(f"p99, ms, at {at}", 1e3, 1)
    for workers in WORKERS:
        of = f"{workers} worker{'s' if workers > 1 else ''}"
        lines[f"memory {workers}"] = Figure(f"memory, MB, {of}", 1e-6, 0)
    lines["ready"] = Figure("exec to the first answer, s", 1, 2)
    lines["slow"] = Figure(
        f"/health beside {endings.HALF_OPEN} half-open connections, ms (worst)", 1e3, 1, max
    )
    for kept in KEPT:
        lines[f"asked {kept}"] = Figure(f"SIGTERM, {kept}: answers until it ended", 1, 0, sum)
        lines[f"lost {kept}"] = Figure(f"SIGTERM, {kept}: lost, sent before it", 1, 0, sum)
        lines[f"late {kept}"] = Figure(f"SIGTERM, {kept}: no answer, sent after it", 1, 0, sum)
        lines[f"exit {kept}"] = Figure(f"SIGTERM, {kept}: s until exit (worst)", 1, 2, max)
    for moment in MOMENTS:
        lines[f"boot {moment}"] = Figure(
            f"SIGTERM at {moment:.0%} of the boot: s until exit", 1, 2, max
        )
    lines["killed lost"] = Figure("kill -9 of one of 2 workers: requests lost", 1, 0, sum)
    lines["killed back"] = Figure(
        "kill -9 of the only worker: s without answers (worst)", 1, 2, max
    )
    lines["killed again"] = Figure(
        "the same again 1 s later: s without answers (worst)", 1, 2, max, "ends"
    )
    return lines


KEPT = ("new connections", "kept connections")


def main() -> None:
    """Measure, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where all is built")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="of each burst")
    options = parser.parse_args()
    # Whoever ends the run ends the servers with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    wrk()
    began = time.monotonic()
    workshop = Workshop(options.folder.resolve())
    # Once: a template that was changed since its last commit is rendered anew each time.
    project = workshop.project(MODEL)
    bench = Bench(workshop.folder, project, Asked.read(workshop.models() / MODEL), Found())
    bench.prepare()
    head = machine(bench, options.rounds, options.seconds)
    for turn in range(options.rounds):
        print(f"round {turn + 1} of {options.rounds}", flush=True)
        for way in WAYS:
            bench.starts(way)
            bench.faults(way)
            if not turn:  # granian's command takes its time
                bench.boots(way)
    for workers in WORKERS:
        bench.loads(workers, options.rounds, options.seconds)
    text = report(bench.found, head, time.monotonic() - began)
    print(text)
    place = HERE / "wsgi.md"
    kept = place.read_text(encoding="utf-8").split(MARK)[0] if place.exists() else ""
    place.write_text(f"{kept}{MARK}\n{text}", encoding="utf-8")
    print(f"Written to {place}")


@dataclass(frozen=True)
class Bench:
    """The project, the rows that it is asked, and what was found."""

    folder: Path
    project: Path
    asked: Asked
    found: Found

    def prepare(self) -> None:
        """Put granian beside the project's libraries, where nothing else sees it."""
        if not (self.granian / ".complete").exists():
            python = self.project / ".venv" / "bin" / "python"
            install = ("uv", "pip", "install", "--quiet", "--no-deps", "--python", str(python))
            subprocess.run([*install, "--target", str(self.granian), GRANIAN], check=True)
            (self.granian / ".complete").touch()
        for way in WAYS:  # Python compiles what is imported
            if way != OWN:  # the proof has imported the service
                with self.serving(way, 1) as server:
                    server.until_ready(self.asked.rows[0])

    @property
    def granian(self) -> Path:
        """Where granian is; click, which it needs, is Flask's."""
        return self.folder / "environments" / GRANIAN

    @contextmanager
    def serving(self, name: str, workers: int) -> Iterator[Running]:
        """Serve the project in a way with so many workers."""
        port = free_port()
        words = [word.format(port=port, workers=workers) for word in WAYS[name].command]
        variables = {**clean(), "PORT": str(port), "WEB_CONCURRENCY": str(workers)}
        if name != OWN:
            variables["PYTHONPATH"] = str(self.granian)
        log = self.folder / "logs" / f"wsgi-{name}.log"
        with started(SERVERS[OURS], words, port, self.project, variables, log) as server:
            yield server

    @contextmanager
    def ready(self, name: str, workers: int) -> Iterator[Running]:
        """Serve, and wait until all workers are there and answer."""
        with self.serving(name, workers) as server:
            server.until_ready(self.asked.rows[0])
            self.complete(name, server, workers)
            server.answers(self.asked)
            yield server

    def complete(self, name: str, server: Running, workers: int) -> None:
        """Wait until all workers serve: one that answers says nothing of one that still loads."""
        deadline = time.monotonic() + BOOT_SECONDS
        while server.log.read_text(encoding="utf-8").count(WAYS[name].serves) < workers:
            if time.monotonic() > deadline:
                raise ServerError(f"{WAYS[name].title} starts no {workers} workers: {server.log}")
            time.sleep(endings.PAUSE)

    def settled(self, server: Running) -> int:
        """Return the bytes that are held after some predictions, when they grow no more."""
        deadline = time.monotonic() + MEMORY_SECONDS
        held = 0
        while time.monotonic() < deadline:
            for row in islice(cycle(self.asked.rows), PREDICTIONS):
                server.ask(row)
            now = server.memory()
            if abs(now - held) < now / 100:
                return now
            held = now
        return held

    def starts(self, name: str) -> None:
        """Measure the start, and the memory of each number of workers."""
        for workers in WORKERS:
            with self.serving(name, workers) as server:
                ready = server.until_ready(self.asked.rows[0])
                server.answers(self.asked)
                if workers == 1:
                    self.found.add("ready", name, ready)
                self.complete(name, server, workers)
                self.found.add(f"memory {workers}", name, self.settled(server))

    def faults(self, name: str) -> None:
        """Measure what slow clients, signals and dead workers do."""
        add = self.found.add
        one = json.dumps(self.asked.rows[0]).encode()
        rows = list(islice(cycle(self.asked.rows), ROWS_UNDER_LOAD))
        many = json.dumps({"rows": rows}).encode()
        with self.ready(name, 1) as server:
            with endings.half_open(server.port):
                add("slow", name, endings.health(server.port, HEALTH_SECONDS))
            add("killed back", name, endings.seconds_without_service(server, REPLACED_SECONDS))
            time.sleep(1)
            again = None
            if endings.workers(server):
                again = endings.seconds_without_service(server, REPLACED_SECONDS)
            add("killed again", name, again)
        with self.ready(name, 2) as server:
            with endings.calling(server, one, kept=False) as callers:
                time.sleep(LOADED_SECONDS)
                os.kill(endings.workers(server)[0], signal.SIGKILL)
                time.sleep(2 * LOADED_SECONDS)
            add("killed lost", name, callers.seen[endings.LOST])
        for kept in KEPT:
            with self.ready(name, 2) as server:
                with endings.calling(server, many, kept=kept == KEPT[1]) as callers:
                    time.sleep(LOADED_SECONDS)
                    before = callers.seen[endings.WHOLE]
                    add(f"exit {kept}", name, endings.seconds_to_exit(server, callers))
                add(f"asked {kept}", name, callers.seen[endings.WHOLE] - before)
                add(f"lost {kept}", name, callers.seen[endings.LOST])
                add(f"late {kept}", name, callers.seen[endings.LATE])

    def boots(self, name: str) -> None:
        """End a start at several moments."""
        ready = median(value for value in self.found.figures["ready"][name] if value is not None)
        for moment in MOMENTS:
            with self.serving(name, 2) as server:
                time.sleep(max(0.0, moment * ready - (time.monotonic() - server.started)))
                self.found.add(f"boot {moment}", name, endings.seconds_to_exit(server))

    def loads(self, workers: int, rounds: int, seconds: int) -> None:
        """Ask all ways in turn, and again in the next round; every answer is checked."""
        with ExitStack() as opened:
            up = {name: opened.enter_context(self.ready(name, workers)) for name in WAYS}
            title = f"load, {workers} of a kind"
            bursts = in_turn(title, up, self.asked, CONNECTIONS, rounds, seconds)
            for name, connections, seen in bursts:
                key = f"{connections}/{workers}"
                self.found.add(f"rate {key}", name, seen.rate)
                self.found.add(f"p50 {key}", name, seen.latency)
                self.found.add(f"p99 {key}", name, seen.tail)


def machine(bench: Bench, rounds: int, seconds: int) -> str:
    """Say where, when and with what this is measured."""
    python = bench.project / ".venv" / "bin" / "python"
    asked = (str(python), "-c", "import gunicorn; print(gunicorn.__version__)")
    gunicorn = subprocess.check_output(asked, text=True).strip()
    return "\n".join(
        (
            "## Measured\n",
            *where(),
            f"- gunicorn {gunicorn}, {GRANIAN.replace('==', ' ')}, "
            f"{next(name for name in LIBRARIES if name.startswith('scikit-learn'))};",
            f"- {rounds} rounds, of load {seconds} s for each way and number of connections.",
        )
    )


def report(found: Found, head: str, seconds: float) -> str:
    """Return the table, and how granian compares where there is a ratio."""
    rows = []
    for key, figure in figures().items():
        samples: Mapping[str, Sequence[float | None]] = found.figures.get(key, {})
        cells = [figure.text(samples.get(name, ())) for name in WAYS]
        rows.append([figure.title, *cells, ratio(key, samples)])
    header = ["", *(way.title for way in WAYS.values()), "serve_granian / gunicorn"]
    return f"{head}\n- The run took {seconds:.0f} s.\n\n{table(header, rows)}\n"


def ratio(key: str, samples: Mapping[str, Sequence[float | None]]) -> str:
    """Return the ratio of the medians, where the figure has one."""
    if key.split(maxsplit=1)[0] not in ("rate", "p50", "p99", "memory", "ready"):
        return ""
    with suppress(KeyError, ValueError, ZeroDivisionError):
        one, other = (
            median(value for value in samples[name] if value is not None) for name in (OTHER, OWN)
        )
        return f"{one / other:.2f}"
    return "-"


if __name__ == "__main__":
    main()
