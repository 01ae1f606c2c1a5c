"""The model zoo: train models with the libraries of several years, adopt them, compare predictions.

    make zoo [YEARS="1.6 newest"] [MODELS="xgboost forest"]

For each year, train_models.py trains, saves and predicts in an environment with the libraries of
that time. The files are adopted as by cookiecutter; compare.py then verifies them in the
environments that the adoption pinned, and compares the service's predictions with the models' own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.adopt.answers import Answers
from workbench.adopt.decide import decide
from workbench.adopt.write import write
from workbench.errors import UserError
from workbench.lock.environment import find_python

ROOT = Path(__file__).resolve().parent.parent.parent
SRC = ROOT / "src"
HERE = Path(__file__).resolve().parent
# Year -> the Python to use if this one has no wheels of that year.
PYTHONS = {"1.0": "3.10"}

# Usual environments: each scikit-learn with the boosting libraries of its time.
YEARS: Mapping[str, Sequence[str]] = {
    "1.0": (
        *("scikit-learn==1.0.2", "numpy==1.22.4", "pandas==1.4.4", "scipy==1.8.1"),
        *("xgboost==1.6.2", "setuptools==65.6.3", "lightgbm==3.3.5", "catboost==1.1.1"),
        *("imbalanced-learn==0.9.0", "statsmodels==0.13.5", "cloudpickle==2.2.1"),
    ),
    "1.2": (
        *("scikit-learn==1.2.2", "numpy==1.24.4", "pandas==1.5.3", "scipy==1.10.1"),
        *("xgboost==1.7.6", "lightgbm==3.3.5", "catboost==1.2.2"),
        *(
            "imbalanced-learn==0.10.1",
            "statsmodels==0.13.5",
            "skops==0.6.0",
            "cloudpickle==2.2.1",
        ),
    ),
    "1.4": (
        *("scikit-learn==1.4.2", "numpy==1.26.4", "pandas==2.2.2", "scipy==1.13.1"),
        *("xgboost==2.0.3", "lightgbm==4.3.0", "catboost==1.2.5"),
        *(
            "imbalanced-learn==0.12.3",
            "statsmodels==0.14.2",
            "skops==0.9.0",
            "cloudpickle==3.0.0",
        ),
    ),
    "1.6": (
        *("scikit-learn==1.6.1", "numpy==2.1.3", "pandas==2.2.3", "scipy==1.15.3"),
        *("xgboost-cpu==2.1.4", "lightgbm==4.6.0", "catboost==1.2.8"),
        *(
            "imbalanced-learn==0.13.0",
            "statsmodels==0.14.4",
            "skops==0.11.0",
            "cloudpickle==3.1.1",
        ),
    ),
    "1.7": (
        *("scikit-learn==1.7.2", "numpy==2.2.6", "pandas==2.3.3", "scipy==1.15.3"),
        *("xgboost-cpu==3.0.5", "lightgbm==4.6.0", "catboost==1.2.8"),
        *(
            "imbalanced-learn==0.14.0",
            "statsmodels==0.14.5",
            "skops==0.13.0",
            "cloudpickle==3.1.2",
        ),
    ),
    "newest": (
        *("scikit-learn==1.9.1", "numpy", "pandas", "scipy"),
        *("xgboost-cpu==3.2.0", "lightgbm==4.7.0", "catboost==1.2.10"),
        *("imbalanced-learn", "statsmodels", "skops", "cloudpickle==3.1.2"),
    ),
}


@dataclass(frozen=True)
class Count:
    """The results of one year; `wrong` has one sentence for each unexpected result."""

    adopted: int
    refused: int
    wrong: tuple[str, ...]


def count(year: str, folder: Path, words: Sequence[str] = ()) -> Count:
    """Train the models of one year in a folder, adopt all of them, and compare predictions.

    With words, only the models that have one of them in their name.
    """
    version = PYTHONS.get(year, f"{sys.version_info.major}.{sys.version_info.minor}")
    python = find_python(version)
    if python is None:
        raise SystemExit(f"the year {year} needs Python {version}, which does not run here")
    trained = environment(python, YEARS[year], folder / "trained")
    models = folder / "zoo"
    run(trained, HERE / "train_models.py", models, *words)
    cases = {
        path.parent: json.loads(path.read_text()) for path in sorted(models.glob("*/case.json"))
    }
    refused, wrong = 0, []
    adopted: dict[tuple[str, ...], list[Path]] = defaultdict(list)
    for model_folder, case in cases.items():
        try:
            adopted[adopt_into(model_folder, case["answers"], version)].append(
                model_folder / "project"
            )
        except UserError as error:
            if case.get("refused", "\0") in str(error):
                refused += 1
            else:
                wrong.append(f"{model_folder.name}: refused: {error}")
        else:
            if "refused" in case:
                wrong.append(f"{model_folder.name}: was adopted")
                adopted[next(reversed(adopted))].pop()
    equal = 0
    for number, (pins, projects) in enumerate(adopted.items()):
        if not projects:
            continue
        pinned = environment(python, pins, folder / f"pinned-{number}")
        # The last line: the lines before it are the service's log.
        differences = json.loads(run(pinned, HERE / "compare.py", *projects).splitlines()[-1])
        wrong += [f"{Path(p).parent.name}: {text}" for p, text in differences.items() if text]
        equal += sum(not text for text in differences.values())
        shutil.rmtree(folder / f"pinned-{number}")
    return Count(equal, refused, tuple(wrong))


def adopt_into(folder: Path, answers: Mapping[str, str], version: str) -> tuple[str, ...]:
    """Adopt the model in a folder and return the pins."""
    all_answers = Answers(
        project_name="A model",
        project_slug="model",
        description="A model of the zoo.",
        folder=folder,
        python_version=version,
        **answers,  # type: ignore[arg-type]
    )
    decided = decide(all_answers)
    write(decided, folder / "project")
    return decided.pins.exact


def environment(base: Path, requirements: Iterable[str], folder: Path) -> Path:
    """Create an environment and return its interpreter."""
    uv = shutil.which("uv")
    assert uv, "make puts the uv of .venv on PATH"
    subprocess.run([uv, "venv", "--quiet", "--python", base, folder], check=True)
    python = folder / "bin" / "python"
    install = [uv, "pip", "install", "--quiet", "--only-binary", ":all:", "--python", python]
    subprocess.run([*install, *requirements], check=True)
    return python


def run(python: Path, *arguments: str | Path) -> str:
    """Run a script in an environment and return what it printed."""
    env = {
        **os.environ,
        "OMP_NUM_THREADS": "1",  # sums by several threads differ in the last bit
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(SRC),
    }
    result = subprocess.run(
        [python, *arguments], env=env, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise RuntimeError(result.stderr[-3000:])
    return result.stdout


def main(arguments: Sequence[str]) -> int:
    """Run the zoo of each year; return an exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("years", nargs="*", default=list(YEARS))
    parser.add_argument("--models", default="", help="words; one of them is in a model's name")
    options = parser.parse_args(arguments)
    status = 0
    for year in options.years:
        with tempfile.TemporaryDirectory() as folder:
            found = count(year, Path(folder), options.models.split())
        print(
            f"{year}: {found.adopted} adopted with the model's own predictions, "
            f"{found.refused} refused as expected, {len(found.wrong)} wrong",
            *(f"  {sentence}" for sentence in found.wrong),
            sep="\n",
            flush=True,
        )
        status = status or bool(found.wrong)
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
