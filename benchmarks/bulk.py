"""Compare large CSV and JSON requests with pandas and the model itself: `make bench-bulk`.

    python -m benchmarks.bulk --folder .bench [--models logistic,forest] [--rounds 5]

In each round both predict the same file, one after the other. A run of all models writes bulk.md
beside this file; any other run writes it into the folder.
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
from pathlib import Path
from statistics import median

from benchmarks.__main__ import parse_names
from benchmarks.environments import (
    LIBRARIES,
    PYTHON,
    Workshop,
    clean_environment,
    describe_run,
    switch_off_fast_path,
)
from benchmarks.report import number, publish, table
from benchmarks.servers import OURS, PEERS_FOLDER, BenchmarkRows, Running, ServerError, running

# The model of train.py, and whether its fast path serves it, by name.
MODELS = {
    "logistic": ("logistic", True),
    "logistic-native": ("logistic", False),
    "forest": ("forest", True),
    "hist": ("hist", True),
}
TITLES = {
    "logistic": "logistic regression",
    "logistic-native": "logistic regression, no fast path",
    "forest": "random forest",
    "hist": "HistGradientBoosting",
}
CSV_ROWS, JSON_ROWS = 100_000, 10_000
KINDS = {"csv": "text/csv", "json": "application/json"}
# The goal: the CPU time for a CSV, as a multiple of that of pandas.
MAX_CPU_RATIO = 2.0
ABOUT = """\
Written by `make bench-bulk`. The service runs as in a project, with one worker. "pandas" is
`read_csv`, `predict_proba` and `to_csv` (for JSON `json.loads`, a frame and `json.dumps`) in a
process that is warmed up. The service validates every cell, returns classes and probabilities, and
holds one chunk of the file at a time. Its CPU time includes all its processes and the transport."""
LIMITS = {"MAX_JSON_ROWS": str(JSON_ROWS), "MAX_JSON_BYTES": str(1 << 24)}


@dataclass(frozen=True)
class Round:
    """Seconds for one file: CPU time and wall-clock time, each of the service and of pandas."""

    cpu: tuple[float, float]
    clock: tuple[float, float]


@dataclass(frozen=True)
class Files:
    """The request bodies, and the CSV that pandas writes."""

    csv: Path
    json: Path
    output: Path


def main() -> None:
    """Run the benchmark and write its report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="for environments and projects")
    parser.add_argument("--models", default="", help=f"some of {', '.join(MODELS)}")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    models = parse_names(options.models, tuple(MODELS), tuple(MODELS))
    workshop = Workshop(options.folder.resolve())
    folder = workshop.folder / "bulk"
    folder.mkdir(parents=True, exist_ok=True)
    files = Files(folder / "rows.csv", folder / "rows.json", folder / "pandas.csv")
    results = {name: measure(name, workshop, files, options.rounds) for name in models}
    text = report(results, options.rounds)
    publish(text, "bulk.md", workshop.folder, is_whole=set(models) == set(MODELS))


def measure(name: str, workshop: Workshop, files: Files, rounds: int) -> dict[str, list[Round]]:
    """Measure both with each kind of body; the first round is a warm-up and does not count."""
    model, has_fast_path = MODELS[name]
    limits = dict(LIMITS)
    if not has_fast_path:
        limits["MODEL_DIR"] = str(without_fast_path(workshop, model))
    rows = BenchmarkRows.read(workshop.models() / model)
    results: dict[str, list[Round]] = {kind: [] for kind in KINDS}
    with (
        pandas_process(workshop, model, files) as pandas,
        running(OURS, model, workshop, limits) as ours,
    ):
        ours.until_ready(rows.rows[0])
        for turn in range(rounds + 1):
            print(f"{name}: round {turn} of {rounds}", flush=True)
            for kind, content_type in KINDS.items():
                pandas_cpu, pandas_clock = predict_with_pandas(pandas, kind)
                body = (files.csv if kind == "csv" else files.json).read_bytes()
                cpu, clock = ours.cpu(), time.perf_counter()
                answer = post(ours, body, content_type)
                cpu, clock = ours.cpu() - cpu, time.perf_counter() - clock
                if turn:
                    results[kind].append(Round((cpu, pandas_cpu), (clock, pandas_clock)))
                elif kind == "csv":
                    compare(answer.decode(), files.output.read_text(encoding="utf-8"))
    return results


