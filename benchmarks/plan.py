"""How right is make plan? Measure what it predicts: `make bench-plan`.

    python -m benchmarks.plan --folder .bench [--seconds 60] [--parts sleeping,capacity,dyno]

`make plan` measures a model and simulates the load. Here the same measurement and simulation
predict loads that the real service then gets. A run of all parts writes plan.md beside this file;
any other run writes it into the folder. Needs root on Linux: for real time, and for control groups,
where there are none for a throttle by signals.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from benchmarks.__main__ import parse_names
from benchmarks.cgroup import ControlGroups, find_control_groups
from benchmarks.environments import (
    COOKIECUTTER,
    EXAMPLE,
    PYTHON,
    Workshop,
    commit,
    run,
)
from benchmarks.load import wrk
from benchmarks.paced import Paced, paced
from benchmarks.plan_report import (
    CAPACITY_ROUNDS,
    CAPACITY_SECONDS,
    P95_SECONDS,
    SLEEP_SECONDS,
    CapacityResult,
    Case,
    CaseResult,
    DynoResult,
    HalfResult,
    Measured,
    head,
    report_capacities,
    report_cases,
    report_dynos,
    report_halves,
)
from benchmarks.report import publish
from benchmarks.throttle import Throttle
from workbench import files, heroku
from workbench.doctor.doctor import rows_to_predict
from workbench.doctor.findings import Result
from workbench.doctor.measure import Server, child_pids, serving
from workbench.plan.calibrate import CALLERS, Calibration, bodies, calibrate
from workbench.plan.load import http_request
from workbench.plan.simulate import Instance, Phase, percentile, simulate
from workbench.plan.sizes import MAX_REJECTED, Need, Sizing
from workbench.platforms.plans import Plan, plans_of

T = TypeVar("T")

HERE = Path(__file__).resolve().parent
PARTS = ("sleeping", "capacity", "dyno")
SERVE = ("gunicorn", "--config", "gunicorn.conf.py")
SEED = 16
SIMULATED_SECONDS = 1200.0
MODELS = (EXAMPLE, "forest")
WARM_UP = Phase(50, 4)  # the first requests of a worker take many times the CPU of later ones
# The load of the imitated dyno, as a share of the most that the plan takes as sure.
DYNO_LOADS = (0.4, 0.7, 0.99)
SURE_STEPS = 50
POST = """
wrk.method, wrk.body = "POST", [[{body}]]
wrk.headers["Content-Type"] = "application/json"
"""
MAKE_SLEEPER = """
import sys, joblib, sleeping
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
rows = [[0.0], [1.0], [2.0]]
model = make_pipeline(StandardScaler(), sleeping.Sleeper()).fit(rows, [0.0, 1.0, 2.0])
joblib.dump(model, sys.argv[1])
"""


CASES = (
    Case(1, True, 0.3),
    Case(1, True, 0.75),
    Case(1, True, 1.5),
    Case(1, True, 3.0),
    Case(2, True, 0.7),
    Case(2, True, 1.5),
    Case(4, True, 0.7),
    Case(1, True, 0.75, has_bursts=True),
    Case(1, False, 0.35),
    Case(1, False, 0.6),
    Case(1, False, 0.85),
    Case(2, False, 0.6),
)


def main() -> None:
    """Run the benchmark and write its report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60, help="for each load")
    parser.add_argument("--parts", default="", help=f"some of {', '.join(PARTS)}")
    options = parser.parse_args()
    parts = parse_names(options.parts, PARTS, PARTS)
    if sys.platform != "linux" or os.geteuid():
        raise SystemExit("The benchmark needs root on Linux; sudo make bench-plan")
    limits = find_control_groups() or Throttle()
    workshop = Workshop(options.folder.resolve())
    projects = {name: workshop.project(name) for name in MODELS if parts != ["sleeping"]}
    project = sleeper(workshop)
    text = [head(options.seconds, limits.priority)]
    with limits.entered():
        if "sleeping" in parts:
            with limits.real_time():
                cases = list(_shown(sleeping_cases(project, options.seconds)))
            text.append(report_cases(cases))
        if "capacity" in parts:
            capacities = (measure_capacity(*item) for item in projects.items())
            text.append(report_capacities(list(_shown(capacities))))
        if "dyno" in parts:
            found = [
                result
                for item in projects.items()
                for result in _shown(dyno_loads(*item, options.seconds / 2, limits))
            ]
            dynos = [result for result in found if isinstance(result, DynoResult)]
            halves = [result for result in found if isinstance(result, HalfResult)]
            text += [report_dynos(dynos, limits.limits), report_halves(halves)]
    page = "\n\n".join(text) + "\n"
    publish(page, "plan.md", workshop.folder, is_whole=set(parts) == set(PARTS))


