"""Load at half of the capacity, with faults on the way: `make soak`.

    python -m benchmarks.soak --folder .bench [--minutes 60] [--model loan]

Serves the project of a model with its own Procfile and two workers, and finds how many requests
a second it answers together with this client. Then requests come at half of that rate, whether
those before are answered or not. A worker is killed on the way; at the end the service is told to
stop while the requests still come. Writes soak.md beside this file, or into the folder where it
was not an hour of the loan example; the exit status is 1 where a bound is missed.
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
from benchmarks.endings import workers
from benchmarks.environments import EXAMPLE, PYTHON, Workshop, clean, commit
from benchmarks.mix import PARTS, mixed, recorded
from benchmarks.report import MODELS
from benchmarks.servers import OURS, SERVERS, Running, ServerError, free_port, started
from benchmarks.verdict import ROWS, Interval, Killed, Soak, Stopped, checks, report

HERE = Path(__file__).resolve().parent
MINUTES, WORKERS = 60.0, 2
# Of the capacity: how much is asked.
PART = 1 / 2
# Requests at once while the capacity is found, and for how long.
AT_ONCE, MOST_BURST_SECONDS = 16, 10.0
# Who has waited so long has no answer; the service gives up after 20 s.
HANG_SECONDS = 30.0
# Part of the time after which a worker is killed: the second quarter begins with both of them warm.
KILL_AFTER = 1 / 8
# No worker lives longer after SIGKILL; a client hears by then of the requests that were with it.
HEARD_SECONDS = 1.0
# Load behind the measured time, before SIGTERM is sent.
LEAD_SECONDS = 0.5
SHOWN = 10
ERROR = re.compile(r"^level=(error|critical) ")


@dataclass
class Tally:
    """How requests ended, since the last interval."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    milliseconds: array[float] = field(default_factory=lambda: array("d"))


