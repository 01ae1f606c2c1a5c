"""Measure what explanations cost, beside shap: `make bench-explain`.

    python -m benchmarks.explain --folder .bench [--models logistic,forest] [--rounds 30]

The projects are rendered and verified. In each round one row is predicted, then explained, through
WSGI in the same process. A run of all models writes explain.md beside this file; any other run
writes it into the folder.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.__main__ import parse_names
from benchmarks.environments import (
    CATBOOST,
    ROOT,
    Workshop,
    clean_environment,
    describe_machine,
)
from benchmarks.report import number, table

HERE = Path(__file__).resolve().parent
SHAP = "shap==0.54.1"
# The goals in milliseconds of CPU over /predict.
GOALS = {
    "logistic": 0.015,
    "catboost": 0.8,
    "hist": 0.8,
    "lightgbm": 0.8,
    "xgboost": 0.8,
    "forest": 30.0,
}
MODELS = tuple(GOALS)
MAX_MEGABYTES, MAX_LOAD_MILLISECONDS, MAX_BUILD_SECONDS = 30, 50, 3
ABOUT = """\
Written by `make bench-explain`. Everything is CPU time, because the machine can be busy with other
work; on a busy machine the caches are cold, and small times grow.

- `/explain` over `/predict` for one row, asked in turns through WSGI in the same process: the
  quickest of all rounds of each. `JSON` is the part of the difference that only encodes the longer
  answer. What else is left for a linear model is Python for each feature: the row goes through the
  model's steps a second time, and its entries, their order, the sum and the answer are checked.
- `MB`, `load` and `build`: the memory of `model/explain.npz` with the tables that are made of it,
  the quickest of five loads with these tables, and one build, as `make verify` does it.
- shap explains the columns of one row after 100 background rows, in an environment of its own. Its
  differences are the largest of its sums from the model, and of its values, added up by feature,
  from the definition by enumeration. The columns of a category count one by one for shap, so small
  differences of the latter are those of another question."""

CHILD = """
import io, json, logging, os, sys, time
from pathlib import Path

rounds, count = map(int, sys.argv[1:])
results = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a log that somebody reads takes time

sys.path.append(str(next(Path("vendor").glob("*tools*.whl"))))
from app import app
from model_service.explain.build import build_explainer
from model_service.model.explanations import (
    example_batch, fingerprint, subject_of, with_explanations,
)
from model_service.contract.contract import Batch
from workbench.adopt.csv.kept_sample import read_kept_sample

logging.disable()
model, project = app.service.model, Path()
sample = Batch.of_rows(read_kept_sample(model.contract, project))

def seconds(function):
    started_at = time.process_time()
    function()
    return time.process_time() - started_at

def load():
    return with_explanations(model, project / "model").explainer

def build():
    build_explainer(subject_of(model), fingerprint(model), sample, example_batch(model))

body = json.dumps(model.golden.rows[0]).encode()
environ = {
    "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "QUERY_STRING": "",
    "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)), "SERVER_NAME": "x",
    "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
    "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.errors": io.StringIO(),
    "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
}
encode = json.JSONEncoder(separators=(",", ":")).encode

def ask(path):
    answers = []
    request = {**environ, "PATH_INFO": path, "wsgi.input": io.BytesIO(body)}
    content = b"".join(app(request, lambda s, h, e=None: answers.append(s)))
    assert answers[0].startswith("200"), answers
    return content

def per_call(function):
    return seconds(lambda: [function() for _ in range(count)]) / count * 1000

predicted, explained = json.loads(ask("/predict")), json.loads(ask("/explain"))
asked = {
    "predict": lambda: ask("/predict"),
    "explain": lambda: ask("/explain"),
    "short JSON": lambda: encode(predicted),
    "long JSON": lambda: encode(explained),
}
found = [{name: per_call(call) for name, call in asked.items()} for _ in range(rounds)]
quickest = {name: min(one[name] for one in found) for name in asked}
with os.fdopen(results, "w") as file:
    print(json.dumps({
        "predict": quickest["predict"],
        "over": quickest["explain"] - quickest["predict"],
        "encode": quickest["long JSON"] - quickest["short JSON"],
        "load": min(seconds(load) for _ in range(5)) * 1000,
        "build": seconds(build),
        "megabytes": load().byte_count / 2**20,
        "background": load().about.background_count,
    }), file=file)
"""


@dataclass(frozen=True)
class Measured:
    """What explanations of one model cost, and what shap does with it."""

    model: str
    ours: Mapping[str, float]  # milliseconds, but for `build`; megabytes; rows
    shap: Mapping[str, float]

    @property
    def has_reached_goals(self) -> bool:
        """Whether no figure is above its goal."""
        return (
            self.ours["over"] <= GOALS[self.model]
            and self.ours["megabytes"] <= MAX_MEGABYTES
            and self.ours["load"] <= MAX_LOAD_MILLISECONDS
            and self.ours["build"] <= MAX_BUILD_SECONDS
        )

    def cells(self) -> list[str]:
        """Return the row of the table."""
        return [
            self.model,
            number(self.ours["predict"], 1, 3),
            number(self.ours["over"], 1, 3),
            number(self.ours["encode"], 1, 3),
            number(GOALS[self.model], 1, 3),
            number(self.ours["background"], 1, 0),
            number(self.ours["megabytes"], 1, 1),
            number(self.ours["load"], 1, 0),
            number(self.ours["build"], 1, 1),
            number(self.shap["milliseconds"], 1, 3),
            f"{self.shap['sums']:.0e}",
            f"{self.shap['definition']:.0e}",
            "reached" if self.has_reached_goals else "not reached",
        ]


def measure(workshop: Workshop, model: str, rounds: int) -> Measured:
    """Measure one model of train.py."""
    project = workshop.project(model)
    count = 5 if model == "forest" else 20
    command = [str(project / ".venv" / "bin" / "python"), "-c", CHILD, str(rounds), str(count)]
    ours = json.loads(_output(command, project))
    shap = workshop.environment("shap", [SHAP, CATBOOST]) / "bin" / "python"
    script = str(HERE / "peers" / "explain_shap.py")
    theirs = json.loads(_output([str(shap), script, str(workshop.models() / model), "20"], ROOT))
    return Measured(model, ours, theirs)


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
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args(arguments)
    models = parse_names(options.models, MODELS, MODELS)
    workshop = Workshop(options.folder.absolute())
    machine = describe_machine()
    rows = []
    for model in models:
        measured = measure(workshop, model, options.rounds)
        print(model, measured.ours, measured.shap, flush=True)
        rows.append(measured.cells())
    heads = [
        "model",
        "/predict, ms",
        "/explain over it, ms",
        "of it JSON",
        "goal",
        "background",
        "MB",
        "load, ms",
        "build, s",
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
