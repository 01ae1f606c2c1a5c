"""The environments of the peers and the rendered projects of the models, all in one folder."""

from __future__ import annotations

import json
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
COOKIECUTTER = (sys.executable, "-m", "cookiecutter", str(ROOT), "--no-input")
# What a rendered project is made of.
SOURCES = ("{{cookiecutter.project_slug}}", "src", "hooks", "cookiecutter.json", "examples")
# The newest Python that all peers support.
PYTHON = "3.12"
# The model of the template's default answers.
EXAMPLE = "loan"
# The libraries of the model files, in the same versions for all servers.
LIBRARIES = (
    *(ROOT / "examples/loan_model/requirements.txt").read_text(encoding="utf-8").split("\n")[1:-1],
    "lightgbm==4.7.0",
    "xgboost-cpu==3.4.1",
)
# Of one of the models, which is explained only.
CATBOOST = "catboost==1.2.10"


@dataclass(frozen=True)
class Workshop:
    """The folder for everything that is built; a part that exists is used again."""

    folder: Path

    def environment(self, name: str, requirements: Sequence[str] = ()) -> Path:
        """Return the folder of an environment with LIBRARIES and these requirements."""
        environment = self.folder / "environments" / name
        content = "\n".join([PYTHON, *LIBRARIES, *requirements])
        stamp = environment / ".complete"
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != content:
            run("uv", "venv", "--quiet", "--clear", "--python", PYTHON, str(environment))
            install = ("uv", "pip", "install", "--quiet", "--python", str(environment))
            run(*install, *LIBRARIES, *requirements)
            stamp.write_text(content, encoding="utf-8")
        return environment

    def models(self) -> Path:
        """Return the folder of the models; training is deterministic, so it is done once."""
        models = self.folder / "models"
        if not (models / "catboost" / "answers.json").exists():  # the last one that is written
            shutil.rmtree(models, ignore_errors=True)
            python = self.environment("train", [CATBOOST]) / "bin" / "python"
            run(str(python), str(ROOT / "benchmarks" / "train.py"), str(models))
        return models

    def project(self, model: str) -> Path:
        """Return the folder of a model's project, rendered and verified at this commit."""
        folder = self.folder / "projects" / commit()
        project = folder / f"bench-{model}"
        if commit().endswith("-changed"):
            shutil.rmtree(project, ignore_errors=True)
        if not (project / "model" / "golden.json").exists():
            shutil.rmtree(project, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
            answers = {"project_name": f"Bench {model}", "python_version": PYTHON}
            if model != EXAMPLE:
                answers |= self._answers(model)
            words = [f"{name}={value}" for name, value in answers.items()]
            run(*COOKIECUTTER, *words, folder=folder)
        return project

    def _answers(self, model: str) -> dict[str, str]:
        """Return the answers to cookiecutter's questions for a model of train.py."""
        folder = self.models() / model
        contract = folder / "features.json"
        return {
            "model_path": str(folder / "model.joblib"),
            "sample_data": str(folder / "sample.csv"),
            "features": str(contract) if contract.exists() else "",
        }


def describe_machine() -> list[str]:
    """Return the lines of a report on the time, the commit and the machine."""
    information = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    cpu = next((line.split(": ")[1] for line in information if line.startswith("model name")), "?")
    return [
        f"{describe_run(PYTHON)};",
        f"- {cpu}, {os.cpu_count()} cores, Linux {platform.release()}; load average "
        f"{os.getloadavg()[0]:.1f} just before;",
    ]


def describe_run(python: str) -> str:
    """Return the beginning of a report's first line: the time, the commit and the Python."""
    day = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"- {day}, the template at commit {commit()}, Python {python}"


def switch_off_fast_path(model_folder: Path) -> None:
    """Let a project's own model methods predict."""
    path = model_folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["fast_path"] = {"serves": "native", "reason": "The benchmark asks for it."}
    path.write_text(json.dumps(manifest), encoding="utf-8")


def commit() -> str:
    """Return the last commit of a project's sources, with "-changed" if they have changed since."""
    log = ("git", "log", "-1", "--format=%h", "--", *SOURCES)
    last = subprocess.check_output(log, cwd=ROOT, text=True).strip()
    status = ("git", "status", "--porcelain", "--", *SOURCES)
    return f"{last}-changed" if subprocess.check_output(status, cwd=ROOT) else last


def clean_environment() -> dict[str, str]:
    """Return the environment variables for a server: few, and one thread for NumPy's libraries."""
    kept = {"PATH", "HOME", "LANG", "TMPDIR"}
    variables = {name: value for name, value in os.environ.items() if name in kept}
    return {**variables, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def run(*command: str, folder: Path = ROOT) -> None:
    """Run a command that must succeed. Raises CalledProcessError."""
    print("$", " ".join(command[:6]), "…" if len(command) > 6 else "", flush=True)
    subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL)
