"""Models of other libraries: what their files say, and (slow) that their pins serve them.

The files in tests/data/libraries are real, each written by the release in its name; make.py there
made them. The slow tests need uv (on PATH), the Pythons and the network.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import TEMPLATE, environment

from workbench import adopt
from workbench.answers import Answers
from workbench.inspect import inspect
from workbench.pins import pins, pythons

FILES = Path(__file__).parent / "data" / "libraries"
NAMES = ("Income", "Credit history", "limit(%)")


@pytest.mark.parametrize(
    ("file", "estimator", "classes", "names"),
    [
        ("imblearn-0.10.1-pipeline", "LogisticRegression", ("no", "yes"), NAMES),
        ("imblearn-0.14.2-pipeline", "LogisticRegression", ("no", "yes"), NAMES),
        ("imblearn-0.14.2-forest-array", "BalancedRandomForestClassifier", (0, 1), None),
        ("imblearn-0.14.2-boost", "RUSBoostClassifier", ("no", "yes"), NAMES),
    ],
)
def test_what_a_file_of_imbalanced_learn_says(
    file: str, estimator: str, classes: tuple[object, ...], names: tuple[str, ...] | None
) -> None:
    facts = inspect(FILES / f"{file}.joblib")
    assert (facts.estimator, facts.classes, facts.feature_names) == (estimator, classes, names)
    assert (facts.task, facts.n_features) == ("classification", 3)
    assert facts.has_probabilities
    assert facts.unknown_names == ()
    assert "imbalanced-learn" in facts.distributions


@pytest.mark.parametrize(
    ("release", "beside"),
    [("1.1.3", "0.10.1"), ("1.3.2", "0.12.0"), ("1.6.1", "0.13.0"), ("1.9.1", "0.14.2")],
)
def test_imbalanced_learn_is_pinned_to_that_of_the_time(release: str, beside: str) -> None:
    libraries = {"scikit-learn": release}
    for distributions, version in ((("imbalanced-learn",), beside), ((), None)):
        python = pythons(libraries, distributions)[0]
        chosen = pins(libraries, python, distributions=distributions, pandas=False)
        assert chosen.model.get("imbalanced-learn") == version
        assert ("imbalanced-learn" in chosen.bounds) is bool(version)


def flat(prediction: Any) -> Any:
    """Return the prediction for several targets as a list, as the model gives it."""
    return list(prediction.values()) if isinstance(prediction, dict) else prediction


# library, the scikit-learn beside it, Python
PROVEN = [
    ("imbalanced-learn", "1.1.3", "3.11"),
    ("imbalanced-learn", "1.3.2", "3.12"),
    ("imbalanced-learn", "1.6.1", "3.12"),
    ("imbalanced-learn", "1.9.1", "3.13"),
    ("skops", "1.1.3", "3.11"),
    ("skops", "1.3.2", "3.12"),
    ("skops", "1.6.1", "3.12"),
    ("skops", "1.9.1", "3.13"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("library", "release", "python"), PROVEN)
def test_the_service_answers_as_the_author_would(
    library: str, release: str, python: str, tmp_path: Path
) -> None:
    """Make models with the pins of a library, adopt the files, serve them with their own pins."""
    uv = shutil.which("uv")
    assert uv, "make puts the uv of .venv on PATH"
    find = [uv, "python", "find", "--no-python-downloads", python]
    here = subprocess.run(find, capture_output=True, text=True, cwd=tmp_path, check=False)
    if here.returncode:
        pytest.skip(f"Python {python} is not here")

    def run(*command: str | Path) -> str:
        """Run a command; show what it says where it fails."""
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment(PYTHONPATH=str(TEMPLATE)),
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    given = {"scikit-learn": release}
    wanted = pins(given, python, distributions=(library,), pandas=True)
    (tmp_path / "requirements.txt").write_text("\n".join(wanted.exact), encoding="utf-8")
    run(uv, "venv", "--quiet", "--python", here.stdout.strip(), "venv")
    inside = ["--quiet", "--python", "venv"]
    # With --no-deps something missing would be found by the check only.
    run(uv, "pip", "install", *inside, "--no-deps", "-r", "requirements.txt")
    run(uv, "pip", "check", *inside)
    inside_python = tmp_path / "venv" / "bin" / "python"
    made = tmp_path / "made"
    made.mkdir()
    run(inside_python, FILES / "make.py", library, made)
    questions: list[Path] = []
    for rows in sorted(made.glob("*.csv")):
        case = rows.stem
        (model,) = (path for path in made.glob(f"{case}.*") if path.suffix not in (".csv", ".json"))
        answers = Answers(
            project_name="A model",
            project_slug="a-model",
            description="About it.",
            folder=made,
            model_path=str(model),
            sample_data=rows.name,
            python_version=python,
        )
        adoption = adopt.decide(answers)
        assert adoption.pins.model.items() <= wanted.model.items(), case
        adopt.write(adoption, tmp_path / case)
        questions += [tmp_path / case, rows]
    served = run(inside_python, FILES / "ask.py", *questions).splitlines()
    for line, rows in zip(served, questions[1::2], strict=True):
        said = json.loads(rows.with_suffix(".json").read_text(encoding="utf-8"))
        found = json.loads(line)
        assert [flat(answer["prediction"]) for answer in found] == said["prediction"], rows.stem
        if "probabilities" in said:
            probabilities = [list(answer["probabilities"].values()) for answer in found]
            assert probabilities == said["probabilities"], rows.stem
    shutil.rmtree(tmp_path / "venv")