def without_fast_path(workshop: Workshop, model: str) -> Path:
    """Return a copy of a project's model folder in which the fast path is switched off."""
    copied = workshop.folder / "bulk" / f"{model}-native"
    shutil.rmtree(copied, ignore_errors=True)
    shutil.copytree(workshop.project(model) / "model", copied)
    switch_off_fast_path(copied)
    return copied


@contextmanager
def pandas_process(workshop: Workshop, model: str, files: Files) -> Iterator[subprocess.Popen[str]]:
    """Run bulk_pandas.py until the block ends."""
    python = workshop.environment("train") / "bin" / "python"
    script, saved = PEERS_FOLDER / "bulk_pandas.py", workshop.models() / model / "model.joblib"
    words = (python, script, saved, files.csv, CSV_ROWS, files.json, JSON_ROWS, files.output)
    process = subprocess.Popen(
        list(map(str, words)),
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def predict_with_pandas(pandas: subprocess.Popen[str], kind: str) -> tuple[float, float]:
    """Let pandas predict a file; return the seconds of CPU time and of wall-clock time."""
    assert pandas.stdin is not None
    assert pandas.stdout is not None
    pandas.stdin.write(f"{kind}\n")
    pandas.stdin.flush()
    cpu, clock = json.loads(pandas.stdout.readline())
    return cpu, clock


def post(ours: Running, body: bytes, kind: str) -> bytes:
    """Send a body to the service; return the response body. Raises ServerError."""
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
    """Compare all probabilities of two CSV files. Raises ServerError."""
    pairs = zip(*(csv.DictReader(text.splitlines()) for text in (ours, pandas)), strict=True)
    for line, (one, other) in enumerate(pairs, start=2):
        for name in filter(lambda name: name.startswith("probability_"), other):
            if abs(float(one[name]) - float(other[name])) > 1e-9:
                raise ServerError(f"line {line}: {name} is {one[name]}, not {other[name]}")


def report(results: dict[str, dict[str, list[Round]]], rounds: int) -> str:
    """Return the report: the machine, and a table for each kind of body."""
    goal = f"The goal is a CSV in at most {MAX_CPU_RATIO:g} times the CPU time of pandas."
    parts = [
        "# Many rows at once",
        ABOUT,
        f"{describe_run(PYTHON)}, {LIBRARIES[6]};\n"
        f"- medians of {rounds} rounds; load average {os.getloadavg()[0]:.1f} at the end.",
        f"## {CSV_ROWS:,} loans as CSV",
        to_table({name: kinds["csv"] for name, kinds in results.items()}, has_goal=True),
        goal,
        f"## {JSON_ROWS:,} loans as JSON `rows`",
        to_table({name: kinds["json"] for name, kinds in results.items()}),
    ]
    return "\n\n".join(parts) + "\n"


def to_table(results: dict[str, Sequence[Round]], *, has_goal: bool = False) -> str:
    """Return a table with a line for each model: median seconds, and ratios of the rounds."""
    header = ["model", "CPU, s", "pandas, s", "ratio", "lowest to highest", "wall-clock ratio"]
    lines = []
    for name, rounds in results.items():
        ratios = [one.cpu[0] / one.cpu[1] for one in rounds]
        clocks = median(one.clock[0] / one.clock[1] for one in rounds)
        verdict = (
            ("reached" if median(ratios) <= MAX_CPU_RATIO else "**missed**") if has_goal else ""
        )
        lines.append(
            [
                TITLES[name],
                *(number(median(one.cpu[n] for one in rounds), 1, 2) for n in (0, 1)),
                number(median(ratios), 1, 2),
                f"{min(ratios):.2f} to {max(ratios):.2f}",
                number(clocks, 1, 2),
                *([verdict] if has_goal else []),
            ]
        )
    return table([*header, *([""] if has_goal else [])], lines)


if __name__ == "__main__":
    main()
