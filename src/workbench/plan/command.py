"""make plan: read its options, measure, simulate, report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from workbench import files, heroku
from workbench.doctor.doctor import rows_to_predict
from workbench.errors import UserError
from workbench.plan.calibrate import bodies, calibrate
from workbench.plan.costs import costs
from workbench.plan.deployed import measure_deployed, narrowed
from workbench.plan.jobs import plan_jobs
from workbench.plan.report import Report
from workbench.plan.sizes import Need, Sizing, cheapest
from workbench.platforms.plans import databases_of, plans_of, read_plans

HEROKU = "heroku"


@dataclass(frozen=True)
class Number:
    """What an option may be; without a default it is required."""

    low: float
    high: float
    meaning: str
    default: str = ""
    kind: str = "number"

    def holds(self, value: float) -> bool:
        """Return whether the option may have this value; NaN is none."""
        is_whole = self.kind != "whole number" or value == math.floor(value)
        return self.low <= value <= self.high and is_whole


NUMBERS = {
    "RPS": Number(0.001, 1e6, "requests a second: RPS=50"),
    "P95": Number(0.1, 1e5, "milliseconds for 95 % of the requests: P95=200"),
    "PEAK": Number(1, 1000, "the busiest minute, in times of RPS: PEAK=3", "1"),
    "HOURS": Number(0.1, 24, "hours a day with requests: HOURS=10", "24"),
    "ROWS": Number(1, 1000, "rows in a request: ROWS=1", "1", "whole number"),
    "JOBS": Number(0, 100, "worker dynos for /jobs: JOBS=1", "0", "whole number"),
}


def plan(project: Path, options: Mapping[str, str], key: str | None = None) -> Report:
    """Measure the model of a project and plan its capacity. Raises UserError."""
    need = read_need(options)
    app = heroku.parse_app(files.read_if_present(project / "app.json")) or heroku.App()
    rows = rows_to_predict(project, files.read_manifest(project))
    calibration = calibrate(project, rows, need.rows, need.rps)
    several = need.job_workers > 1  # Basic has one dyno of a kind
    dynos = tuple(p for p in plans_of(HEROKU) if p.sleeps is None and (p.scales or not several))
    deployed = None
    if url := options.get("URL"):
        deployed = measure_deployed(url, key, bodies(rows, need.rows))
        dynos = narrowed(dynos, app.size.lower(), deployed.cores(calibration))
    sizing = Sizing(need, calibration)
    found = [option for dyno in dynos for option in sizing.options(dyno, app.concurrency)]
    best = cheapest(found)
    jobs = None
    if best is not None and need.job_workers:
        jobs = plan_jobs(sizing, best, dynos, databases_of(HEROKU))
    return Report(
        need=need,
        calibration=calibration,
        options=found,
        best=best,
        jobs=jobs,
        costs=costs(sizing, (plan for plan in read_plans() if plan.platform != HEROKU)),
        max_load=sizing.max_load,
        deployed=deployed,
        today=date.today(),
    )


def read_need(options: Mapping[str, str]) -> Need:
    """Read RPS, P95 in milliseconds and the others. Raises UserError with all problems."""
    values = {name: _value(options.get(name, number.default)) for name, number in NUMBERS.items()}
    problems = [
        f"{name}={options.get(name, '')!r} is no {number.kind} from {number.low:g} to "
        f"{number.high:g}; {number.meaning}"
        for name, number in NUMBERS.items()
        if not number.holds(values[name])
    ]
    if problems:
        raise UserError(problems, ("For example:", "make plan RPS=50 P95=200"))
    return Need(
        rps=values["RPS"],
        p95_seconds=values["P95"] / 1000,
        peak=values["PEAK"],
        hours=values["HOURS"],
        rows=int(values["ROWS"]),
        job_workers=int(values["JOBS"]),
    )


def _value(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