def sleeper(workshop: Workshop) -> Path:
    """Return the verified project of the sleeping model."""
    folder = workshop.folder / "sleeping" / commit()
    project = folder / "sleeping"
    if not (project / files.GOLDEN).exists():
        folder.mkdir(parents=True, exist_ok=True)
        peers, model = HERE / "peers", folder / "model.joblib"
        run(sys.executable, "-c", MAKE_SLEEPER, str(model), folder=peers)
        answers = (
            *("project_name=Sleeping", f"python_version={PYTHON}", "features=x"),
            *(f"model_path={model}", f"model_code={peers / 'sleeping.py'}"),
        )
        run(*COOKIECUTTER, *answers, folder=folder)
    return project


def sleeping_cases(project: Path, seconds: float) -> Iterator[CaseResult]:
    """Predict and measure all cases."""
    rows = rows_to_predict(project, files.read_manifest(project))
    requests = [http_request("/predict", body) for body in bodies(rows, 1)]
    for batches in (True, False):
        with batching(project, batches):
            calibration = calibrate(project, rows, 1, CASES[0].load / SLEEP_SECONDS)
            for number, case in enumerate(CASES):
                if case.batches == batches:
                    with ready(project, case.workers) as server, connected(server) as client:
                        measured = send(client, requests, case.phases(seconds), number)
                    yield CaseResult(case, predicted_p95(calibration, case), measured)


