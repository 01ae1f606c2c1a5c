"""Many rows at once, beside pandas and the model itself: `make bench-bulk`, or a part of it.

    python -m benchmarks.bulk --folder .bench [--models logistic,forest] [--rounds 5]

Both answer the same file in turn, round after round. All of the models write bulk.md beside this
file; a part writes it into the folder.
"""

from __future__ import annotations

import argparse
import csv
import http.client
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from benchmarks.__main__ import named
from benchmarks.environments import LIBRARIES, PYTHON, Workshop, clean, commit
from benchmarks.report import number, table
from benchmarks.servers import OURS, PEERS_FOLDER, Asked, Running, ServerError, running

HERE = Path(__file__).resolve().parent
# By name: the model of train.py, and whether its plan serves.
MODELS = {
    "logistic": ("logistic", True),
    "logistic-native": ("logistic", False),
    "forest": ("forest", True),
    "hist": ("hist", True),
}
TITLES = {
    "logistic": "logistic regression",
    "logistic-native": "logistic regression, no plan",
    "forest": "random forest",
    "hist": "HistGradientBoosting",
}
CSV_ROWS, JSON_ROWS = 100_000, 10_000
KINDS = {"csv": "text/csv", "json": "application/json"}
# The goal: a CSV in at most so many times the time of pandas.
MOST = 2.0
ABOUT = """\
Written by `make bench-bulk`. The service runs as a project runs it, with one worker. Pandas is
`read_csv`, `predict_proba` and `to_csv` (of JSON `json.loads`, a frame and `json.dumps`) in a
process that is warm. The service checks every cell, answers classes beside probabilities, and holds
a part of the file at a time. Its CPU time is that of all its processes, with the transport."""
LIMITS = {"MAX_JSON_ROWS": str(JSON_ROWS), "MAX_JSON_BYTES": str(1 << 24)}


@dataclass(frozen=True)
class Round:
    """Seconds of CPU and of the clock for one file, ours and pandas'."""

    cpu: tuple[float, float]
    clock: tuple[float, float]


@dataclass(frozen=True)
class Files:
    """The bodies, and what pandas answers to the CSV."""

    csv: Path
    json: Path
    output: Path


def main() -> None:
    """Measure what is asked for, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where all is built")
    parser.add_argument("--models", default="", help=f"of {', '.join(MODELS)}")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    models = named(options.models, tuple(MODELS), tuple(MODELS))
    workshop = Workshop(options.folder.resolve())
    folder = workshop.folder / "bulk"
    folder.mkdir(parents=True, exist_ok=True)
    files = Files(folder / "rows.csv", folder / "rows.json", folder / "pandas.csv")
    found = {name: measure(name, workshop, files, options.rounds) for name in models}
    text = report(found, options.rounds)
    print(text)
    place = HERE if set(models) == set(MODELS) else workshop.folder
    (place / "bulk.md").write_text(text, encoding="utf-8")
    print(f"Written to {place / 'bulk.md'}")


def measure(name: str, workshop: Workshop, files: Files, rounds: int) -> dict[str, list[Round]]:
    """Let both answer each kind of body in turn; the first round is to warm up."""
    model, planned = MODELS[name]
    limits = dict(LIMITS)
    if not planned:
        limits["MODEL_DIR"] = str(without_plan(workshop, model))
    asked = Asked.read(workshop.models() / model)
    found: dict[str, list[Round]] = {kind: [] for kind in KINDS}
    with peer(workshop, model, files) as pandas, running(OURS, model, workshop, limits) as ours:
        ours.until_ready(asked.rows[0])
        for turn in range(rounds + 1):
            print(f"{name}: round {turn} of {rounds}", flush=True)
            for kind, content_type in KINDS.items():
                his_cpu, his_clock = ask(pandas, kind)
                body = (files.csv if kind == "csv" else files.json).read_bytes()
                cpu, clock = ours.cpu(), time.perf_counter()
                answer = post(ours, body, content_type)
                cpu, clock = ours.cpu() - cpu, time.perf_counter() - clock
                if turn:
                    found[kind].append(Round((cpu, his_cpu), (clock, his_clock)))
                elif kind == "csv":
                    compare(answer.decode(), files.output.read_text(encoding="utf-8"))
    return found


def without_plan(workshop: Workshop, model: str) -> Path:
    """Return a copy of a project's model that its own methods serve."""
    copied = workshop.folder / "bulk" / f"{model}-native"
    shutil.rmtree(copied, ignore_errors=True)
    shutil.copytree(workshop.project(model) / "model", copied)
    path = copied / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["plan"] = {"serves": "native", "reason": "The benchmark asks for it."}
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return copied


