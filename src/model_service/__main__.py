"""`python -m model_service check [MODEL_DIR]`: check what the service checks when it starts.

Exit status 0: the model can be served. 1: it does not reproduce its golden predictions. 3: the
service would not start, because of a config var, the Python, a library or a file. The Procfile's
release phase runs this, so that Heroku keeps the release before.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from model_service.errors import StartError

NOT_READY, NOT_STARTED = 1, 3


def main(arguments: list[str] | None = None) -> int:
    """Run the command; print a line for each thing that was checked, and return the exit status."""
    options = _parser().parse_args(arguments)
    # As server/gunicorn.py does: before NumPy is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # The reason is printed below; the service would log it too.
    logging.getLogger("model_service").addHandler(logging.NullHandler())
    try:
        for line in check(options.model_dir):
            print(line, flush=True)
    except NotReady as reason:
        print(reason, file=sys.stderr)
        return NOT_READY
    except StartError as reason:
        print(reason, file=sys.stderr)
        return NOT_STARTED
    return 0


class NotReady(Exception):
    """The service would start, and answer 503; the message says why."""


def check(directory: Path | None = None) -> Iterator[str]:
    """Check a model directory as the service does; yield what was found to be right.

    Raises StartError and NotReady.
    """
    # They import NumPy.
    from model_service.model.loading import load_model  # noqa: PLC0415
    from model_service.serving.queue import PredictionQueue  # noqa: PLC0415
    from model_service.serving.readiness import Readiness  # noqa: PLC0415
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
    readiness = Readiness(
        model,
        PredictionQueue(
            model.predict,
            timeout_seconds=settings.predict_seconds,
            max_in_flight=settings.max_in_flight,
            batches=model.answers_rows_alike,
        ),
    )
    if reason := readiness.reason():
        raise NotReady(reason)
    rows = len(model.golden.rows) if model.golden is not None else 0
    found = f"all {rows} are reproduced" if rows else "there are none; run make verify"
    yield f"golden predictions: {found}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m model_service", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    checked = commands.add_parser("check", help="check what the service checks when it starts")
    checked.add_argument(
        "model_dir", nargs="?", type=Path, metavar="MODEL_DIR", help="default: MODEL_DIR, or model"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
