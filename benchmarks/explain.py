"""Measure what explanations cost, beside shap: `make bench-explain`.

    python -m benchmarks.explain --folder .bench [--models logistic,forest] [--rounds 7]

The projects are rendered and verified. In each round one row is predicted, then explained, through
WSGI in the same process. A run of all models writes explain.md beside this file; any other run
writes it into the folder.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.__main__ import parse_names
from benchmarks.environments import ROOT, Workshop, clean_environment, describe_machine
from benchmarks.report import number, table

HERE = Path(__file__).resolve().parent
SHAP = "shap==0.54.1"
MODELS = ("logistic", "forest", "hist", "xgboost", "lightgbm")
# The goals in milliseconds of CPU over /predict.
GOALS = {"logistic": 0.015, "forest": 30.0, "hist": 0.8, "xgboost": 0.8, "lightgbm": 0.8}
MAX_MEGABYTES, MAX_LOAD_MILLISECONDS = 30, 50
ABOUT = """\
Written by `make bench-explain`. CPU time of `/explain` over that of `/predict` for one row, through
WSGI, in turns in the same process. Memory and load are those of `model/explain.npz`. shap explains
the columns of one row after 100 background rows, in an environment of its own; its differences are
the largest of its sums from the model, and of its values by feature from the definition."""

CHILD = """
import io, json, logging, sys, time
from pathlib import Path
started_at = time.process_time()
from app import app
from model_service.model.explanations import with_explanations

logging.disable()
model = app.service.model
started_at = time.process_time()
loaded = with_explanations(model, Path("model")).explainer
load = time.process_time() - started_at
body = json.dumps(model.golden.rows[0]).encode()
environ = {
    "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "QUERY_STRING": "",
    "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)), "SERVER_NAME": "x",
    "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
    "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.errors": io.StringIO(),
    "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
}

def ask(path, count):
    started_at = time.process_time()
    for _ in range(count):
        answers = []
        request = {**environ, "PATH_INFO": path, "wsgi.input": io.BytesIO(body)}
        b"".join(app(request, lambda s, h, e=None: answers.append(s)))
        assert answers[0].startswith("200"), answers
    return (time.process_time() - started_at) / count * 1000

count = int(sys.argv[2])
ask("/predict", count), ask("/explain", count)
rounds = [(ask("/predict", count), ask("/explain", count)) for _ in range(int(sys.argv[1]))]
print(json.dumps({
    "rounds": rounds,
    "load": load * 1000,
    "megabytes": loaded.byte_count / 2**20,
    "background": loaded.about.background_count,
}))
"""


@dataclass(frozen=True)
class Measured:
    """One model: milliseconds and megabytes, and what shap does."""

    model: str
    predict: float
    explain: float
    load: float
    megabytes: float
    background: int
    shap: dict[str, Any]

    def cells(self) -> list[str]:
        """Return the row of the table."""
        over = self.explain - self.predict
        fits = over <= GOALS[self.model] and self.megabytes <= MAX_MEGABYTES
        fits = fits and self.load <= MAX_LOAD_MILLISECONDS
        return [
            self.model,
            number(self.predict, 1, 3),
            number(over, 1, 3),
            number(GOALS[self.model], 1, 3),
            str(self.background),
            number(self.megabytes, 1, 1),
            number(self.load, 1, 0),
            number(self.shap["milliseconds"], 1, 3),
            f"{self.shap['sums']:.0e}",
            f"{self.shap['definition']:.0e}",
            "reached" if fits else "not reached",
        ]


def measure(workshop: Workshop, model: str, rounds: int) -> Measured:
    """Measure one model of train.py."""
    project = workshop.project(model)
    count = 5 if model == "forest" else 100
    command = [str(project / ".venv" / "bin" / "python"), "-c", CHILD, str(rounds), str(count)]
    ours = json.loads(_output(command, project))
    shap = workshop.environment("shap", [SHAP]) / "bin" / "python"
    script = str(HERE / "peers" / "explain_shap.py")
    theirs = json.loads(_output([str(shap), script, str(workshop.models() / model), "20"], ROOT))
    return Measured(
        model,
        median(predict for predict, _ in ours["rounds"]),
        median(explain for _, explain in ours["rounds"]),
        ours["load"],
        ours["megabytes"],
        ours["background"],
        theirs,
    )


def _output(command: Sequence[str], folder: Path) -> str:
    """Return the last line that a command prints."""
    environment = clean_environment()
    done = subprocess.run(
        command, cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout.strip().splitlines()[-1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the models and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(".bench"))
    parser.add_argument("--models", default="")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(arguments)
    models = parse_names(options.models, MODELS, MODELS)
    workshop = Workshop(options.folder.absolute())
    machine = describe_machine()
    rows = [measure(workshop, model, options.rounds).cells() for model in models]
    heads = [
        "model",
        "/predict, ms",
        "/explain over it, ms",
        "goal",
        "background",
        "MB",
        "load, ms",
        "shap, ms",
        "shap: sums off by",
        "shap: values off by",
        "",
    ]
    report = "\n".join(["# Explanations", "", ABOUT, "", *machine, "", table(heads, rows), ""])
    target = HERE if set(models) == set(MODELS) else workshop.folder
    (target / "explain.md").write_text(report, encoding="utf-8")
    print(report)


if __name__ == "__main__":
    main()
