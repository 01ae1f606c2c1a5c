"""The table of pins: consistent, complete, and (slow) shown to train, load and predict.

`PINS_PROVE=all pytest tests/workbench/lock/test_pins.py` proves every release on every Python that
is here; `PINS_PROVE=1.6,1.7` only those minors. Needs uv (on PATH, or its path in $UV), the
Pythons on PATH, and the network.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import EXAMPLE, SRC

from workbench.lock import choose
from workbench.lock.environment import find_python
from workbench.lock.pins import NoPins, Pins
from workbench.lock.requirements import distribution_of
from workbench.lock.table import HEROKU_PYTHONS

DATA = json.loads((SRC / "workbench" / "lock" / "pins.json").read_text(encoding="utf-8"))
RELEASES = tuple(DATA["releases"])


def pythons(release: str, numpy_major: int | None = None) -> tuple[str, ...]:
    """Name the Pythons for a model of scikit-learn alone."""
    return choose.pythons({"scikit-learn": release}, ("scikit-learn",), numpy_major)


def pins(release: str, python: str, *, pandas: bool, numpy_major: int | None = None) -> Pins:
    """Give the pins for a model of scikit-learn alone."""
    return choose.pins(
        {"scikit-learn": release},
        python,
        distributions=("scikit-learn",),
        pandas=pandas,
        numpy_major=numpy_major,
    )


COMBOS = [(release, python) for release in RELEASES for python in pythons(release)]
EXACT = re.compile(r"\d+(\.\d+)+(\.post\d+)?")
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def numbers(version: str) -> tuple[int, ...]:
    """Read a version as numbers to compare."""
    return tuple(int(number) for number in re.findall(r"\d+", version))


def within(version: str, bounds: str) -> bool:
    """Say whether a version satisfies ==, >= and < clauses."""
    for clause in bounds.split(","):
        operator, limit = re.fullmatch(r"(==|>=|<)(.+)", clause).groups()  # type: ignore[union-attr]
        have, want = numbers(version), numbers(limit)
        if not {"==": have == want, ">=": have >= want, "<": have < want}[operator]:
            return False
    return True


@pytest.mark.parametrize("numpy_major", [None, 1])
@pytest.mark.parametrize(("release", "python"), COMBOS)
def test_every_set_is_complete(release: str, python: str, numpy_major: int | None) -> None:
    chosen = pins(release, python, pandas=True, numpy_major=numpy_major)
    assert chosen.python == python
    assert {"scikit-learn", "numpy", "scipy", "joblib", "threadpoolctl"} <= set(chosen.model)
    assert {"pandas", "python-dateutil"} <= set(chosen.model)
    assert chosen.model["scikit-learn"] == release
    if numbers(chosen.model["python-dateutil"]) < (4,):
        assert "six" in chosen.model
    if numbers(chosen.model["pandas"]) < (3,):
        assert "pytz" in chosen.model
    if numbers(chosen.model["joblib"]) >= (1, 6):
        assert "cloudpickle" in chosen.model
    if numbers(release) >= (1, 9):
        assert "narwhals" in chosen.model
    for part in (chosen.model, chosen.service, chosen.tests, chosen.bounds):
        assert list(part) == sorted(part)
        assert all(NAME.fullmatch(distribution_of(name)) for name in part)
    for part in (chosen.model, chosen.service, chosen.tests):
        assert all(EXACT.fullmatch(version) for version in part.values())
    # One environment gets all of them: where two parts share a name they agree.
    for name in set(chosen.model) & (set(chosen.service) | set(chosen.tests)):
        assert chosen.model[name] == {**chosen.service, **chosen.tests}[name]


@pytest.mark.parametrize(("release", "python"), COMBOS)
def test_bounds_contain_the_pins(release: str, python: str) -> None:
    for pandas in (True, False):
        chosen = pins(release, python, pandas=pandas)
        exact = {**chosen.model, **chosen.service}
        assert all(
            within(exact[distribution_of(name)], bounds) for name, bounds in chosen.bounds.items()
        )
        named = {"scikit-learn", "numpy", "scipy", "joblib"}
        named |= {"flask", "flask-swagger-ui", "gunicorn", "httptools", "psycopg[binary]"}
        assert set(chosen.bounds) == named | ({"pandas"} if pandas else set())
        assert chosen.bounds["scikit-learn"] == f"=={release}"


def test_pandas_only_adds() -> None:
    for release, python in COMBOS:
        without = pins(release, python, pandas=False).model
        with_it = pins(release, python, pandas=True).model
        assert without.items() <= with_it.items()
        assert not {"pandas", "pytz", "tzdata", "python-dateutil"} & set(without)


def test_pythons_are_those_of_heroku_newest_first() -> None:
    assert HEROKU_PYTHONS == ("3.14", "3.13", "3.12", "3.11", "3.10")
    for release in RELEASES:
        named = pythons(release)
        assert named
        assert list(named) == [python for python in HEROKU_PYTHONS if python in named]
    assert all(set(entry["pythons"]) <= set(HEROKU_PYTHONS) for entry in DATA["sets"])
    assert set(DATA["tests"]["extra"]) <= set(HEROKU_PYTHONS)


def test_releases_are_newest_first_from_1_0_2() -> None:
    assert list(RELEASES) == sorted(RELEASES, key=numbers, reverse=True)
    assert RELEASES[-1] == "1.0.2"


def test_the_bundled_example_has_its_own_versions() -> None:
    lines = EXAMPLE / "requirements.txt"
    trained = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lines.read_text(encoding="utf-8"), re.M))
    for python in pythons("1.9.1"):
        assert pins("1.9.1", python, pandas=True).model == trained


def test_tests_get_what_only_an_old_python_needs() -> None:
    assert "tomli" in pins("1.6.1", "3.10", pandas=False).tests
    assert "tomli" not in pins("1.6.1", "3.11", pandas=False).tests


@pytest.mark.parametrize(
    ("given", "pinned", "newest"),
    [
        ("1.6.1", "1.6.1", "3.13"),
        ("1.6", "1.6.0", "3.13"),
        ("1.4.1", "1.4.1.post1", "3.12"),
        ("1.4.1.post1", "1.4.1.post1", "3.12"),
        ("1.6.1+local", "1.6.1", "3.13"),
        ("1.3.0", "1.3.0", "3.11"),
        ("1.1.1", "1.1.1", "3.10"),
        ("1.0.2", "1.0.2", "3.10"),
        ("1.8.4", "1.8.4", "3.14"),
        ("1.9.7", "1.9.7", "3.14"),
        ("1.10.0", "1.10.0", "3.14"),
        ("2.0.1", "2.0.1", "3.14"),
        ("1.3.0rc1", "1.3.0rc1", "3.11"),
    ],
)
def test_versions_on_and_beyond_the_table(given: str, pinned: str, newest: str) -> None:
    assert pythons(given)[0] == newest
    chosen = pins(given, newest, pandas=False)
    assert chosen.model["scikit-learn"] == pinned
    assert chosen.bounds["scikit-learn"] == f"=={pinned}"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("1.0.1", "1.0.2 or later"),
        ("0.24.2", "1.0.2 or later"),
        ("1.7.dev0", "not a final release"),
        ("1.5rc1", "not a final release"),
        ("1.8.0b1", "not a final release"),
        ("0.24.0rc1", "1.0.2 or later"),
        ("banana", "not a scikit-learn version"),
        ("", "not a scikit-learn version"),
    ],
)
def test_versions_without_pins_are_refused_with_a_way_out(given: str, says: str) -> None:
    with pytest.raises(NoPins, match=says):
        pythons(given)
    with pytest.raises(NoPins, match=says):
        pins(given, "3.11", pandas=False)


@pytest.mark.parametrize("python", ["3.14", "3.9", "3.13.2", ""])
def test_a_python_without_wheels_is_refused_and_the_others_named(python: str) -> None:
    with pytest.raises(NoPins, match=re.escape("Choose Python 3.13, 3.12, 3.11 or 3.10.")):
        pins("1.6.1", python, pandas=False)


@pytest.mark.parametrize(
    ("release", "python", "numpy_major", "numpy"),
    [
        ("1.6.1", "3.12", None, "2."),
        ("1.6.1", "3.12", 2, "2."),
        ("1.6.1", "3.12", 1, "1.26"),
        ("1.6.1", "3.13", 1, "2."),  # no numpy 1 there; numpy 2 reads its files
        ("1.4.2", "3.12", None, "1.26"),
        ("1.4.2", "3.12", 2, "2.0"),
        ("1.3.2", "3.12", 1, "1.26"),
        ("1.9.1", "3.14", 1, "2."),
    ],
)
def test_numpy_of_the_file(release: str, python: str, numpy_major: int | None, numpy: str) -> None:
    chosen = pins(release, python, pandas=False, numpy_major=numpy_major)
    assert chosen.model["numpy"].startswith(numpy)


@pytest.mark.parametrize("release", ["1.4.1.post1", "1.3.2", "1.1.3"])
def test_numpy_2_with_a_scikit_learn_built_before_it_is_refused(release: str) -> None:
    with pytest.raises(NoPins, match="numpy 2"):
        pins(release, "3.11", pandas=False, numpy_major=2)
    with pytest.raises(NoPins, match="numpy 2"):
        pythons(release, numpy_major=2)


def test_pythons_with_just_one_numpy() -> None:
    assert pythons("1.6.1", numpy_major=1) == ("3.12", "3.11", "3.10")
    assert pythons("1.7.2", numpy_major=2) == ("3.14", "3.13", "3.12", "3.11", "3.10")
    for release in RELEASES:
        for major in (1, 2):
            try:
                named = pythons(release, numpy_major=major)
            except NoPins:
                continue
            for python in named:
                chosen = pins(release, python, pandas=False, numpy_major=major)
                assert numbers(chosen.model["numpy"])[0] == major


PROVE = """
import pickle
import sys

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

