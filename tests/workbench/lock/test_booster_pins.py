"""The pins for models of XGBoost, LightGBM and CatBoost, and (slow) that they load the models.

The slow tests need uv (on PATH), the Pythons and the network.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import SRC, TESTS

from workbench.inspect import ModelFacts, inspect
from workbench.lock.choose import pins, pythons
from workbench.lock.environment import find_python
from workbench.lock.pins import NoPins, Pins
from workbench.lock.requirements import distribution_of

DATA = json.loads((SRC / "workbench" / "lock" / "pins.json").read_text(encoding="utf-8"))
MAKE = TESTS / "data" / "boosters" / "make.py"

# libraries of the file, formats of the file, newest Python, pins among others
CHOSEN = [
    ({"xgboost": "3.4.1"}, {}, "3.14", {"xgboost-cpu": "3.4.1", "scikit-learn": "1.9.1"}),
    ({"xgboost": "3.0.5"}, {}, "3.14", {"xgboost-cpu": "3.0.5", "scikit-learn": "1.7.2"}),
    ({"xgboost": "2.1.4"}, {}, "3.13", {"xgboost-cpu": "2.1.4", "scikit-learn": "1.6.1"}),
    ({"xgboost": "2.1.0"}, {}, "3.13", {"xgboost": "2.1.0", "nvidia-nccl-cu12": "2.22.3"}),
    ({"xgboost": "2.0.3"}, {}, "3.12", {"xgboost": "2.0.3", "scikit-learn": "1.3.2"}),
    ({"xgboost": "1.7.0"}, {}, "3.11", {"xgboost": "1.7.0.post0", "scikit-learn": "1.2.2"}),
    ({"xgboost": "1.5.2"}, {}, "3.11", {"xgboost": "1.5.2", "setuptools": "67.6.1"}),
    ({"xgboost": "3.4.2"}, {}, "3.14", {"xgboost-cpu": "3.4.2", "scikit-learn": "1.9.1"}),
    ({"xgboost": "2.0.3", "scikit-learn": "1.4.2"}, {}, "3.12", {"scikit-learn": "1.4.2"}),
    ({"catboost": "1.2.10"}, {}, "3.14", {"catboost": "1.2.10", "scikit-learn": "1.8.0"}),
    ({"catboost": "1.2.7"}, {}, "3.12", {"catboost": "1.2.7", "numpy": "1.26.4"}),
    ({"catboost": "1.2"}, {}, "3.11", {"catboost": "1.2", "scikit-learn": "1.3.2"}),
    ({"catboost": "1.2.1.1"}, {}, "3.11", {"catboost": "1.2.1.1", "pandas": "2.1.4"}),
    ({}, {"lightgbm": "v4"}, "3.14", {"lightgbm": "4.6.0", "scikit-learn": "1.8.0"}),
    ({}, {"lightgbm": "v3"}, "3.12", {"lightgbm": "3.3.5", "scikit-learn": "1.3.2"}),
    ({"scikit-learn": "1.9.1"}, {"lightgbm": "v4"}, "3.14", {"lightgbm": "4.7.0"}),
    ({"scikit-learn": "1.2.2"}, {"lightgbm": "v3"}, "3.11", {"lightgbm": "3.3.5"}),
]


@pytest.mark.parametrize(("libraries", "formats", "newest", "expected"), CHOSEN)
def test_pins_for_the_libraries_of_a_file(
    libraries: dict[str, str], formats: dict[str, str], newest: str, expected: dict[str, str]
) -> None:
    distributions = {*libraries, *formats}
    assert pythons(libraries, distributions, formats=formats)[0] == newest
    chosen = pins(libraries, newest, distributions=distributions, pandas=False, formats=formats)
    assert expected.items() <= chosen.model.items()
    assert "catboost" not in libraries or {"pandas", "matplotlib", "six"} <= set(chosen.model)


@pytest.mark.parametrize(
    ("libraries", "numpy_major", "expected"),
    [
        ({"xgboost": "2.0.3"}, 2, {"scikit-learn": "1.5.2", "numpy": "2.1.3"}),
        ({"xgboost": "2.0.3"}, 1, {"scikit-learn": "1.3.2", "numpy": "1.26.4"}),
        ({"catboost": "1.2.8"}, 1, {"numpy": "1.26.4"}),
        ({"catboost": "1.2.8"}, 2, {"numpy": "2.2.6"}),
    ],
)
def test_pins_follow_the_numpy_that_wrote_the_file(
    libraries: dict[str, str], numpy_major: int, expected: dict[str, str]
) -> None:
    chosen = pins(libraries, "3.11", distributions=libraries, pandas=False, numpy_major=numpy_major)
    assert expected.items() <= chosen.model.items()


@pytest.mark.parametrize(
    ("libraries", "distributions", "numpy_major", "words"),
    [
        ({"xgboost": "1.4.2"}, (), None, "XGBoost 1.4.2 is too old.*XGBoost 1.5.0 or later"),
        ({"catboost": "0.26"}, (), None, "CatBoost 0.26 is too old.*CatBoost 1.1 or later"),
        ({"xgboost": "3.1.0rc1"}, (), None, "not a final release"),
        ({"xgboost": "newest"}, (), None, "not an XGBoost version"),
        ({}, ("catboost",), None, "does not say which CatBoost"),
        ({}, (), None, "does not say which scikit-learn"),
        ({"catboost": "1.2.7"}, (), 2, "CatBoost 1.2.7 has no set with numpy 2"),
        ({"catboost": "1.2.7", "scikit-learn": "1.9.1"}, (), None, "cannot be installed together"),
        ({"xgboost": "3.4.1", "scikit-learn": "1.2.2"}, (), None, "no Python in common"),
        ({"scikit-learn": "1.8.0"}, ("lightgbm",), None, None),
    ],
)
def test_versions_without_pins_are_refused(
    libraries: dict[str, str],
    distributions: tuple[str, ...],
    numpy_major: int | None,
    words: str | None,
) -> None:
    if words is None:
        assert pythons(libraries, distributions, numpy_major)
        return
    with pytest.raises(NoPins, match=words):
        pythons(libraries, distributions, numpy_major)
    with pytest.raises(NoPins, match=words):
        pins(
            libraries,
            "3.11",
            distributions=distributions,
            pandas=False,
            numpy_major=numpy_major,
        )


EVERY_RELEASE = [
    ({library: release}, {})
    for library in ("xgboost", "catboost")
    for era in DATA["boosters"][library]
    for release in era["releases"]
] + [({"scikit-learn": release}, {"lightgbm": "v4"}) for release in DATA["releases"]]


@pytest.mark.parametrize(("libraries", "formats"), EVERY_RELEASE)
def test_every_release_has_a_complete_set(
    libraries: dict[str, str], formats: dict[str, str]
) -> None:
    distributions = {*libraries, *formats}
    for python in pythons(libraries, distributions, formats=formats):
        chosen = pins(libraries, python, distributions=distributions, pandas=True, formats=formats)
        assert {"scikit-learn", "numpy", "scipy", "joblib", "pandas"} <= set(chosen.model)
        installed = {name.removesuffix("-cpu"): v for name, v in chosen.model.items()}
        assert libraries.items() <= installed.items()
        assert {*map(distribution_of, chosen.bounds)} <= {*chosen.model, *chosen.service}
        # All of them are installed together, so they must agree.
        for name in set(chosen.model) & {*chosen.service, *chosen.tests}:
            assert chosen.model[name] == {**chosen.service, **chosen.tests}[name]


def test_requirements_have_markers_for_other_platforms() -> None:
    chosen = pins({"xgboost": "3.0.5"}, "3.13", distributions=("xgboost",), pandas=False)
    assert chosen.model["xgboost-cpu"] == "3.0.5"
    for lines in (chosen.requirements, chosen.exact):
        assert list(lines) == sorted(lines)
        xgboost = [line for line in lines if line.startswith("xgboost")]
        assert [line.partition(" ; ")[0] for line in xgboost] == [
            "xgboost-cpu==3.0.5",
            "xgboost==3.0.5",
        ]
        assert all(" ; (sys_platform" in line for line in xgboost)
    assert "numpy>=2.3,<2.4" in chosen.requirements
    assert "numpy==2.3.5" in chosen.exact
    assert "flask==3.1.3" in chosen.exact


# library, its version or format, Python
INSTALLED = [
    ("xgboost", "3.4.1", "3.13"),
    ("xgboost", "2.1.4", "3.11"),
    ("lightgbm", "v4", "3.12"),
    ("catboost", "1.2.10", "3.11"),
]


@pytest.mark.slow
@pytest.mark.heavy
@pytest.mark.parametrize(("library", "version", "python"), INSTALLED)
def test_a_model_is_trained_inspected_and_loaded_with_its_pins(
    library: str, version: str, python: str, tmp_path: Path
) -> None:
    uv = shutil.which("uv")
    assert uv, "make puts the uv of .venv on PATH"
    found = find_python(python)
    if found is None:
        pytest.skip(f"Python {python} is not installed")

    def run(*command: str) -> str:
        """Run a command; show its output if it fails."""
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    libraries = {} if library == "lightgbm" else {library: version}
    formats = {library: version} if library == "lightgbm" else {}
    wanted = pins(libraries, python, distributions=(library,), pandas=True, formats=formats)
    (tmp_path / "requirements.txt").write_text("\n".join(wanted.exact), encoding="utf-8")
    run(uv, "venv", "--quiet", "--python", str(found), "venv")
    options = ["--quiet", "--python", "venv"]
    # --no-deps installs an incomplete list without complaint, so the check must pass.
    run(uv, "pip", "install", *options, "--no-deps", "-r", "requirements.txt")
    run(uv, "pip", "check", *options)
    for case in ("array", "frame", "pipeline", "search", "regressor"):
        command = (str(tmp_path / "venv" / "bin" / "python"), str(MAKE), library, case)
        predicted = run(*command, f"{case}.joblib")
        facts = inspect(tmp_path / f"{case}.joblib")
        assert facts.unknown_names == ()
        assert python in pythons(facts.libraries, facts.distributions, formats=facts.formats)
        assert pins_of(facts, python).model == wanted.model
        assert json.loads(run(*command, f"{case}.joblib")) == json.loads(predicted)
    shutil.rmtree(tmp_path / "venv")


def pins_of(facts: ModelFacts, python: str) -> Pins:
    """Return the pins that adopt would choose."""
    return pins(
        facts.libraries,
        python,
        distributions=facts.distributions,
        pandas=True,
        numpy_major=facts.numpy_major,
        formats=facts.formats,
    )
