"""Soak test: an hour of load at half of the capacity, with failures: `make soak`.

    python -m benchmarks.soak --folder .bench [--minutes 60] [--model loan]

Serves the project of a model with its own Procfile and two workers, and measures its capacity in
requests per second. Then requests are sent at half of that rate, whether earlier ones are answered
or not. During the run one worker is killed; at the end the service gets SIGTERM under load. An hour
writes soak.md beside this file, or soak-MODEL.md for another model than the loan example; a shorter
run writes it into the folder. The exit status is 1 if a bound is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import re
import selectors
import shlex
import signal
import sys
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from statistics import quantiles

from benchmarks.client import Client, Outcome, Request, Sent
from benchmarks.environments import EXAMPLE, PYTHON, Workshop, clean_environment, commit
from benchmarks.failures import workers as worker_pids
from benchmarks.mix import PERCENTAGES, build_requests, read_golden
from benchmarks.report import MODELS
from benchmarks.servers import OURS, SERVERS, Running, ServerError, free_port, started
from benchmarks.verdict import ROWS, Interval, Killed, Soak, Stopped, checks, report

HERE = Path(__file__).resolve().parent
MINUTES, WORKERS = 60.0, 2
# The load, as a share of the capacity.
LOAD = 1 / 2
# Parallel requests while the capacity is measured, and the longest time for that.
CAPACITY_REQUESTS, MAX_CAPACITY_SECONDS = 16, 10.0
# The timeout of an answer; the service's own is 20 s.
TIMEOUT_SECONDS = 30.0
# When a worker is killed, as a share of the time: both must be warm in the second quarter.
KILL_AFTER = 1 / 8
# Within this time after SIGKILL the client learns that the worker's connections are closed.
DISCONNECT_SECONDS = 1.0
# The load between the last interval and SIGTERM.
LEAD_SECONDS = 0.5
MAX_MESSAGES = 10
ERROR = re.compile(r"^level=(error|critical) ")


@dataclass
class Tally:
    """The outcomes and latencies since the last interval."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    milliseconds: array[float] = field(default_factory=lambda: array("d"))