random = np.random.RandomState(0)
frame = pd.DataFrame({
    "Income": random.lognormal(8, 1, 120),
    "Age": random.randint(18, 80, 120),
    "Area": random.choice(["Rural", "Urban", "Semiurban"], 120),
})
target = np.where(frame["Income"] + 90 * frame["Age"] > 7000, "Y", "N")
frame.loc[::7, "Income"] = np.nan
frame.loc[::11, "Area"] = np.nan
numeric = Pipeline([("impute", SimpleImputer()), ("scale", StandardScaler())])
text = Pipeline([
    ("impute", SimpleImputer(strategy="most_frequent")),
    ("encode", OneHotEncoder(handle_unknown="ignore")),
])
columns = ColumnTransformer(
    [("n", numeric, ["Income", "Age"]), ("t", text, ["Area"])], sparse_threshold=0
)
for last in (
    LogisticRegression(),
    RandomForestClassifier(10, random_state=np.random.RandomState(1)),
    HistGradientBoostingClassifier(max_iter=10, random_state=np.random.RandomState(1)),
):
    model = Pipeline([("columns", columns), ("model", last)]).fit(frame, target)
    again = pickle.loads(pickle.dumps(model))
    assert (again.predict(frame) == model.predict(frame)).all()
    assert (again.predict_proba(frame) == model.predict_proba(frame)).all()
    assert model.score(frame, target) > 0.7
