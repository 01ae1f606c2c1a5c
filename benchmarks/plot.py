"""The plot of the report: the median latency of each server and model on a logarithmic scale."""

from __future__ import annotations

from html import escape
from math import floor, log10

from benchmarks.report import MODELS, Measured
from benchmarks.servers import OURS, SERVERS

WIDTH, LEFT, RIGHT, TOP, ROW = 760, 170, 20, 50, 40
COLOURS = {
    "ours": "#0b6e4f",
    "echo": "#9a9a9a",
    "fastapi": "#0072b2",
    "bentoml": "#d55e00",
    "mlserver": "#cc79a7",
    "flask": "#e69f00",
    "litserve": "#56b4e9",
    "mlflow": "#8c564b",
    "vetiver": "#555555",
}


def plot(measured: Measured) -> str:
    """Return the SVG."""
    points = [
        (row, server, 1e3 * latency)
        for row, model in enumerate(measured.models())
        for server in measured.servers()
        if (latency := measured.latency(model, server)) is not None
    ]
    if not points:
        raise ValueError("nothing was measured at one connection")
    lowest, highest = (limit(value for *_, value in points) for limit in (min, max))
    first, last = floor(log10(lowest)), floor(log10(highest)) + 1
    bottom = TOP + ROW * len(measured.models())

    def x_of(milliseconds: float) -> float:
        share = (log10(milliseconds) - first) / (last - first)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 45}" '
        'font-family="sans-serif" font-size="13">',
        "<title>Median time of one row at one connection, in milliseconds</title>",
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for power in range(first, last + 1):
        x = x_of(10.0**power)
        parts.append(f'<path d="M{x} {TOP}V{bottom}" stroke="#ddd"/>')
        parts.append(f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{10.0**power:g}</text>')
    parts.append(
        f'<text x="{(LEFT + WIDTH) / 2}" y="{bottom + 36}" text-anchor="middle">'
        "milliseconds for one row, median, 1 connection (logarithmic)</text>"
    )
    for row, model in enumerate(measured.models()):
        y = TOP + ROW * (row + 0.5)
        name = escape(MODELS[model])
        parts.append(f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{name}</text>')
        parts.append(f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#eee"/>')
    for row, server, milliseconds in points:
        radius = 7 if server == OURS else 5
        centre = f'cx="{x_of(milliseconds)}" cy="{TOP + ROW * (row + 0.5)}"'
        parts.append(
            f'<circle {centre} r="{radius}" fill="{COLOURS[server]}" fill-opacity="0.85"/>'
        )
    x, y = 12.0, 16
    for server in measured.servers():
        title = SERVERS[server].title
        width = 30 + 7.2 * len(title)
        if x + width > WIDTH:
            x, y = 12.0, y + 20
        parts.append(f'<circle cx="{x:.1f}" cy="{y}" r="5" fill="{COLOURS[server]}"/>')
        parts.append(f'<text x="{x + 9:.1f}" y="{y + 4}">{escape(title)}</text>')
        x += width
    return "\n".join([*parts, "</svg>", ""])
