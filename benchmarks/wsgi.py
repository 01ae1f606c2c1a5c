"""Compare WSGI servers for the generated service: `make bench-wsgi`.

    python -m benchmarks.wsgi --folder .bench [--rounds 3] [--seconds 2]

Serves the loan pipeline's rendered and verified project with its own gunicorn.conf.py, with
gunicorn's threaded worker, with serve_granian.py, and with granian's command. Writes wsgi.md beside
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

from benchmarks import failures
from benchmarks.environments import LIBRARIES, Workshop, clean_environment, describe_machine
from benchmarks.load import round_robin, wrk
from benchmarks.report import number, table
from benchmarks.servers import (
    BOOT_SECONDS,
    GUNICORN,
    OURS,
    SERVERS,
    BenchmarkRows,
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
KEPT_CONNECTIONS = "kept connections"
LOAD_SECONDS = 0.7
PREDICTIONS, ROWS_PER_REQUEST = 100, 100
MEMORY_SECONDS, REPLACE_SECONDS, HEALTH_SECONDS = 15, 10, 5
# When SIGTERM is sent during the boot, as shares of the time from exec to the first answer.
BOOT_SHARES = (0.3, 0.7, 1.0)


@dataclass(frozen=True)
class Setup:
    """A way to serve the project; its log has `worker_line` once for each worker that is up."""

    title: str
    command: tuple[str, ...]
    worker_line: str = "Started worker-"


SETUPS = {
    "gunicorn": Setup(
        "gunicorn (gunicorn.conf.py)", (*GUNICORN, "gunicorn.conf.py"), "Booting worker"
    ),
    "gthread": Setup(
        "the same, --worker-class gthread",
        (*GUNICORN, "gunicorn.conf.py", "--worker-class", "gthread"),
        "Booting worker",
    ),
    "granian": Setup(
        "granian, preloaded (serve_granian.py)",
        (".venv/bin/python", str(HERE / "serve_granian.py")),
    ),
    "command": Setup(
        "granian's command, --workers-kill-timeout 5",
        (
            *(".venv/bin/python", "-m", "granian", "--interface", "wsgi", "--http", "1", "--no-ws"),
            *("--host", "::", "--port", "{port}", "--workers", "{workers}"),
            *("--blocking-threads", "64", "--respawn-failed-workers"),
            *("--workers-kill-timeout", "5", "app:app"),
        ),
    ),
}
# The last column of the table is OTHER divided by OWN.
OWN, OTHER = "gunicorn", "granian"

Samples = dict[str, list[float | None]]


@dataclass
class Results:
    """The samples by figure and setup; None stands for a timeout."""

    figures: dict[str, Samples] = field(default_factory=lambda: defaultdict(dict))

    def add(self, figure: str, setup: str, value: float | None) -> None:
        """Add one sample."""
        self.figures[figure].setdefault(setup, []).append(value)


@dataclass(frozen=True)
class Figure:
    """A line of the table; `summarize` makes one number of its samples."""

    title: str
    scale: float
    decimals: int
    summarize: Callable[[Sequence[float]], float] = median
    timeout_text: str = "never"

    def text(self, samples: Sequence[float | None]) -> str:
        """Return the cell of the table, with the number of timeouts if there are any."""
        known = [sample for sample in samples if sample is not None]
        timeouts = len(samples) - len(known)
        if not samples:
            return "-"
        if not known:
            return self.timeout_text
        text = number(self.summarize(known), self.scale, self.decimals)
        return f"{text}; {self.timeout_text} {timeouts} of {len(samples)}" if timeouts else text


def figures() -> dict[str, Figure]:
    """Return the lines of the table in their order, by key."""
    lines = {}
    for workers in WORKERS:
        worker_text = f"{workers} worker{'s' if workers > 1 else ''}"
        for connections in CONNECTIONS:
            load = f"{connections} connection{'s' if connections > 1 else ''}, {worker_text}"
            key = f"{connections}/{workers}"
            lines[f"rate {key}"] = Figure(f"requests/s at {load}", 1, 0)
            lines[f"p50 {key}"] = Figure(f"p50, ms, at {load}", 1e3, 2)
            lines[f"p99 {key}"] = Figure(f"p99, ms, at {load}", 1e3, 1)
    for workers in WORKERS:
        worker_text = f"{workers} worker{'s' if workers > 1 else ''}"
        lines[f"memory {workers}"] = Figure(f"memory, MB, {worker_text}", 1e-6, 0)
    lines["ready"] = Figure("exec to the first answer, s", 1, 2)
    lines["slow"] = Figure(
        f"/health beside {failures.HALF_OPEN} half-open connections, ms (worst)", 1e3, 1, max
    )
    for mode in CONNECTION_MODES:
        lines[f"answered {mode}"] = Figure(f"SIGTERM, {mode}: answers until the exit", 1, 0, sum)
        lines[f"lost {mode}"] = Figure(f"SIGTERM, {mode}: lost, sent before it", 1, 0, sum)
        lines[f"late {mode}"] = Figure(f"SIGTERM, {mode}: no answer, sent after it", 1, 0, sum)
        lines[f"exit {mode}"] = Figure(f"SIGTERM, {mode}: s until exit (worst)", 1, 2, max)
    for share in BOOT_SHARES:
        lines[f"boot {share}"] = Figure(
            f"SIGTERM at {share:.0%} of the boot: s until exit", 1, 2, max
        )
    lines["killed lost"] = Figure("kill -9 of one of 2 workers: requests lost", 1, 0, sum)
    lines["killed back"] = Figure(
        "kill -9 of the only worker: s without answers (worst)", 1, 2, max
    )
    lines["killed again"] = Figure(
        "the same again 1 s later: s without answers (worst)", 1, 2, max, "ends"
    )
    return lines


CONNECTION_MODES = ("new connections", KEPT_CONNECTIONS)


def main() -> None:
    """Run the benchmark and write its report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="for environments and projects")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="for each burst of requests")
    options = parser.parse_args()
    # On SIGTERM, stop the servers as on Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    wrk()
    start = time.monotonic()
    workshop = Workshop(options.folder.resolve())
    # Only once: with uncommitted changes each call renders the project again.
    project = workshop.project(MODEL)
    rows = BenchmarkRows.read(workshop.models() / MODEL)
    bench = Bench(workshop.folder, project, rows, Results())
    bench.prepare()
    head = describe_run(bench, options.rounds, options.seconds)
    for turn in range(options.rounds):
        print(f"round {turn + 1} of {options.rounds}", flush=True)
        for name in SETUPS:
            bench.measure_start(name)
            bench.measure_failures(name)
            if not turn:  # only once: granian's command takes 5 s for each
                bench.measure_sigterm_during_boot(name)
    for workers in WORKERS:
        bench.measure_load(workers, options.rounds, options.seconds)
    text = report(bench.results, head, time.monotonic() - start)
    print(text)
    file = HERE / "wsgi.md"
    kept = file.read_text(encoding="utf-8").split(MARK)[0]
    file.write_text(f"{kept}{MARK}\n{text}", encoding="utf-8")
    print(f"Written to {file}")


