"""Compare make score with pandas and with the model itself: `make bench-score`.

    python -m benchmarks.score --folder .bench [--rows 1000000] [--rounds 3] [--models logistic]

In each round both score the same files, one after the other, in one process each. The models are
fitted on the loan example's data and adopted in the template's own environment.
"""

from __future__ import annotations

import argparse
import json
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

from benchmarks.environments import ROOT, clean_environment
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
SEED, GROUP_ROWS = 7, 1 << 17
# CPU time of all of a run, as a multiple of bare predict_proba(frame) and of pandas' way.
GOALS = {"logistic": 1.0, "hist": 1.0, "forest": 1.15, "logistic-native": 1.6}
CSV_GOAL = 0.6


@dataclass(frozen=True)
class Cost:
    """CPU seconds and, of our own runs, the peak of memory in MB."""

    cpu: float
    megabytes: float
    bare: float = 0.0  # of predict_proba alone


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", default=",".join(MODELS))
    options = parser.parse_args()
    folder = options.folder.resolve() / "score"
    folder.mkdir(parents=True, exist_ok=True)
    libraries = install_pyarrow(folder)
    files = make_rows(folder, options.rows, libraries)
    for name in options.models.split(","):
        project = make_project(folder, name)
        for kind, source in files.items():
            rounds = [compare(project, source, libraries) for _ in range(options.rounds)]
            print(report(name, kind, rounds, options.rows), flush=True)


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
        path = project / "model" / "manifest.json"
        manifest = json.loads(path.read_text(encoding="utf-8"))
        manifest["fast_path"] = {"serves": "native", "reason": "The benchmark asks for it."}
        path.write_text(json.dumps(manifest), encoding="utf-8")
    return project


def run(command: Sequence[object], folder: Path, libraries: Path) -> tuple[Cost, str]:
    """Run a command in one thread; return what it cost, and what it printed."""
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
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command}: exit status {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024), output


def compare(project: Path, source: Path, libraries: Path) -> tuple[Cost, Cost]:
    """Score a file with make score and with pandas; return the cost of each."""
    output = project / f"scored{source.suffix}"
    options = (f"INPUT={source}", f"OUTPUT={output}", "JOBS=1")
    ours, _ = run([sys.executable, "-m", "workbench.score", *options], project, libraries)
    script = ROOT / "benchmarks" / "peers" / "score_pandas.py"
    peer = project / f"pandas{source.suffix}"
    command = [sys.executable, script, project / "model.joblib", source, peer]
    pandas, printed = run(command, project, libraries)
    return ours, Cost(pandas.cpu, pandas.megabytes, float(printed))


def report(name: str, kind: str, rounds: Sequence[tuple[Cost, Cost]], rows: int) -> str:
    """Return the figures of one model and one kind of file, medians of the rounds."""
    ours = median(one.cpu for one, _ in rounds)
    bare = median(other.bare for _, other in rounds)
    pandas = median(other.cpu for _, other in rounds)
    to_bare = median(one.cpu / other.bare for one, other in rounds)
    to_pandas = median(one.cpu / other.cpu for one, other in rounds)
    of_bare = f" (goal {GOALS[name]:g})" if kind == "parquet" else ""
    of_pandas = f" (goal {CSV_GOAL:g})" if kind == "csv" else ""
    return (
        f"{name}, {kind} to {kind}: {ours / rows * 1e6:.2f} us of CPU a row; bare predict_proba "
        f"{bare / rows * 1e6:.2f}, pandas {pandas / rows * 1e6:.2f}; ours / bare {to_bare:.2f}"
        f"{of_bare}, ours / pandas {to_pandas:.2f}{of_pandas}; {rows / ours:,.0f} rows/s of CPU; "
        f"at most {max(one.megabytes for one, _ in rounds):.0f} MB"
    )


if __name__ == "__main__":
    main()
