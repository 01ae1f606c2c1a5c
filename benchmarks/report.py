"""The report of `make bench`: medians, ratios and the tables of README.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.load import Burst
from benchmarks.servers import ALL_PEERS, ECHO, OURS, SERVERS

CONNECTIONS = (1, 32)
MODELS = {
    "logistic": "logistic regression",
    "forest": "random forest",
    "hist": "HistGradientBoosting",
    "xgboost": "XGBoost",
    "lightgbm": "LightGBM",
    "text": "text",
}
STARTED = "logistic"


def publish(text: str, name: str, folder: Path, *, is_whole: bool) -> None:
    """Print a page and write it: that of a whole run beside this file, else into the folder."""
    print(text)
    file = (Path(__file__).resolve().parent if is_whole else folder) / name
    file.write_text(text, encoding="utf-8")
    print(f"Written to {file}")


@dataclass(frozen=True)
class Start:
    """One start of a server without other servers."""

    ready: float  # seconds from exec to the first answer
    memory: float  # bytes


@dataclass(frozen=True)
class Measured:
    """The results of all rounds: bursts by model, server and connections, starts by server."""

    bursts: Mapping[tuple[str, str, int], Sequence[Burst]]
    starts: Mapping[str, Sequence[Start]]

    def latency(self, model: str, server: str) -> float | None:
        """Return the median latency at one connection in seconds, if it was measured."""
        bursts = self.bursts.get((model, server, CONNECTIONS[0]))
        return median(burst.latency for burst in bursts) if bursts else None

    def rate(self, model: str, server: str) -> float | None:
        """Return the requests per second at 32 connections, if they were measured."""
        bursts = self.bursts.get((model, server, CONNECTIONS[1]))
        return median(burst.rate for burst in bursts) if bursts else None

    def ready(self, server: str) -> float | None:
        """Return the seconds from exec to the first answer, if they were measured."""
        starts = self.starts.get(server)
        return median(start.ready for start in starts) if starts else None

    def memory(self, server: str) -> float | None:
        """Return the memory of a server in bytes, if it was measured."""
        starts = self.starts.get(server)
        return median(start.memory for start in starts) if starts else None

    def models(self) -> list[str]:
        """Return the models that were measured, in the order of the tables."""
        found = {model for model, _, _ in self.bursts}
        return [model for model in MODELS if model in found]

    def servers(self) -> list[str]:
        """Return the servers that were measured, in the order of the tables."""
        found = {server for _, server, _ in self.bursts}
        return [server for server in SERVERS if server in found]


@dataclass(frozen=True)
class Goal:
    """A ratio and the bound that it must reach, or must not exceed if `is_upper_bound`."""

    figure: str
    bound: float
    found: float | None  # None: it was not measured
    is_upper_bound: bool = False

    @property
    def verdict(self) -> str:
        if self.found is None:
            return "not measured"
        reached = self.found <= self.bound if self.is_upper_bound else self.found >= self.bound
        return "reached" if reached else "**missed**"


def ratio(one: float | None, other: float | None) -> float | None:
    """Return one / other, or None if one of them was not measured."""
    return None if one is None or other is None else one / other


def latency_ratio(measured: Measured, model: str) -> float | None:
    """Return the latency of the fastest peer divided by ours."""
    peers = (measured.latency(model, peer) for peer in ALL_PEERS)
    best = min((found for found in peers if found is not None), default=None)
    return ratio(best, measured.latency(model, OURS))


def throughput_ratio(measured: Measured, model: str) -> float | None:
    """Return our throughput divided by that of the best peer."""
    peers = (measured.rate(model, peer) for peer in ALL_PEERS)
    best = max((found for found in peers if found is not None), default=None)
    return ratio(measured.rate(model, OURS), best)


def goals(measured: Measured) -> list[Goal]:
    """Return the goals with the ratios that were measured."""
    echo = ratio(measured.rate(STARTED, OURS), measured.rate(STARTED, ECHO))
    ready = ratio(measured.ready(OURS), measured.ready("fastapi"))
    memory = ratio(measured.memory(OURS), measured.memory("fastapi"))
    latencies = {"logistic": 10, "forest": 8, "hist": 8}
    # Most of a row of these two is the model's own time, on each server.
    rates = dict.fromkeys(MODELS, 5) | {"xgboost": 3, "text": 3}
    latency = "p50 at 1 connection, best peer / ours"
    rate = "requests/s at 32 connections, ours / best peer"
    return [
        *(
            Goal(f"{latency}, {MODELS[m]}", b, latency_ratio(measured, m))
            for m, b in latencies.items()
        ),
        *(Goal(f"{rate}, {MODELS[m]}", b, throughput_ratio(measured, m)) for m, b in rates.items()),
        Goal(f"requests/s, ours / Flask echo, {MODELS[STARTED]}", 0.7, echo),
        Goal(
            f"exec to the first answer, ours / FastAPI, {MODELS[STARTED]}",
            1,
            ready,
            is_upper_bound=True,
        ),
        Goal(
            f"memory with one worker, ours / FastAPI, {MODELS[STARTED]}",
            1,
            memory,
            is_upper_bound=True,
        ),
    ]


def report(measured: Measured) -> str:
    """Return the tables in Markdown."""
    models, servers = measured.models(), measured.servers()
    titles = [MODELS[model] for model in models]
    parts = [
        "### p50 at 1 connection, ms",
        table(
            ["server", *titles],
            [
                [SERVERS[s].title, *(number(measured.latency(m, s), 1e3, 2) for m in models)]
                for s in servers
            ],
        ),
        "### Requests a second at 32 connections",
        table(
            ["server", *titles],
            [
                [SERVERS[s].title, *(number(measured.rate(m, s), 1, 0) for m in models)]
                for s in servers
            ],
        ),
        f"### Start and memory with one worker, {MODELS[STARTED]}",
        table(
            ["server", "exec to the first answer, s", "memory (PSS), MB"],
            [
                [
                    SERVERS[s].title,
                    number(measured.ready(s), 1, 2),
                    number(measured.memory(s), 1e-6, 0),
                ]
                for s in measured.starts
            ],
        ),
        "### Goals",
        table(
            ["figure", "bound", "found", ""],
            [
                [
                    goal.figure,
                    f"{goal.bound:g} or {'less' if goal.is_upper_bound else 'more'}",
                    number(goal.found, 1, 2),
                    goal.verdict,
                ]
                for goal in goals(measured)
            ],
        ),
    ]
    return "\n\n".join(parts)


def number(value: float | None, scale: float, decimals: int) -> str:
    """Return a scaled number as text, or a dash for None."""
    return "-" if value is None else f"{value * scale:,.{decimals}f}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; all columns but the first are aligned right."""
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))
