"""Run one target under atheris: python -m fuzz NAME [options of libFuzzer] [folders of inputs]."""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["model_service", "workbench"]):
    from fuzz.targets import TARGETS


def main() -> None:
    """Fuzz until libFuzzer ends the process."""
    program, name, *options = sys.argv
    logging.disable(logging.WARNING)  # errors and their tracebacks stay visible
    folder = Path(tempfile.mkdtemp())
    atheris.Setup([program, *options], TARGETS[name](folder))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