@contextmanager
def batching(project: Path, batches: bool) -> Iterator[None]:
    """Let the service predict waiting requests together, or one by one."""
    path = project / files.GOLDEN
    before = path.read_text(encoding="utf-8")
    if not batches:  # as verify writes it if a row has another answer in a batch
        path.write_text(json.dumps({**json.loads(before), "tolerance": 1e-6}), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(before, encoding="utf-8")


@contextmanager
def ready(project: Path, workers: int) -> Iterator[Server]:
    """Serve a project until the block ends. Raises RuntimeError if it does not start."""
    with serving(project, SERVE, workers) as server:
        boot = server.wait_until_ready(heroku.BOOT_SECONDS)
        if isinstance(boot, Result):
            raise RuntimeError(f"{project}: {boot.found}")
        server.measure_memory(workers)  # it waits for all workers
        yield server


def predicted_p95(calibration: Calibration, case: Case) -> float:
    """Return the p95 of all phases together."""
    instance = Instance(case.workers, case.workers)
    outcomes = simulate(calibration.service(), instance, case.phases(SIMULATED_SECONDS))
    return percentile(sorted(s for found in outcomes for s in found.latencies), 0.95)


def connected(server: Server) -> closing[Paced]:
    """Return the client of a service as a context manager."""
    return paced(server.port, child_pids(server.process.pid))


def send(client: Paced, requests: Sequence[bytes], phases: Sequence[Phase], seed: int) -> Measured:
    """Send the requests of the phases at random to the workers."""
    rng = random.Random(f"{SEED} {seed}")
    moments: list[float] = []
    start = 0.0
    for phase in phases:
        now = rng.expovariate(phase.rate)
        while now < phase.seconds:
            moments.append(start + now)
            now += rng.expovariate(phase.rate)
        start += phase.seconds
    responses = client.run(requests, moments, rng)
    times = sorted(r.seconds for r in responses if r.status == HTTPStatus.OK)
    return Measured(percentile(times, 0.95), len(times), len(moments) - len(times))


def measure_capacity(model: str, project: Path) -> CapacityResult:
    """Compare the plan's requests a second with those of one worker and 32 callers."""
    rows = rows_to_predict(project, files.read_manifest(project))
    calibration = calibrate(project, rows, 1, 50)
    rounds: list[tuple[float, float]] = []
    with ready(project, 1) as server, TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        script.write_text(POST.format(body=bodies(rows, 1)[0].decode()), encoding="utf-8")
        url = f"http://127.0.0.1:{server.port}/predict"
        for _ in range(CAPACITY_ROUNDS):
            before, start = server.cpu_time().used, time.monotonic()
            rate = answers_a_second(url, script)
            share = (server.cpu_time().used - before) / (time.monotonic() - start)
            rounds.append((rate / min(share, 1), share))
    return CapacityResult(model, calibration.capacity, *max(rounds[1:]))


def answers_a_second(url: str, script: Path) -> float:
    """Return the rate of answers to 32 connections of wrk, which needs little CPU itself."""
    options = ["--threads=1", f"--connections={CALLERS}", f"--duration={CAPACITY_SECONDS}s"]
    command = [wrk(), *options, f"--script={script}", url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"^Requests/sec:\s+([\d.]+)", output, re.M)
    if found is None or "Non-2xx" in output:
        raise RuntimeError(f"wrk says {output!r}")
    return float(found[1])


def dyno_loads(
    model: str, project: Path, seconds: float, limits: ControlGroups | Throttle
) -> Iterator[DynoResult | HalfResult]:
    """Send loads to an imitated Basic dyno at its slowest and fastest."""
    rows = rows_to_predict(project, files.read_manifest(project))
    requests = [http_request("/predict", body) for body in bodies(rows, 1)]
    calibration = calibrate(project, rows, 1, 50)
    sizing = Sizing(Need(1, 1), calibration)
    (basic,) = (plan for plan in plans_of("heroku") if plan.name == "basic")
    workers, most = sizing.workers(basic), sizing.max_load

    def measured(cores: float, rate: float, seed: int) -> Measured:
        with ExitStack() as stack:
            with limits.starting(basic.megabytes):
                server = stack.enter_context(ready(project, workers))
            client = stack.enter_context(connected(server))
            send(client, requests, [WARM_UP], seed)
            pids = [server.process.pid, *child_pids(server.process.pid)]
            with limits.limited(pids, cores):
                return send(client, requests, [Phase(rate, seconds)], seed)

    for cores in basic.cpu:
        for number, share in enumerate(DYNO_LOADS):
            rate = share * most * calibration.capacity * cores
            figures = Sizing(Need(rate, 1), calibration).figures(workers, cores, 1)
            is_sure = figures.load <= most and figures.rejected_share <= MAX_REJECTED
            found = measured(cores, rate, number)
            yield DynoResult(model, cores, rate, figures, is_sure, found)
        rate = largest_sure_rate(calibration, replace(basic, cpu=(cores, cores)), workers)
        yield HalfResult(model, cores, rate, measured(cores, 2 * rate, len(DYNO_LOADS)))


def largest_sure_rate(calibration: Calibration, plan: Plan, workers: int) -> float:
    """Return the most requests a second for which the plan says that one instance is enough."""
    capacity = calibration.capacity * plan.cpu[0]
    for step in range(SURE_STEPS, 0, -1):
        rate = capacity * step / SURE_STEPS
        sizing = Sizing(Need(rate, P95_SECONDS), calibration)
        if sizing.option(plan, 1, workers).verdict == "enough":
            return rate
    raise RuntimeError(f"no load has a p95 of {P95_SECONDS} s on {plan.cpu[0]:.2f} of a core")


def _shown(results: Iterable[T]) -> Iterator[T]:
    """Print results while they come."""
    for result in results:
        print(result, flush=True)
        yield result


if __name__ == "__main__":
    main()