@dataclass(frozen=True)
class Bench:
    """The measurements of one project with each setup."""

    folder: Path
    project: Path
    rows: BenchmarkRows
    results: Results

    def prepare(self) -> None:
        """Install granian in a folder of its own, and start each setup once."""
        if not (self.granian_folder / ".complete").exists():
            python = self.project / ".venv" / "bin" / "python"
            install = ("uv", "pip", "install", "--quiet", "--no-deps", "--python", str(python))
            subprocess.run([*install, "--target", str(self.granian_folder), GRANIAN], check=True)
            (self.granian_folder / ".complete").touch()
        for name in SETUPS:  # so that Python has compiled all modules
            if name != OWN:  # verify has imported these already
                with self.serving(name, 1) as server:
                    server.until_ready(self.rows.rows[0])

    @property
    def granian_folder(self) -> Path:
        """The folder on PYTHONPATH that holds granian; its dependency click comes with Flask."""
        return self.folder / "environments" / GRANIAN

    @contextmanager
    def serving(self, name: str, workers: int) -> Iterator[Running]:
        """Serve the project with a setup until the block ends."""
        port = free_port()
        words = [word.format(port=port, workers=workers) for word in SETUPS[name].command]
        variables = {**clean_environment(), "PORT": str(port), "WEB_CONCURRENCY": str(workers)}
        if name != OWN:
            variables["PYTHONPATH"] = str(self.granian_folder)
        log = self.folder / "logs" / f"wsgi-{name}.log"
        with started(SERVERS[OURS], words, port, self.project, variables, log) as server:
            yield server

    @contextmanager
    def ready(self, name: str, workers: int) -> Iterator[Running]:
        """Serve the project; enter the block when all workers are up and the answers are right."""
        with self.serving(name, workers) as server:
            server.until_ready(self.rows.rows[0])
            self.wait_for_workers(name, server, workers)
            server.check_answers(self.rows)
            yield server

    def wait_for_workers(self, name: str, server: Running, workers: int) -> None:
        """Wait until the log shows that all workers are up. Raises ServerError."""
        deadline = time.monotonic() + BOOT_SECONDS
        while server.log.read_text(encoding="utf-8").count(SETUPS[name].worker_line) < workers:
            if time.monotonic() > deadline:
                raise ServerError(
                    f"{SETUPS[name].title}: {workers} workers did not start: {server.log}"
                )
            time.sleep(failures.PAUSE)

    def settled_memory(self, server: Running) -> int:
        """Send requests until the memory changes by less than 1 %; return it in bytes."""
        deadline = time.monotonic() + MEMORY_SECONDS
        before = 0
        while time.monotonic() < deadline:
            for row in islice(cycle(self.rows.rows), PREDICTIONS):
                server.ask(row)
            now = server.memory()
            if abs(now - before) < now / 100:
                return now
            before = now
        return before

    def measure_start(self, name: str) -> None:
        """Measure the seconds to the first answer, and the memory with 1 and 2 workers."""
        for workers in WORKERS:
            with self.serving(name, workers) as server:
                ready = server.until_ready(self.rows.rows[0])
                server.check_answers(self.rows)
                if workers == 1:
                    self.results.add("ready", name, ready)
                self.wait_for_workers(name, server, workers)
                self.results.add(f"memory {workers}", name, self.settled_memory(server))

    def measure_failures(self, name: str) -> None:
        """Measure the effect of slow clients, killed workers and SIGTERM."""
        add = self.results.add
        one_row = json.dumps(self.rows.rows[0]).encode()
        rows = list(islice(cycle(self.rows.rows), ROWS_PER_REQUEST))
        many_rows = json.dumps({"rows": rows}).encode()
        with self.ready(name, 1) as server:
            with failures.half_open_connections(server.port):
                add("slow", name, failures.health_seconds(server.port, HEALTH_SECONDS))
            add("killed back", name, failures.seconds_without_service(server, REPLACE_SECONDS))
            time.sleep(1)
            again = None
            if failures.workers(server):
                again = failures.seconds_without_service(server, REPLACE_SECONDS)
            add("killed again", name, again)
        with self.ready(name, 2) as server:
            with failures.clients_running(server, one_row, keep_alive=False) as clients:
                time.sleep(LOAD_SECONDS)
                os.kill(failures.workers(server)[0], signal.SIGKILL)
                time.sleep(2 * LOAD_SECONDS)
            add("killed lost", name, clients.outcomes[failures.LOST])
        for mode in CONNECTION_MODES:
            keep_alive = mode == KEPT_CONNECTIONS
            with self.ready(name, 2) as server:
                with failures.clients_running(server, many_rows, keep_alive=keep_alive) as clients:
                    time.sleep(LOAD_SECONDS)
                    before = clients.outcomes[failures.ANSWERED]
                    add(f"exit {mode}", name, failures.seconds_to_exit(server, clients))
                add(f"answered {mode}", name, clients.outcomes[failures.ANSWERED] - before)
                add(f"lost {mode}", name, clients.outcomes[failures.LOST])
                add(f"late {mode}", name, clients.outcomes[failures.LATE])

    def measure_sigterm_during_boot(self, name: str) -> None:
        """Measure the exit after SIGTERM at several moments of the boot."""
        samples = self.results.figures["ready"][name]
        ready = median(value for value in samples if value is not None)
        for share in BOOT_SHARES:
            with self.serving(name, 2) as server:
                time.sleep(max(0.0, share * ready - (time.monotonic() - server.started)))
                self.results.add(f"boot {share}", name, failures.seconds_to_exit(server))

    def measure_load(self, workers: int, rounds: int, seconds: int) -> None:
        """Measure latency and throughput of all setups; every answer is checked."""
        with ExitStack() as stack:
            servers = {name: stack.enter_context(self.ready(name, workers)) for name in SETUPS}
            title = f"load, {workers} worker(s)"
            bursts = round_robin(title, servers, self.rows, CONNECTIONS, rounds, seconds)
            for name, connections, burst in bursts:
                key = f"{connections}/{workers}"
                self.results.add(f"rate {key}", name, burst.rate)
                self.results.add(f"p50 {key}", name, burst.latency)
                self.results.add(f"p99 {key}", name, burst.tail)