@dataclass
class Watch:
    """Hears of each request how it ended."""

    loop: asyncio.AbstractEventLoop
    tally: Tally = field(default_factory=Tally)
    ended: Counter[Outcome] = field(default_factory=Counter)
    # When those without an answer were sent, and when that was known.
    unanswered: list[tuple[float, float, Outcome]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __call__(self, sent: Sent, outcome: Outcome, text: str) -> None:
        now = self.loop.time()
        self.tally.outcomes[outcome] += 1
        self.ended[outcome] += 1
        if outcome in (Outcome.LOST, Outcome.REFUSED):
            self.unanswered.append((sent.at, now, outcome))
        elif outcome is not Outcome.BUSY:  # which is quick, and no answer
            self.tally.milliseconds.append(1e3 * (now - sent.due))
        if text and len(self.said) < SHOWN:
            self.said.append(f"{outcome}: {text}")

    def interval(self, seconds: float, memory: float) -> Interval:
        """Return what was heard since the last time."""
        tally, self.tally = self.tally, Tally()
        found = tally.outcomes
        # Of less than two answers there are no quantiles.
        times = tally.milliseconds if len(tally.milliseconds) > 1 else [0.0, 0.0]
        hundredths = quantiles(times, n=100)
        return Interval(
            seconds=seconds,
            requests=found.total(),
            wrong=found[Outcome.WRONG],
            busy=found[Outcome.BUSY],
            lost=found[Outcome.LOST] + found[Outcome.REFUSED],
            p50=hundredths[49],
            p99=hundredths[98],
            memory=memory,
        )


def main() -> int:
    """Soak, tell, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where all is built")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--model", default=EXAMPLE, choices=(EXAMPLE, *MODELS))
    options = parser.parse_args()
    # Whoever ends the run ends the service with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    workshop = Workshop(options.folder.resolve())
    folder = workshop.project(options.model)
    log = workshop.folder / "logs" / f"soak-{options.model}.log"
    soak, said = soaked(folder, log, 60 * options.minutes)
    text = f"{head(options.model, soak)}\n\n{report(soak)}\n"
    print(text, *said, sep="\n")
    whole = (options.model, options.minutes) == (EXAMPLE, MINUTES)
    file = (HERE if whole else workshop.folder) / "soak.md"
    file.write_text(text, encoding="utf-8")
    print(f"Written to {file}")
    return int(not all(check.reached for check in checks(soak)))


def soaked(
    project: Path, log: Path, seconds: float, part: float = PART, **variables: str
) -> tuple[Soak, list[str]]:
    """Serve a project and ask it for so long; return what was seen, and the first errors.

    A `part` of the capacity is asked.
    """
    rows, predictions = recorded(project)
    requests = mixed(rows, predictions)
    with serving(project, log, variables) as server:
        server.until_ready(rows[0])
        # The timers of select() have microseconds, those of epoll milliseconds.
        loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(_soak(server, requests, seconds, part))


@contextmanager
def serving(project: Path, log: Path, more: Mapping[str, str]) -> Iterator[Running]:
    """Run the command of the project's Procfile, as the platform does."""
    (line,) = (project / "Procfile").read_text(encoding="utf-8").splitlines()
    port = free_port()
    # How many threads a library has is for gunicorn.conf.py to say.
    kept = {name: value for name, value in clean().items() if not name.endswith("_NUM_THREADS")}
    variables = {
        **kept,
        **more,
        "PATH": f"{project / '.venv' / 'bin'}:{kept['PATH']}",
        "PORT": str(port),
        "WEB_CONCURRENCY": str(WORKERS),
    }
    words = shlex.split(line.removeprefix("web:"))
    with started(SERVERS[OURS], words, port, project, variables, log) as server:
        yield server


async def _soak(
    server: Running, requests: Sequence[Request], seconds: float, part: float
) -> tuple[Soak, list[str]]:
    loop = asyncio.get_running_loop()
    await _until_all_work(server)
    capacity = await _capacity(server, requests, min(MOST_BURST_SECONDS, seconds / 4))
    rate = part * capacity
    print(f"It answers {capacity:,.0f} requests a second; asking {rate:,.0f}.", flush=True)

    watch = Watch(loop)
    client = Client(server.port, watch)
    load = asyncio.create_task(_load(client, requests, rate))
    began = loop.time()
    killing = asyncio.create_task(_kill(server, client, watch, KILL_AFTER * seconds))
    intervals: list[Interval] = []
    length = min(60.0, seconds / ROWS)
    while (until := length * (len(intervals) + 1)) <= seconds + 1e-6:
        await asyncio.sleep(began + until - loop.time())
        client.give_up(HANG_SECONDS)
        memory = await asyncio.to_thread(server.memory)
        intervals.append(watch.interval(loop.time() - began, memory))
        print(_line(intervals[-1]), flush=True)
    killed = await killing
    await asyncio.sleep(LEAD_SECONDS)
    stopped = await _stop(server, client, watch, load)
    with server.log.open(encoding="utf-8", errors="replace") as log:
        log_errors = sum(ERROR.match(line) is not None for line in log)
    return Soak(rate, intervals, killed, stopped, log_errors), watch.said


def _line(interval: Interval) -> str:
    return (
        f"{interval.seconds:5.0f} s: {interval.requests} requests, {interval.wrong} wrong, "
        f"{interval.busy} busy, {interval.lost} lost, "
        f"p50 {interval.p50:.2f} ms, p99 {interval.p99:.2f} ms, {interval.memory / 1e6:.1f} MB"
    )


async def _until_all_work(server: Running) -> None:
    while len(workers(server)) < WORKERS:
        await asyncio.sleep(0.05)


async def _capacity(server: Running, requests: Sequence[Request], seconds: float) -> float:
    """Ask as fast as answers come, and return how many came a second. Raises ServerError."""
    loop = asyncio.get_running_loop()
    following = cycle(requests)
    answered, said, until = 0, "", loop.time() + seconds

    def again(_: Sent, outcome: Outcome, text: str) -> None:
        nonlocal answered, said
        answered += 1
        said = said or text
        if loop.time() < until:
            client.send(next(following))

    client = Client(server.port, again)
    # The first requests are to warm up.
    for part in (0.2, 0.8):
        answered, began = 0, loop.time()
        until = began + part * seconds
        for _ in range(AT_ONCE):
            client.send(next(following))
        while client.pending:
            await asyncio.sleep(0.01)
            client.give_up(HANG_SECONDS)
    rate = answered / (loop.time() - began)
    client.close()
    if said:
        raise ServerError(f"{server.server.title} answers {said}; see {server.log}")
    return rate


async def _load(client: Client, requests: Sequence[Request], rate: float) -> None:
    """Send requests at a fixed rate, for ever."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number, request in enumerate(cycle(requests)):
        due = began + number / rate
        if (wait := due - loop.time()) > 0:
            await asyncio.sleep(wait)
        elif not number % 100:
            await asyncio.sleep(0)  # late: answers must be read all the same
        client.send(request, due)


async def _kill(server: Running, client: Client, watch: Watch, after: float) -> Killed:
    """Kill a worker, and see who is lost with it and when there is another one."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(after)
    pid, in_flight, before = workers(server)[0], client.in_flight, loop.time()
    os.kill(pid, signal.SIGKILL)
    replaced = None
    while loop.time() < before + HANG_SECONDS and replaced is None:
        await asyncio.sleep(0.05)
        if pid not in (now := workers(server)) and len(now) == WORKERS:
            replaced = loop.time() - before
    # What was with the worker breaks when that ends, and is heard of when the client has a core.
    await asyncio.sleep(HEARD_SECONDS)
    until = before + HEARD_SECONDS
    lost = sum(at < until and known >= before for at, known, _ in watch.unanswered)
    return Killed(after, in_flight, lost, replaced)


async def _stop(server: Running, client: Client, watch: Watch, load: asyncio.Task[None]) -> Stopped:
    """Send SIGTERM while requests come, until the service is gone."""
    loop = asyncio.get_running_loop()
    in_flight, before = client.in_flight, loop.time()
    already = watch.ended.copy()
    first = len(watch.unanswered)
    server.process.send_signal(signal.SIGTERM)
    seconds = None
    while loop.time() < before + HANG_SECONDS and seconds is None:
        await asyncio.sleep(0.02)
        if server.process.poll() is not None:
            seconds = loop.time() - before
    load.cancel()
    with suppress(asyncio.CancelledError):
        await load
    while client.pending and seconds is not None:
        await asyncio.sleep(0.01)
    client.close()
    unanswered = watch.unanswered[first:]
    lost = sum(at <= before for at, _, _ in unanswered)
    ended = watch.ended - already
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
    """Say where, when and with what this was measured."""
    day = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    mix = ", ".join(f"{count} % {kind}" for kind, count in PARTS.items())
    done = sum(interval.requests for interval in soak.intervals)
    minutes = soak.intervals[-1].seconds / 60
    return "\n".join(
        (
            f"# {done:,} requests in {minutes:.0f} minutes, at half of the capacity\n",
            f"- written by `make soak MINUTES={minutes:.2g} MODEL={model}`: {day}, the template at "
            f"commit {commit()}, Python {PYTHON};",
            f"- {os.cpu_count()} cores, Linux {platform.release()}, {WORKERS} workers; the client "
            "shares the cores with the service;",
            f"- {soak.planned / PART:,.0f} requests a second are what both can do, "
            f"{soak.planned:,.0f} a second are sent, at fixed times;",
            f"- {mix};",
            "- times are from when a request is due to the end of its answer; every answer is held "
            "against its status and the recorded predictions.",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
