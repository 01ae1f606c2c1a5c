"""An environment for each peer, a rendered project for each model: all under one folder."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = "{{cookiecutter.project_slug}}"
# The newest Python that every peer takes.
PYTHON = "3.12"
# The model of the template's own answers.
EXAMPLE = "loan"
# What is in the model files, for all alike.
LIBRARIES = (
    *(ROOT / "examples/loan_model/requirements.txt").read_text(encoding="utf-8").split("\n")[1:-1],
    "lightgbm==4.7.0",
    "xgboost-cpu==3.4.1",
)


@dataclass(frozen=True)
class Workshop:
    """The folder in which everything is built; what is there already is kept."""

    folder: Path

    def environment(self, name: str, requirements: Sequence[str] = ()) -> Path:
        """Return the environment with the model's libraries and these."""
        place = self.folder / "environments" / name
        wanted = "\n".join([PYTHON, *LIBRARIES, *requirements])
        stamp = place / ".complete"
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
            _run("uv", "venv", "--quiet", "--clear", "--python", PYTHON, str(place))
            install = ("uv", "pip", "install", "--quiet", "--python", str(place))
            _run(*install, *LIBRARIES, *requirements)
            stamp.write_text(wanted, encoding="utf-8")
        return place

    def models(self) -> Path:
        """Return the folder of the models, which are the same at every training."""
        place = self.folder / "models"
        if not (place / "text" / "answers.json").exists():
            shutil.rmtree(place, ignore_errors=True)
            python = self.environment("train") / "bin" / "python"
            _run(str(python), str(ROOT / "benchmarks" / "train.py"), str(place))
        return place

    def project(self, model: str) -> Path:
        """Return the project of a model, rendered and verified as a user would, at this commit."""
        place = self.folder / "projects" / commit()
        project = place / f"bench-{model}"
        if commit().endswith("-changed"):
            shutil.rmtree(project, ignore_errors=True)
        if not (project / "model" / "golden.json").exists():
            shutil.rmtree(project, ignore_errors=True)
            place.mkdir(parents=True, exist_ok=True)
            answers = {"project_name": f"Bench {model}", "python_version": PYTHON}
            if model != EXAMPLE:
                answers |= self._answers(model)
            command = [sys.executable, "-m", "cookiecutter", str(ROOT), "--no-input"]
            given = [f"{name}={value}" for name, value in answers.items()]
            _run(*command, *given, folder=place)
        return project

    def _answers(self, model: str) -> dict[str, str]:
        """Return what is answered about a model of train.py."""
        folder = self.models() / model
        contract = folder / "features.json"
        return {
            "model_path": str(folder / "model.joblib"),
            "sample_data": str(folder / "sample.csv"),
            "features": str(contract) if contract.exists() else "",
        }


def where() -> list[str]:
    """Return the lines that say when, with which template and on which machine it is measured."""
    information = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    cpu = next((line.split(": ")[1] for line in information if line.startswith("model name")), "?")
    day = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return [
        f"- {day}, the template at commit {commit()}, Python {PYTHON};",
        f"- {cpu}, {os.cpu_count()} cores, Linux {platform.release()}; load average "
        f"{os.getloadavg()[0]:.1f} just before;",
    ]


def commit() -> str:
    """Return the last commit that changed the template, and whether it was changed since."""
    log = ("git", "log", "-1", "--format=%h", "--", TEMPLATE)
    found = subprocess.check_output(log, cwd=ROOT, text=True).strip()
    changed = subprocess.check_output(("git", "status", "--porcelain", TEMPLATE), cwd=ROOT)
    return f"{found}-changed" if changed else found


def clean() -> dict[str, str]:
    """Return the environment variables of what is started, one core for each server."""
    kept = {"PATH", "HOME", "LANG", "TMPDIR"}
    given = {name: value for name, value in os.environ.items() if name in kept}
    return {**given, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def _run(*command: str, folder: Path = ROOT) -> None:
    """Run a command that must succeed. Raises CalledProcessError."""
    print("$", " ".join(command[:6]), "…" if len(command) > 6 else "", flush=True)
    subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL)
