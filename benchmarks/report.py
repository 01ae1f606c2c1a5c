"""From what was measured to what is said: medians, ratios, and the tables of the README."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Start:
    """One start of a server alone: seconds from exec to the first answer, and bytes held."""

    ready: float
    memory: float


@dataclass(frozen=True)
class Measured:
    """All rounds: bursts by model, server and connections; starts by server."""

    bursts: Mapping[tuple[str, str, int], Sequence[Burst]]
    starts: Mapping[str, Sequence[Start]]

    def latency(self, model: str, server: str) -> float | None:
        """Return the seconds that half of the answers need at one connection, if measured."""
        found = self.bursts.get((model, server, CONNECTIONS[0]))
        return median(burst.latency for burst in found) if found else None

    def rate(self, model: str, server: str) -> float | None:
        """Return the answers a second at many connections, if measured."""
        found = self.bursts.get((model, server, CONNECTIONS[1]))
        return median(burst.rate for burst in found) if found else None

    def ready(self, server: str) -> float | None:
        """Return the seconds from exec to the first answer, if measured."""
        found = self.starts.get(server)
        return median(start.ready for start in found) if found else None

    def memory(self, server: str) -> float | None:
        """Return the bytes that a server holds, if measured."""
        found = self.starts.get(server)
        return median(start.memory for start in found) if found else None

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
    """A ratio that the service must reach, or must not exceed; None where it was not measured."""

    figure: str
    bound: float
    found: float | None
    most: bool = False

    @property
    def verdict(self) -> str:
        if self.found is None:
            return "not measured"
        reached = self.found <= self.bound if self.most else self.found >= self.bound
        return "reached" if reached else "**missed**"


def ratio(one: float | None, other: float | None) -> float | None:
    """Divide what was measured."""
    return None if one is None or other is None else one / other


def faster(measured: Measured, model: str) -> float | None:
    """Return how many times longer the quickest peer needs for one row."""
    peers = (measured.latency(model, peer) for peer in ALL_PEERS)
    best = min((found for found in peers if found is not None), default=None)
    return ratio(best, measured.latency(model, OURS))


def busier(measured: Measured, model: str) -> float | None:
    """Return how many times more answers than the busiest peer the service gives."""
    peers = (measured.rate(model, peer) for peer in ALL_PEERS)
    best = max((found for found in peers if found is not None), default=None)
    return ratio(measured.rate(model, OURS), best)


def goals(measured: Measured) -> list[Goal]:
    """Return what must be reached, and what was found."""
    echoed = ratio(measured.rate(STARTED, OURS), measured.rate(STARTED, ECHO))
    ready = ratio(measured.ready(OURS), measured.ready("fastapi"))
    memory = ratio(measured.memory(OURS), measured.memory("fastapi"))
    bounds = {"logistic": 10, "forest": 8, "hist": 8}
    latency = "p50 at 1 connection, best peer / ours"
    rate = "requests/s at 32 connections, ours / best peer"
    return [
        *(Goal(f"{latency}, {MODELS[m]}", b, faster(measured, m)) for m, b in bounds.items()),
        *(Goal(f"{rate}, {MODELS[m]}", 5, busier(measured, m)) for m in MODELS),
        Goal(f"requests/s, ours / Flask echo, {MODELS[STARTED]}", 0.7, echoed),
        Goal(f"exec to the first answer, ours / FastAPI, {MODELS[STARTED]}", 1, ready, most=True),
        Goal(f"memory with one worker, ours / FastAPI, {MODELS[STARTED]}", 1, memory, most=True),
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
        "### What must be reached",
        table(
            ["figure", "bound", "found", ""],
            [
                [
                    goal.figure,
                    f"{goal.bound:g} or {'less' if goal.most else 'more'}",
                    number(goal.found, 1, 2),
                    goal.verdict,
                ]
                for goal in goals(measured)
            ],
        ),
    ]
    return "\n\n".join(parts)


def number(value: float | None, scale: float, decimals: int) -> str:
    """Write a number, or a dash for what was not measured."""
    return "-" if value is None else f"{value * scale:,.{decimals}f}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, its numbers to the right."""
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))
