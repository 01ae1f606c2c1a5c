"""Run a first try the whole way: train as people do, render with their answers, ask the service.

A case is a training script in cases/. It runs in an environment of its own, saves the files that
people have into the current folder, and native.json with what the author's own code predicts:

    {"rows": [{"feature": value, …}, …], "predictions": [...]}
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conftest import PYTHON, ROOT, environment
from zoo.predictions import same, values
from zoo.run_zoo import environment as make_environment

from workbench.lock.environment import find_python

CASES = Path(__file__).resolve().parent / "cases"
# Environments are kept between runs: a case changes more often than its pins.
ENVIRONMENTS = ROOT / ".first_try"

ASK = """\
import json, sys
from app import app
response = app.test_client().post("/predict", json={"rows": json.load(sys.stdin)})
print()
print(json.dumps([response.status_code, response.json]))
"""


@dataclass(frozen=True)
class Try:
    """What came of one run of cookiecutter in the user's folder."""

    folder: Path
    status: int
    output: str

    @property
    def refused(self) -> bool:
        return self.status != 0

    @property
    def project(self) -> Path:
        assert not self.refused, self.output
        (app,) = self.folder.glob("*/app.py")
        return app.parent

    @property
    def message(self) -> str:
        """What was printed, without the sentences that cookiecutter adds to a refusal."""
        return self.output.split("Stopping generation")[0].split("ERROR:")[0].strip()

    @property
    def last_line(self) -> str:
        return self.message.splitlines()[-1].strip()


def trained(
    folder: Path, script: str, pins: Sequence[str], python: str = PYTHON, **env: str
) -> Path:
    """Run cases/`script` in a folder, in an environment with these pins; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    interpreter = training_environment(pins, python)
    result = subprocess.run(
        [interpreter, CASES / script],
        cwd=folder,
        env={**environment(), "OMP_NUM_THREADS": "1", **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return folder


def training_environment(pins: Sequence[str], python: str) -> Path:
    """Return the interpreter of an environment with these pins, made where there is none."""
    base = find_python(python)
    assert base is not None, f"Python {python} does not run here"
    name = hashlib.sha256("\n".join([python, *sorted(pins)]).encode()).hexdigest()[:16]
    target = ENVIRONMENTS / name
    if not target.exists():
        ENVIRONMENTS.mkdir(exist_ok=True)
        making = Path(tempfile.mkdtemp(dir=ENVIRONMENTS))
        make_environment(base, pins, making / "env")
        try:
            (making / "env").rename(target)  # another test may have made it meanwhile
        except OSError:
            assert target.exists()
        shutil.rmtree(making)
    return target / "bin" / "python"


def first_try(folder: Path, **answers: str) -> Try:
    """Run cookiecutter in the user's folder as they would, with the verification."""
    typed = [f"{name}={value}" for name, value in answers.items()]
    return _run(folder, [str(ROOT), "--no-input", *typed])


def again(before: Try) -> Try:
    """Paste the last line of a refusal and run it, with what it makes first."""
    *firsts, line = before.last_line.split(" && ")
    for first in firsts:
        done = subprocess.run(
            shlex.split(first),
            cwd=before.folder,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    program, *arguments = shlex.split(line)
    assert program == "cookiecutter", f"no command: {before.message}"
    return _run(before.folder, arguments)


def _run(folder: Path, arguments: Sequence[str]) -> Try:
    result = subprocess.run(
        [sys.executable, "-m", "cookiecutter", *arguments],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Try(folder, result.returncode, result.stdout)


def assert_native(project: Path, folder: Path) -> None:
    """Check that the service predicts for the rows of native.json what the author's code does."""
    native = json.loads((folder / "native.json").read_text(encoding="utf-8"))
    status, answer = _ask(project, native["rows"])
    assert status == 200, answer
    served = [one["prediction"] for one in answer["predictions"]]
    expected = native["predictions"]
    assert len(served) == len(expected)
    pairs = zip(map(values, served), expected, strict=True)
    wrong = [pair for pair in pairs if not same(*pair)]
    assert wrong == []


def _ask(project: Path, rows: Sequence[Mapping[str, Any]]) -> tuple[int, Any]:
    result = subprocess.run(
        [project / ".venv" / "bin" / "python", "-c", ASK],
        cwd=project,
        env={"PATH": os.defpath, "OMP_NUM_THREADS": "1"},
        input=json.dumps(rows),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    status, answer = json.loads(result.stdout.splitlines()[-1])
    return status, answer