print("proved", sys.version_info[:2])
"""


def proofs() -> list[tuple[str, str, int | None]]:
    """Choose what to prove: two combinations, unless asked for more."""
    asked = os.environ.get("PINS_PROVE")
    if not asked:
        return [(RELEASES[0], "3.13", None), ("1.6.1", "3.12", 1)]
    found: list[tuple[str, str, int | None]] = []
    for release, python in COMBOS:
        if asked != "all" and ".".join(release.split(".")[:2]) not in asked.split(","):
            continue
        usual = pins(release, python, pandas=True).model["numpy"].partition(".")[0]
        for major in (1, 2):
            with contextlib.suppress(NoPins):
                if python in pythons(release, numpy_major=major):
                    found.append((release, python, None if usual == str(major) else major))
    return found


@pytest.mark.slow
@pytest.mark.heavy
@pytest.mark.parametrize(("release", "python", "numpy_major"), proofs())
def test_a_model_is_trained_loaded_and_predicts(
    release: str, python: str, numpy_major: int | None, tmp_path: Path
) -> None:
    uv = shutil.which("uv")
    assert uv, "make puts the uv of .venv on PATH"

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        """Run a command; show what it says where it fails."""
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    here = find_python(python)
    if here is None:
        pytest.skip(f"Python {python} is not here")
    chosen = pins(release, python, pandas=True, numpy_major=numpy_major)
    everything = {**chosen.model, **chosen.service, **chosen.tests}
    exact = [f"{name}=={version}" for name, version in everything.items()]
    run(uv, "venv", "--quiet", "--python", str(here), "venv")
    inside = ["--quiet", "--python", "venv"]
    run(uv, "pip", "install", *inside, "--no-deps", "--only-binary", ":all:", *exact)
    run(uv, "pip", "check", *inside)
    # What a library deprecates is beyond its pins: 1.7.0 alone says such a thing, of scipy 1.16.
    warn = ["-W", "default", "-W", "ignore::DeprecationWarning"]
    done = run(str(tmp_path / "venv" / "bin" / "python"), *warn, "-c", PROVE)
    shutil.rmtree(tmp_path / "venv")
    assert "proved" in done.stdout
    assert "Warning" not in done.stderr