@contextmanager
def peer(workshop: Workshop, model: str, files: Files) -> Iterator[subprocess.Popen[str]]:
    """Start pandas and the model in a process that answers a file when it is told to."""
    python = workshop.environment("train") / "bin" / "python"
    script, saved = PEERS_FOLDER / "bulk_pandas.py", workshop.models() / model / "model.joblib"
    words = (python, script, saved, files.csv, CSV_ROWS, files.json, JSON_ROWS, files.output)
    process = subprocess.Popen(
        list(map(str, words)),
        env=clean(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ask(pandas: subprocess.Popen[str], kind: str) -> tuple[float, float]:
    """Return the seconds of CPU and of the clock that pandas needs for a file."""
    assert pandas.stdin is not None
    assert pandas.stdout is not None
    pandas.stdin.write(f"{kind}\n")
    pandas.stdin.flush()
    cpu, clock = json.loads(pandas.stdout.readline())
    return cpu, clock


def post(ours: Running, body: bytes, kind: str) -> bytes:
    """Return the whole answer of the service. Raises ServerError."""
    connection = http.client.HTTPConnection("127.0.0.1", ours.port, timeout=120)
    try:
        connection.request("POST", ours.server.path, body, {"Content-Type": kind})
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if response.status != http.HTTPStatus.OK:
        raise ServerError(f"{response.status}: {answer[:500]!r}")
    return answer


def compare(ours: str, pandas: str) -> None:
    """Hold every probability of an answer against pandas'. Raises ServerError."""
    pairs = zip(*(csv.DictReader(text.splitlines()) for text in (ours, pandas)), strict=True)
    for line, (one, other) in enumerate(pairs, start=2):
        for name in filter(lambda name: name.startswith("probability_"), other):
            if abs(float(one[name]) - float(other[name])) > 1e-9:
                raise ServerError(f"line {line}: {name} is {one[name]}, not {other[name]}")


def report(found: dict[str, dict[str, list[Round]]], rounds: int) -> str:
    """Return what is written: where it was measured, and a table for each kind of body."""
    day = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    goal = f"The goal is a CSV in at most {MOST:g} times the CPU time of pandas."
    parts = [
        "# Many rows at once",
        ABOUT,
        f"- {day}, the template at commit {commit()}, Python {PYTHON}, {LIBRARIES[6]};\n"
        f"- medians of {rounds} rounds in turn; load average {os.getloadavg()[0]:.1f} at the end.",
        f"## {CSV_ROWS:,} loans as CSV",
        in_table({name: kinds["csv"] for name, kinds in found.items()}, goal=True),
        goal,
        f"## {JSON_ROWS:,} loans as JSON `rows`",
        in_table({name: kinds["json"] for name, kinds in found.items()}),
    ]
    return "\n\n".join(parts) + "\n"


def in_table(found: dict[str, Sequence[Round]], *, goal: bool = False) -> str:
    """Return a line a model: medians of the seconds, and of the ratios round by round."""
    header = ["model", "CPU, s", "pandas, s", "ratio", "lowest to highest", "ratio of the clock"]
    lines = []
    for name, rounds in found.items():
        ratios = [one.cpu[0] / one.cpu[1] for one in rounds]
        clocks = median(one.clock[0] / one.clock[1] for one in rounds)
        verdict = ("reached" if median(ratios) <= MOST else "**missed**") if goal else ""
        lines.append(
            [
                TITLES[name],
                *(number(median(one.cpu[n] for one in rounds), 1, 2) for n in (0, 1)),
                number(median(ratios), 1, 2),
                f"{min(ratios):.2f} to {max(ratios):.2f}",
                number(clocks, 1, 2),
                *([verdict] if goal else []),
            ]
        )
    return table([*header, *([""] if goal else [])], lines)


if __name__ == "__main__":
    main()
