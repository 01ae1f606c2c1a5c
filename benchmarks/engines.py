"""Compare two versions of the engine under load, with the same model on the same machine.

    git worktree add .bench/before COMMIT
    python -m benchmarks.engines --model PROJECT/model --row row.json . .bench/before

Serves the model with the template folder's gunicorn.conf.py from each clone, with one worker. In
each round wrk asks one after the other for the same row. Rates depend on what else the machine
does; the CPU time of a request does much less. The last line compares the first with the second.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.load import wrk
from benchmarks.servers import free_port

PROJECT = "{{cookiecutter.project_slug}}"
BOOT_SECONDS = 60
TICKS = os.sysconf("SC_CLK_TCK")
SCRIPT = """\
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local file = io.open("ROW"); wrk.body = file:read("*a"); file:close()
"""
RESULT = re.compile(r"(\d+) requests in .*?Requests/sec: +([\d.]+)", re.DOTALL)
FAILURES = re.compile(r"Non-2xx|Socket errors")


@dataclass(frozen=True)
class Engine:
    """A running service."""

    port: int
    process: subprocess.Popen[bytes]

    def cpu_seconds(self) -> float:
        """Return the CPU time of the worker until now."""
        pid = self.process.pid
        (worker,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        fields = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


@dataclass(frozen=True)
class Load:
    """Requests per second, and microseconds of CPU time for each."""

    rate: float
    cpu: float


@contextmanager
def served(clone: Path, model: Path, options: list[str]) -> Iterator[Engine]:
    """Serve a model with the engine of a clone."""
    port = free_port()
    source = {"PYTHONPATH": str(clone / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", *options],
        cwd=clone / PROJECT,
        env={**os.environ, **source, "MODEL_DIR": str(model), "PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/ready")
        yield Engine(port, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def wait_for(url: str) -> None:
    """Wait until a service is ready. Raises TimeoutError."""
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline:
        with suppress(urllib.error.URLError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.1)
    raise TimeoutError(f"{url} is not ready after {BOOT_SECONDS} s")


def measure(engine: Engine, script: Path, connections: int, seconds: int) -> Load:
    """Ask for a row again and again on some connections. Raises RuntimeError."""
    before = engine.cpu_seconds()
    url = f"http://127.0.0.1:{engine.port}/predict"
    options = (f"-c{connections}", f"-d{seconds}s", "-t1", "-s", str(script))
    output = subprocess.check_output([wrk(), *options, url], text=True)
    found = RESULT.search(output)
    if found is None or FAILURES.search(output):
        raise RuntimeError(output)
    cpu = (engine.cpu_seconds() - before) / int(found[1])
    return Load(float(found[2]), cpu * 1e6)


def main() -> None:
    """Print the medians of all rounds, and how the first engine compares with the second."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clones", nargs="+", type=Path)
    parser.add_argument("--model", type=Path, required=True, help="the folder model/ of a project")
    parser.add_argument("--row", type=Path, required=True, help="a file with a row as JSON")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--worker-class", help="gunicorn's, for all of them")
    arguments = parser.parse_args()
    loads = measure_rounds(arguments)
    for connections in arguments.connections:
        report(connections, {clone: loads[clone, connections] for clone in arguments.clones})


def measure_rounds(arguments: argparse.Namespace) -> dict[tuple[Path, int], list[Load]]:
    """Serve all clones, and return the loads of all rounds by clone and number of connections."""
    options = ["--worker-class", arguments.worker_class] if arguments.worker_class else []
    loads: dict[tuple[Path, int], list[Load]] = defaultdict(list)
    with ExitStack() as opened:
        script = Path(opened.enter_context(tempfile.TemporaryDirectory())) / "row.lua"
        script.write_text(SCRIPT.replace("ROW", str(arguments.row.absolute())))
        model = arguments.model.absolute()
        engines = {
            clone: opened.enter_context(served(clone.absolute(), model, options))
            for clone in arguments.clones
        }
        for engine in engines.values():
            measure(engine, script, max(arguments.connections), 1)
        for _ in range(arguments.rounds):
            for connections in arguments.connections:
                for clone, engine in engines.items():
                    load = measure(engine, script, connections, arguments.seconds)
                    loads[clone, connections].append(load)
    return loads


def report(connections: int, loads: dict[Path, list[Load]]) -> None:
    """Print the medians of each clone, and how two of them compare."""
    medians = []
    for clone, of_rounds in loads.items():
        middle = Load(median(o.rate for o in of_rounds), median(o.cpu for o in of_rounds))
        medians.append(middle)
        print(
            f"{connections:3} connections  {middle.rate:6,.0f} requests/s  "
            f"{middle.cpu:5.0f} us CPU a request  {clone}"
        )
    if len(medians) == 2:
        first, second = medians
        print(
            f"{connections:3} connections  {first.rate / second.rate:.2f} times the requests, "
            f"{second.cpu / first.cpu:.2f} times as many for the CPU time"
        )


if __name__ == "__main__":
    main()
