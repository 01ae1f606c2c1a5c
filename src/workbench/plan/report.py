"""The plan as plain text of at most 100 columns, or as JSON."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date

from workbench.plan.calibrate import Calibration
from workbench.plan.costs import Cost
from workbench.plan.deployed import Deployed
from workbench.plan.jobs import JobsPlan
from workbench.plan.sizes import Figures, Need, Option
from workbench.platforms.plans import MAX_AGE_MONTHS, Priced

WIDTH = 100
BUSY_MACHINE = 1.0
# Options that cost more than so many times the cheapest are left out of the text.
MAX_MULTIPLE = 8


@dataclass(frozen=True)
class Report:
    """All that a plan found out."""

    need: Need
    calibration: Calibration
    options: Sequence[Option]
    best: Option | None
    jobs: JobsPlan | None
    costs: Sequence[Cost]
    max_load: float
    deployed: Deployed | None
    today: date

    def to_json(self) -> str:
        """Return the report for other programs; a time that does not end is null."""
        document = {
            "need": asdict(self.need),
            "measured": {
                "rows": self.calibration.rows,
                "boot_seconds": self.calibration.boot_seconds,
                "megabytes_1_worker": self.calibration.memory.megabytes(1),
                "alone_p50_seconds": self.calibration.alone_percentile(0.5),
                "alone_p95_seconds": self.calibration.alone_percentile(0.95),
                "busy_seconds": self.calibration.busy_seconds,
                "busy_is_cpu": self.calibration.is_cpu,
                "machine_load": self.calibration.machine_load,
            },
            "deployed": None if self.deployed is None else asdict(self.deployed),
            "options": [_document(option) for option in self.options],
            "cheapest": None if self.best is None else _document(self.best),
            "jobs": None
            if self.jobs is None
            else {**asdict(self.jobs), "dollars": self.jobs.dollars},
            "platforms": [
                {**asdict(cost), "option": _document(cost.option)} for cost in self.costs
            ],
            "warnings": self._warnings(),
            "unknown": self._unknown(),
        }
        return json.dumps(_finite(document), indent=1, default=str)

    def text(self) -> str:
        """Return the report for people."""
        lines = [*self._head(), "", *_columns(self._sizes()), "", *self._result(), *self._jobs()]
        if self.costs:
            lines += ["", *_columns(self._platforms()), *self._dates()]
        notes = [f"Warning: {text}" for text in self._warnings()]
        notes += [f"Not known: {text}" for text in self._unknown()]
        return "\n".join([*lines, "", *(line for note in notes for line in _wrap(note))])

    def _head(self) -> Iterator[str]:
        need, found = self.need, self.calibration
        peak = f", {need.peak_rps:g}/s at the peak" if need.peak > 1 else ""
        rows = f" of {need.rows} rows" if need.rows > 1 else ""
        kind = "of CPU" if found.is_cpu else "(wall time)"
        yield from _wrap(
            f"{need.rps:g} requests/s{rows}{peak}, p95 within {1000 * need.p95_seconds:g} ms"
        )
        yield from _wrap(
            f"Measured here, one worker: {_ms(found.busy_seconds)} {kind} a request among many, "
            f"{found.capacity:,.0f} requests/s on a core; alone p50 "
            f"{_ms(found.alone_percentile(0.5))}, p95 {_ms(found.alone_percentile(0.95))} "
            f"({len(found.alone)} requests at {found.rate:.3g}/s); "
            f"{found.memory.megabytes(1):.0f} MB; boot {found.boot_seconds:.1f} s."
        )
        if (there := self.deployed) is not None:
            low, high = there.cores(found)
            yield from _wrap(
                f"Measured at the URL: {there.throughput:,.0f} requests/s with 8 callers, alone "
                f"p50 {_ms(there.alone[len(there.alone) // 2])}, of which the network "
                f"{_ms(there.network)}: {low:.2g} to {high:.2g} cores."
            )

    def _sizes(self) -> Iterator[tuple[str, ...]]:
        yield ("size", "workers", "load", "p50 ms", "p95 ms", "p99 ms", "a month", "")
        for option in self._affordable():
            fast, slow = option.fast, option.slow
            mark = ", cheapest" if option is self.best else ""
            figures = (
                ("", "", "", "")
                if not option.workers
                else (
                    _range(_percent(fast.load), _percent(slow.load)),
                    *(_range(*map(_milliseconds, pair)) for pair in _latencies(fast, slow)),
                )
            )
            name = f"{option.plan.name} x {option.count}"
            workers = str(option.workers or "")
            price = _dollars(option.dollars)
            yield (name, workers, *figures, price, option.verdict + mark)

    def _affordable(self) -> list[Option]:
        """Return the options without those that cost a multiple of the cheapest; JSON has all."""
        if self.best is None:
            return list(self.options)
        limit = MAX_MULTIPLE * (self.best.dollars or 0)
        return [option for option in self.options if (option.dollars or 0) <= limit]

    def _result(self) -> Iterator[str]:
        if self.best is not None:
            plan, count = self.best.plan, self.best.count
            yield from _wrap(
                f"heroku ps:scale web={count}:{plan.name}; "
                f"heroku config:set WEB_CONCURRENCY={self.best.workers}"
            )
            if count == 1:
                yield from _wrap(
                    "A dyno is restarted daily; a single one does not answer meanwhile, for at "
                    f"least the boot of {self.calibration.boot_seconds:.1f} s."
                )
            return
        if self.calibration.alone_percentile(0.95) > self.need.p95_seconds:
            yield from _wrap(
                "No size is certain to be enough: a whole core answers a request alone in "
                f"{_ms(self.calibration.alone_percentile(0.95))} (p95). Raise P95, send fewer "
                "rows a request, or retrain a quicker model."
            )
            return
        yield from _wrap(
            "No size is certain to be enough. Raise P95, or split the callers among several apps."
        )

    def _jobs(self) -> Iterator[str]:
        if (jobs := self.jobs) is None or self.best is None:
            return
        if jobs.dyno is None or jobs.database is None or jobs.dollars is None:
            yield from _wrap(
                f"Jobs: no size holds a worker, or none has {jobs.connections} connections."
            )
            return
        total = jobs.dollars + (self.best.dollars or 0)
        yield from _wrap(
            f"Jobs: heroku ps:scale worker={jobs.workers}:{jobs.dyno.name} "
            f"({_dollars(jobs.workers * jobs.dyno.dollars)}); heroku addons:create "
            f"{jobs.database.name} ({_dollars(jobs.database.dollars)}), {jobs.connections} of its "
            f"{jobs.database.connections} connections. With the web dynos: {_dollars(total)}."
        )

    def _platforms(self) -> Iterator[tuple[str, ...]]:
        yield ("platform", "best plan", "a month", "1 M rows", "first caller", "")
        for cost in self.costs:
            option = cost.option
            waits = cost.first_caller_seconds
            yield (
                option.plan.platform,
                f"{option.plan.name} x {option.count}",
                _dollars(cost.dollars),
                _dollars(cost.million_rows),
                "no wait" if waits is None else f"{waits:.0f} s or more",
                option.verdict,
            )

    def _dates(self) -> Iterator[str]:
        dates = sorted(cost.option.plan.date for cost in self.costs)
        yield from _wrap(f"Prices of {dates[0]} to {dates[-1]}, without taxes and traffic.")

    def _warnings(self) -> list[str]:
        found = [
            f"the price of {plan.platform} {plan.name} is of {plan.date}, over {MAX_AGE_MONTHS} "
            f"months ago: look at {plan.source}"
            for plan in self._plans()
            if plan.is_outdated(self.today)
        ]
        load = self.calibration.machine_load
        if load is not None and load > BUSY_MACHINE:
            found.append(
                f"this machine had {load:.1f} busy processes a core before the measurement; "
                "times without them are estimated then. Measure on a quiet machine."
            )
        return found

    def _unknown(self) -> list[str]:
        found = [
            "the network, and other models than this one with these rows",
            "a core of a dedicated plan is taken to be as fast as one here",
        ]
        if self.deployed is None:
            found.insert(
                0,
                "the CPU of a shared plan: the ranges are its published slowest and fastest "
                "share. After a push to the smallest, make plan with URL=https://… measures it",
            )
        return found

    def _plans(self) -> list[Priced]:
        plans: list[Priced] = [option.plan for option in self.options]
        if self.jobs is not None and self.jobs.database is not None:
            plans.append(self.jobs.database)
        return plans + [c.option.plan for c in self.costs if c.option.plan not in plans]


def _document(option: Option) -> dict[str, object]:
    return {**asdict(option), "dollars": option.dollars}


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {name: _finite(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(member) for member in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _latencies(fast: Figures, slow: Figures) -> Iterator[tuple[float, float]]:
    yield fast.p50, slow.p50
    yield fast.p95, slow.p95
    yield fast.p99, slow.p99


def _percent(load: float) -> str:
    return f"{100 * load:.{0 if load >= 0.1 else 1}f}%" if load < 1 else "over"


def _milliseconds(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "over"
    if seconds >= 1:
        return f"{seconds:.{0 if seconds >= 10 else 1}f}s"
    return f"{1000 * seconds:.{0 if seconds >= 0.01 else 1}f}"


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low}…{high}"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{seconds:,.1f} s"


def _dollars(amount: float | None) -> str:
    if amount is None:
        return "-"
    return f"${amount:,.0f}" if amount >= 100 or amount == int(amount) else f"${amount:,.3g}"


def _columns(rows: Iterator[tuple[str, ...]]) -> list[str]:
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