@dataclass
class Recorder:
    """Records the end of each request; it is the client's `on_end`."""

    loop: asyncio.AbstractEventLoop
    tally: Tally = field(default_factory=Tally)
    ended: Counter[Outcome] = field(default_factory=Counter)
    # Requests without an answer: when they were sent, when they ended, and how.
    unanswered: list[tuple[float, float, Outcome]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def __call__(self, sent: Sent, outcome: Outcome, text: str) -> None:
        now = self.loop.time()
        self.tally.outcomes[outcome] += 1
        self.ended[outcome] += 1
        if outcome in (Outcome.LOST, Outcome.REFUSED):
            self.unanswered.append((sent.at, now, outcome))
        elif outcome is not Outcome.BUSY:  # a refusal is fast, and no answer
            self.tally.milliseconds.append(1e3 * (now - sent.due))
        if text and len(self.messages) < MAX_MESSAGES:
            self.messages.append(f"{outcome}: {text}")

    def interval(self, seconds: float, memory: float) -> Interval:
        """Return the figures since the last call."""
        tally, self.tally = self.tally, Tally()
        outcomes = tally.outcomes
        # quantiles() needs two values.
        times = tally.milliseconds if len(tally.milliseconds) > 1 else [0.0, 0.0]
        percentiles = quantiles(times, n=100)
        return Interval(
            seconds=seconds,
            requests=outcomes.total(),
            wrong=outcomes[Outcome.WRONG],
            busy=outcomes[Outcome.BUSY],
            lost=outcomes[Outcome.LOST] + outcomes[Outcome.REFUSED],
            p50=percentiles[49],
            p99=percentiles[98],
            memory=memory,
        )


def main() -> int:
    """Run the soak test, write its report and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="for environments and projects")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--model", default=EXAMPLE, choices=(EXAMPLE, *MODELS))
    options = parser.parse_args()
    # On SIGTERM, stop the service as on Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    workshop = Workshop(options.folder.resolve())
    folder = workshop.project(options.model)
    log = workshop.folder / "logs" / f"soak-{options.model}.log"
    soak, messages = run_soak(folder, log, 60 * options.minutes)
    text = f"{head(options.model, soak)}\n\n{report(soak)}\n"
    print(text, *messages, sep="\n")
    name = "soak.md" if options.model == EXAMPLE else f"soak-{options.model}.md"
    file = (HERE if options.minutes == MINUTES else workshop.folder) / name
    file.write_text(text, encoding="utf-8")
    print(f"Written to {file}")
    return int(not all(check.reached for check in checks(soak)))


def run_soak(
    project: Path, log: Path, seconds: float, load: float = LOAD, **variables: str
) -> tuple[Soak, list[str]]:
    """Serve a project and send it requests; return the figures and the first error messages.

    `load` is the share of the capacity that is sent.
    """
    rows, predictions = read_golden(project)
    requests = build_requests(rows, predictions)
    with serving(project, log, variables) as server:
        server.until_ready(rows[0])
        # The timers of select() have a resolution of microseconds, those of epoll of milliseconds.
        loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(_soak(server, requests, seconds, load))


@contextmanager
def serving(project: Path, log: Path, more: Mapping[str, str]) -> Iterator[Running]:
    """Run the web command of the project's Procfile, as the platform does."""
    lines = (project / "Procfile").read_text(encoding="utf-8").splitlines()
    (command,) = (line.removeprefix("web:") for line in lines if line.startswith("web:"))
    port = free_port()
    # gunicorn.conf.py sets the number of threads.
    kept = {
        name: value
        for name, value in clean_environment().items()
        if not name.endswith("_NUM_THREADS")
    }
    variables = {
        **kept,
        **more,
        "PATH": f"{project / '.venv' / 'bin'}:{kept['PATH']}",
        "PORT": str(port),
        "WEB_CONCURRENCY": str(WORKERS),
    }
    with started(SERVERS[OURS], shlex.split(command), port, project, variables, log) as server:
        yield server


async def _soak(
    server: Running, requests: Sequence[Request], seconds: float, load: float
) -> tuple[Soak, list[str]]:
    loop = asyncio.get_running_loop()
    await _wait_for_workers(server)
    capacity = await _measure_capacity(server, requests, min(MAX_CAPACITY_SECONDS, seconds / 4))
    rate = load * capacity
    print(f"Capacity: {capacity:,.0f} requests/s; sending {rate:,.0f}.", flush=True)

    recorder = Recorder(loop)
    client = Client(server.port, recorder)
    sending = asyncio.create_task(_send_at_rate(client, requests, rate))
    start = loop.time()
    killing = asyncio.create_task(_kill_worker(server, client, recorder, KILL_AFTER * seconds))
    intervals: list[Interval] = []
    length = min(60.0, seconds / ROWS)
    while (until := length * (len(intervals) + 1)) <= seconds + 1e-6:
        await asyncio.sleep(start + until - loop.time())
        client.time_out(TIMEOUT_SECONDS)
        memory = await asyncio.to_thread(server.memory)
        intervals.append(recorder.interval(loop.time() - start, memory))
        print(_line(intervals[-1]), flush=True)
    killed = await killing
    await asyncio.sleep(LEAD_SECONDS)
    stopped = await _stop(server, client, recorder, sending)
    with server.log.open(encoding="utf-8", errors="replace") as log:
        log_errors = sum(ERROR.match(line) is not None for line in log)
    return Soak(rate, intervals, killed, stopped, log_errors), recorder.messages


def _line(interval: Interval) -> str:
    return (
        f"{interval.seconds:5.0f} s: {interval.requests} requests, {interval.wrong} wrong, "
        f"{interval.busy} busy, {interval.lost} lost, "
        f"p50 {interval.p50:.2f} ms, p99 {interval.p99:.2f} ms, {interval.memory / 1e6:.1f} MB"
    )


async def _wait_for_workers(server: Running) -> None:
    while len(worker_pids(server)) < WORKERS:
        await asyncio.sleep(0.05)


async def _measure_capacity(server: Running, requests: Sequence[Request], seconds: float) -> float:
    """Send a request for each answer; return the answers per second. Raises ServerError."""
    loop = asyncio.get_running_loop()
    following = cycle(requests)
    answered, message, until = 0, "", loop.time() + seconds

    def send_next(_: Sent, outcome: Outcome, text: str) -> None:
        nonlocal answered, message
        answered += 1
        message = message or text
        if loop.time() < until:
            client.send(next(following))

    client = Client(server.port, send_next)
    # The first fifth is a warm-up.
    for share in (0.2, 0.8):
        answered, start = 0, loop.time()
        until = start + share * seconds
        for _ in range(CAPACITY_REQUESTS):
            client.send(next(following))
        while client.pending:
            await asyncio.sleep(0.01)
            client.time_out(TIMEOUT_SECONDS)
    rate = answered / (loop.time() - start)
    client.close()
    if message:
        raise ServerError(f"{server.server.title} answers {message}; see {server.log}")
    return rate


async def _send_at_rate(client: Client, requests: Sequence[Request], rate: float) -> None:
    """Send requests at a fixed rate until the task is cancelled."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    for number, request in enumerate(cycle(requests)):
        due = start + number / rate
        if (wait := due - loop.time()) > 0:
            await asyncio.sleep(wait)
        elif not number % 100:
            await asyncio.sleep(0)  # late: let the event loop read answers
        client.send(request, due)


async def _kill_worker(server: Running, client: Client, recorder: Recorder, after: float) -> Killed:
    """Kill a worker; count the lost requests, and wait for the new worker."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(after)
    pid, in_flight, before = worker_pids(server)[0], client.in_flight, loop.time()
    os.kill(pid, signal.SIGKILL)
    replaced = None
    while loop.time() < before + TIMEOUT_SECONDS and replaced is None:
        await asyncio.sleep(0.05)
        if pid not in (now := worker_pids(server)) and len(now) == WORKERS:
            replaced = loop.time() - before
    # The worker's connections break when it ends; the client notices when it gets CPU time.
    await asyncio.sleep(DISCONNECT_SECONDS)
    until = before + DISCONNECT_SECONDS
    lost = sum(at < until and known >= before for at, known, _ in recorder.unanswered)
    return Killed(after, in_flight, lost, replaced)


async def _stop(
    server: Running, client: Client, recorder: Recorder, sending: asyncio.Task[None]
) -> Stopped:
    """Send SIGTERM under load, and requests until the service has ended."""
    loop = asyncio.get_running_loop()
    in_flight, before = client.in_flight, loop.time()
    already = recorder.ended.copy()
    first = len(recorder.unanswered)
    server.process.send_signal(signal.SIGTERM)
    seconds = None
    while loop.time() < before + TIMEOUT_SECONDS and seconds is None:
        await asyncio.sleep(0.02)
        if server.process.poll() is not None:
            seconds = loop.time() - before
    sending.cancel()
    with suppress(asyncio.CancelledError):
        await sending
    while client.pending and seconds is not None:
        await asyncio.sleep(0.01)
    client.close()
    unanswered = recorder.unanswered[first:]
    lost = sum(at <= before for at, _, _ in unanswered)
    ended = recorder.ended - already
    refused = sum(outcome is Outcome.REFUSED for _, _, outcome in unanswered)
    return Stopped(
        seconds=seconds,
        status=server.process.returncode,
        in_flight=in_flight,
        lost=lost,
        answered=ended.total() - len(unanswered) - (in_flight - lost),
        closed=len(unanswered) - lost - refused,
        refused=refused,
        wrong=ended[Outcome.WRONG],
        busy=ended[Outcome.BUSY],
    )


def head(model: str, soak: Soak) -> str:
    """Return the title and the lines on the machine and the load."""
    day = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    mix = ", ".join(f"{count} % {kind}" for kind, count in PERCENTAGES.items())
    done = sum(interval.requests for interval in soak.intervals)
    minutes = soak.intervals[-1].seconds / 60
    return "\n".join(
        (
            f"# {done:,} requests in {minutes:.0f} minutes, at half of the capacity\n",
            f"- written by `make soak MINUTES={minutes:.2g} MODEL={model}`: {day}, the template at "
            f"commit {commit()}, Python {PYTHON};",
            f"- {os.cpu_count()} cores, Linux {platform.release()}, {WORKERS} workers; the client "
            "shares the cores with the service;",
            f"- capacity {soak.planned / LOAD:,.0f} requests/s; {soak.planned:,.0f} requests/s are "
            "sent, at fixed times;",
            f"- {mix};",
            "- latency is from the due time of a request to the end of its answer; each answer's "
            "status is checked, and its predictions are compared with the golden predictions.",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