def describe_run(bench: Bench, rounds: int, seconds: int) -> str:
    """Return the lines on the machine, the versions and the rounds."""
    python = bench.project / ".venv" / "bin" / "python"
    command = (str(python), "-c", "import gunicorn; print(gunicorn.__version__)")
    gunicorn = subprocess.check_output(command, text=True).strip()
    return "\n".join(
        (
            "## Measured\n",
            *describe_machine(),
            f"- gunicorn {gunicorn}, {GRANIAN.replace('==', ' ')}, "
            f"{next(name for name in LIBRARIES if name.startswith('scikit-learn'))};",
            f"- {rounds} rounds; bursts of {seconds} s for each setup and number of connections.",
        )
    )


def report(results: Results, head: str, seconds: float) -> str:
    """Return the head and the table."""
    rows = []
    for key, figure in figures().items():
        samples: Mapping[str, Sequence[float | None]] = results.figures.get(key, {})
        cells = [figure.text(samples.get(name, ())) for name in SETUPS]
        rows.append([figure.title, *cells, ratio_text(key, samples)])
    header = ["", *(setup.title for setup in SETUPS.values()), "serve_granian / gunicorn"]
    return f"{head}\n- The run took {seconds:.0f} s.\n\n{table(header, rows)}\n"


def ratio_text(key: str, samples: Mapping[str, Sequence[float | None]]) -> str:
    """Return the ratio of the medians, for figures that have one."""
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
