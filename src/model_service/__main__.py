"""`python -m model_service COMMAND [MODEL_DIR]`: the Procfile's processes other than gunicorn.

`check` checks what the service checks when it starts; in the release phase, so that Heroku keeps
the release before. `jobs` checks the same, then works on jobs until SIGTERM.

Exit status 0: the model can be served, or the worker was stopped. 1: it does not reproduce its
golden predictions, or got stuck. 3: the service would not start, because of a config var, the
Python, a library or a file.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from model_service.errors import StartError

if TYPE_CHECKING:
    from model_service.model.model import Model
    from model_service.serving.predictor import Predictor
    from model_service.web.settings import Settings

NOT_READY, NOT_STARTED = 1, 3


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return the exit status."""
    options = _parser().parse_args(arguments)
    # As server/gunicorn.py does: before NumPy is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # The reason is printed below; the service would log it too.
    logging.getLogger("model_service").addHandler(logging.NullHandler())
    try:
        if options.command == "jobs":
            return work_on_jobs(options.model_dir)
        for line in check(options.model_dir):
            print(line, flush=True)
    except CheckFailed as reason:
        print(reason, file=sys.stderr)
        return NOT_READY
    except StartError as reason:
        print(reason, file=sys.stderr)
        return NOT_STARTED
    return 0


class CheckFailed(Exception):
    """The service would start, and answer 503; the message says why."""


def check(directory: Path | None = None) -> Iterator[str]:
    """Check a model directory as the service does; yield what was found to be right.

    Raises StartError and CheckFailed.
    """
    # It imports NumPy.
    from model_service.model.loading import load_model  # noqa: PLC0415
    from model_service.web.settings import Settings  # noqa: PLC0415

    settings = Settings.from_environment()
    yield "config vars: valid"
    directory = directory or settings.model_directory or Path("model")
    model = load_model(directory)
    manifest = model.manifest
    yield f"Python: {manifest.environment.python}, as in the manifest"
    pinned = [
        f"{name} {version}" for name, version in manifest.environment.libraries.items() if version
    ]
    yield f"libraries: {', '.join(pinned) or 'none is pinned; run make verify'}"
    files = dict.fromkeys((manifest.model.file, *(entry.file for entry in manifest.transformers)))
    for file in files:
        yield f"{directory / file}: the SHA-256 is the manifest's"
    _ready_predictor(model, settings)
    rows = len(model.golden.rows) if model.golden is not None else 0
    found = f"all {rows} are reproduced" if rows else "there are none; run make verify"
    yield f"golden predictions: {found}"


def work_on_jobs(directory: Path | None = None) -> int:
    """Score jobs until SIGTERM; return the exit status. Raises StartError and CheckFailed."""
    from model_service.jobs.scoring import JobScorer  # noqa: PLC0415
    from model_service.model.loading import load_model  # noqa: PLC0415
    from model_service.web.logs import log_to_stdout  # noqa: PLC0415
    from model_service.web.settings import Settings  # noqa: PLC0415

    settings = Settings.from_environment()
    if not settings.jobs:
        raise StartError(
            "JOBS is off, so that there is nothing to do: set JOBS=on, or start no worker "
            "(heroku ps:scale worker=0)."
        )
    from model_service.jobs.database import PatientDatabase  # noqa: PLC0415  # needs psycopg
    from model_service.jobs.leases import Leases  # noqa: PLC0415
    from model_service.jobs.worker import JobWorker  # noqa: PLC0415

    predictor = _ready_predictor(
        load_model(directory or settings.model_directory or Path("model")), settings
    )
    log_to_stdout("model_service")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    database = PatientDatabase(settings.database_url or "", stop)
    scorer = JobScorer(predictor, settings.max_csv_line_characters)
    logging.getLogger("model_service.jobs").info("waiting for jobs")
    JobWorker(Leases(database), scorer, stop).run()
    database.close()
    if predictor.queue.is_stuck:
        os._exit(NOT_READY)  # without waiting for the model's thread, as Python would
    return 0


def _ready_predictor(model: Model, settings: Settings) -> Predictor:
    """Return what predicts in this process. Raises CheckFailed."""
    from model_service.serving.predictor import Predictor  # noqa: PLC0415
    from model_service.serving.queue import PredictionQueue  # noqa: PLC0415

    queue = PredictionQueue(
        model.predict,
        timeout_seconds=settings.predict_seconds,
        max_in_flight=settings.max_in_flight,
        batches=model.is_batch_invariant,
    )
    predictor = Predictor.of_model(model, queue, settings.max_text_characters)
    if reason := predictor.readiness.reason():
        raise CheckFailed(reason)
    return predictor


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m model_service", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, meaning in (
        ("check", "check what the service checks when it starts"),
        ("jobs", "score the files that were sent to /jobs, until SIGTERM"),
    ):
        commands.add_parser(name, help=meaning).add_argument(
            "model_dir",
            nargs="?",
            type=Path,
            metavar="MODEL_DIR",
            help="default: MODEL_DIR, or model",
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
