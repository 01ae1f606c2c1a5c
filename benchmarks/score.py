"""Compare make score with pandas and with the model itself: `make bench-score`.

    python -m benchmarks.score --folder .bench [--rows 1000000] [--rounds 3] [--models logistic]

In each round both score the same files, one after the other, in one process each. The models are
fitted on the loan example's data and adopted in the template's own environment. A run of all models
with a million rows writes score.md beside this file; any other run writes it into the folder.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import joblib
import train as loan
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from benchmarks.__main__ import parse_names
from benchmarks.environments import ROOT, clean_environment, describe_run, switch_off_fast_path
from benchmarks.report import publish, table
from workbench.adopt.answers import Answers
from workbench.adopt.decide import decide
from workbench.adopt.write import write
from workbench.lock.environment import find_uv
from workbench.lock.table import PYARROW
from workbench.verify.prove import prove

EXAMPLE = ROOT / "examples" / "loan_model"
MODELS: Mapping[str, Callable[[], Any]] = {
    "logistic": lambda: LogisticRegression(max_iter=1000),
    "hist": lambda: HistGradientBoostingClassifier(random_state=0),
    "forest": lambda: RandomForestClassifier(random_state=0),
    "logistic-native": lambda: LogisticRegression(max_iter=1000),
}
# Runs a module or a script, then prints its peak of memory: that of wait4 has the parent's in it.
PEAK = """
import re, runpy, sys
from pathlib import Path
name, sys.argv = sys.argv[1], sys.argv[1:]
try:
    (runpy.run_path if name.endswith(".py") else runpy.run_module)(name, run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
print(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
"""
# The same for make score, and before it the CPU seconds in the model's predict.
TIMED = f"""
import time
from model_service.model.model import Model
predict, seconds = Model.predict, 0.0
def timed(model, batch):
    global seconds
    started_at = time.process_time()
    try:
        return predict(model, batch)
    finally:
        seconds += time.process_time() - started_at
Model.predict = timed
{PEAK.replace("print(re", "print(seconds); print(re")}"""
SEED, GROUP_ROWS = 7, 1 << 17
ROWS, COPIES = 1_000_000, 100
KINDS = ("parquet", "csv")
# CPU time beyond the start, as a multiple of bare predict_proba(frame); and of a whole run, as a
# multiple of pandas' way.
BARE_GOALS = {"logistic": 1.0, "hist": 1.0, "forest": 1.15, "logistic-native": 1.6}
PANDAS_GOALS = {"csv": 0.6}
RATE_GOALS = {("logistic", "parquet"): 500_000, ("logistic", "csv"): 300_000}
MEMORY_GOAL = 450
ABOUT = """\
Written by `make bench-score`. Each figure is CPU time of one thread, of all that a process does: a
machine that is busy with other work changes it less than the clock, and ratios less than times.
"bare" is `predict_proba(frame)` alone, in a process that has the frame. "pandas" reads the file,
predicts and writes it, and validates nothing. `make score` validates every value, and writes
classes, labels, probabilities and warnings. "start" is a run over one row: nearly all of it is the
import of the model's libraries. Rows/s are those beyond the start. "predict" is the part of a row
that the model takes, by its fast path or its own methods: the rest reads, validates and writes. A
missed share of pandas' time has in brackets what start and predict alone would be. Of a CSV's row,
about 0.9 µs go into the text of two probabilities (`repr`), which pandas writes too."""


@dataclass(frozen=True)
class Cost:
    """CPU seconds, those of them in the model's predict, and the peak of memory in MB."""

    cpu: float
    megabytes: float
    predict: float = 0.0


@dataclass(frozen=True)
class Round:
    """What one file cost: the whole run and its start, pandas, and predict_proba alone."""

    ours: Cost
    start: Cost
    pandas: Cost
    bare: float

    @property
    def scoring(self) -> float:
        """CPU seconds beyond the start."""
        return self.ours.cpu - self.start.cpu

    @property
    def predict(self) -> float:
        """CPU seconds of it in the model's predict."""
        return self.ours.predict - self.start.predict


def main() -> None:
    """Run the benchmark and write its report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--copies", type=int, default=COPIES, help="of the file, for the memory")
    parser.add_argument("--models", default="", help=f"some of {', '.join(MODELS)}")
    options = parser.parse_args()
    models = parse_names(options.models, tuple(MODELS), tuple(MODELS))
    folder = options.folder.resolve() / "score"
    folder.mkdir(parents=True, exist_ok=True)
    libraries = install_pyarrow(folder)
    files, one = (make_rows(folder, rows, libraries) for rows in (options.rows, 1))
    results: dict[tuple[str, str], list[Round]] = {}
    for name in models:
        project = make_project(folder, name)
        for kind in KINDS:
            pair = files[kind], one[kind]
            results[name, kind] = [
                compare(project, *pair, libraries) for _ in range(options.rounds)
            ]
            print(name, kind, *results[name, kind], flush=True)
    many = score_copies(folder, folder / models[0], files["parquet"], options.copies, libraries)
    text = report(results, options.rows, options.rounds, options.copies, many)
    is_whole = set(models) == set(MODELS) and options.rows == ROWS
    publish(text, "score.md", options.folder.resolve(), is_whole=is_whole)


def install_pyarrow(folder: Path) -> Path:
    """Return a folder with pyarrow, as make score installs it."""
    target, uv = folder / "site-packages", find_uv(ROOT)
    assert uv is not None
    if not target.exists():
        pip = [str(uv), "pip", "install", "--quiet", "--no-deps", "--python", sys.executable]
        requirement = f"pyarrow=={PYARROW['newest']}"
        subprocess.run([*pip, "--target", str(target), requirement], check=True)
    return target


def make_rows(folder: Path, rows: int, libraries: Path) -> dict[str, Path]:
    """Return simulated loans as CSV and as Parquet."""
    files = {kind: folder / f"loans-{rows}.{kind}" for kind in ("csv", "parquet")}
    if not files["parquet"].exists():
        frame = loan.simulate(rows, SEED).drop(columns=loan.TARGET)
        frame.to_csv(files["csv"], index=False)
        convert = (
            "import sys, pandas as pd; pd.read_csv(sys.argv[1], dtype={'dependents': str})"
            ".to_parquet(sys.argv[2], index=False, row_group_size=int(sys.argv[3]))"
        )
        command = [sys.executable, "-c", convert, files["csv"], files["parquet"], str(GROUP_ROWS)]
        run(command, folder, libraries)
    return files


def make_project(folder: Path, name: str) -> Path:
    """Return a project around a model, proven here."""
    project = folder / name
    if project.exists():
        return project
    frame = loan.simulate(loan.TRAINING_ROWS, loan.SEED)
    target = frame.pop(loan.TARGET)
    model = loan.build().set_params(classifier=MODELS[name]()).fit(frame, target)
    file = folder / f"{name}.joblib"
    joblib.dump(model, file)
    answers = Answers(
        project_name="Loans",
        project_slug="loans",
        description="Loans.",
        model_path=str(file),
        features=str(EXAMPLE / "features.json"),
        sample_data=str(EXAMPLE / "sample.csv"),
        python_version=f"{sys.version_info.major}.{sys.version_info.minor}",
        folder=folder,
    )
    write(decide(answers), project)
    prove(project)
    shutil.copy(file, project / "model.joblib")
    if name.endswith("-native"):
        switch_off_fast_path(project / "model")
    return project


def run(command: Sequence[object], folder: Path, libraries: Path) -> tuple[Cost, list[str]]:
    """Run a command in one thread; return what it cost, and the lines that it printed."""
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    path = os.pathsep.join(map(str, (ROOT / "src", libraries)))
    process = subprocess.Popen(
        list(map(str, command)),
        cwd=folder,
        env={**clean_environment(), **one_thread, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = process.stdout.read().split("\n")[:-1]
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command}: exit status {process.returncode}")
    megabytes = int(lines[-1]) / 1024 if {PEAK, TIMED}.intersection(command) else 0.0
    predict = float(lines[-2]) if TIMED in command else 0.0
    return Cost(usage.ru_utime + usage.ru_stime, megabytes, predict), lines


def score(project: Path, source: Path, output: Path, libraries: Path) -> Cost:
    """Score a file or a folder in one process."""
    options = (f"INPUT={source}", f"OUTPUT={output}", "JOBS=1")
    return run([sys.executable, "-c", TIMED, "workbench.score", *options], project, libraries)[0]


def compare(project: Path, source: Path, one: Path, libraries: Path) -> Round:
    """Score a file with make score and with pandas; return what each cost."""
    start = score(project, one, project / f"one{source.suffix}", libraries)
    ours = score(project, source, project / f"scored{source.suffix}", libraries)
    script = ROOT / "benchmarks" / "peers" / "score_pandas.py"
    peer = project / f"pandas{source.suffix}"
    command = [sys.executable, "-c", PEAK, script, project / "model.joblib", source, peer]
    pandas, printed = run(command, project, libraries)
    return Round(ours, start, pandas, float(printed[-2]))


def score_copies(folder: Path, project: Path, source: Path, copies: int, libraries: Path) -> Cost:
    """Score a folder with a file many times over, into one file."""
    many = folder / "many"
    shutil.rmtree(many, ignore_errors=True)
    many.mkdir()
    for number in range(copies):
        (many / f"{number:03}.parquet").hardlink_to(source)
    output = project / "many.parquet"
    try:
        return score(project, many, output, libraries)
    finally:
        output.unlink(missing_ok=True)


def report(
    results: Mapping[tuple[str, str], Sequence[Round]],
    rows: int,
    rounds: int,
    copies: int,
    many: Cost,
) -> str:
    """Return the page: a table of medians, and the memory of a long run."""
    header = [
        *("model", "files", "start, s", "µs a row", "predict", "bare", "/ bare"),
        *("whole run / bare", "/ pandas", "rows/s", "MB", "goals"),
    ]
    lines = [line(name, kind, of, rows) for (name, kind), of in results.items()]
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    parts = [
        "# Scoring files",
        ABOUT,
        f"{describe_run(python)};\n"
        f"- {rows:,} loans, {'one round' if rounds == 1 else f'medians of {rounds} rounds'}; load "
        f"average {os.getloadavg()[0]:.1f} at "
        "the end, on 2 processors.",
        table(header, lines),
        "The goals are, beyond the start, the CPU time of bare `predict_proba` for linear models "
        "and boosters, 1.15 times it for a forest, and 1.6 times without a fast path; a CSV in 0.6 "
        "times the time of pandas; 500,000 rows/s from Parquet to Parquet and 300,000 from CSV to "
        "CSV for the loan example, whose model is the logistic regression.",
        f"{rows * copies:,} loans from a folder of {copies} Parquet files into one: "
        f"{many.cpu:.0f} s of CPU time, {rows * copies / many.cpu:,.0f} rows/s with the start, at "
        f"most {many.megabytes:.0f} MB. The goal is {MEMORY_GOAL} MB for any number of rows.",
    ]
    return "\n\n".join(parts) + "\n"


def line(name: str, kind: str, rounds: Sequence[Round], rows: int) -> list[str]:
    """Return the line of a model and a kind of file."""
    to_bare = median(one.scoring / one.bare for one in rounds)
    to_pandas = median(one.ours.cpu / one.pandas.cpu for one in rounds)
    rate = rows / median(one.scoring for one in rounds)
    megabytes = max(one.ours.megabytes for one in rounds)
    missed = []
    if kind == "parquet" and to_bare > BARE_GOALS[name]:
        missed.append(f"{BARE_GOALS[name]:g} of bare")
    if to_pandas > PANDAS_GOALS.get(kind, 1.0):
        least = median((one.start.cpu + one.predict) / one.pandas.cpu for one in rounds)
        missed.append(f"{PANDAS_GOALS.get(kind, 1.0):g} of pandas ({least:.2f})")
    if rate < RATE_GOALS.get((name, kind), 0):
        missed.append(f"{RATE_GOALS[name, kind]:,} rows/s")
    if megabytes > MEMORY_GOAL:
        missed.append(f"{MEMORY_GOAL} MB")
    return [
        name,
        kind,
        f"{median(one.start.cpu for one in rounds):.2f}",
        f"{median(one.scoring for one in rounds) / rows * 1e6:.2f}",
        f"{median(one.predict for one in rounds) / rows * 1e6:.2f}",
        f"{median(one.bare for one in rounds) / rows * 1e6:.2f}",
        f"{to_bare:.2f}",
        f"{median(one.ours.cpu / one.bare for one in rounds):.2f}",
        f"{to_pandas:.2f}",
        f"{rate:,.0f}",
        f"{megabytes:.0f}",
        f"**missed**: {', '.join(missed)}" if missed else "reached",
    ]


if __name__ == "__main__":
    main()
