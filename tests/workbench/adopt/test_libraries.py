"""Models of other libraries: what their files say, and (slow) that their pins serve them.

The files in tests/data/libraries are real, each written by the release in its name; make.py there
made them. The slow tests need uv (on PATH), the Pythons and the network.
"""

from __future__ import annotations

import contextlib
import copyreg
import json
import pickle
import shutil
import subprocess
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SRC, TESTS, environment

from workbench.adopt.answers import Answers
from workbench.adopt.decide import decide
from workbench.adopt.write import write
from workbench.inspect import (
    RefusedFile,
    file_facts,
    inspect,
    model_facts,
    read_document,
    seen_values,
)
from workbench.inspect.estimators import explainable_boosting
from workbench.inspect.pickle.model_values import check_values
from workbench.inspect.pickle.values import Array, Dict, DType, Global, Instance
from workbench.lock.choose import pins, pythons
from workbench.lock.environment import find_python
from workbench.lock.pins import NoPins

FILES = TESTS / "data" / "libraries"
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
def test_facts_of_an_imbalanced_learn_file(
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
def test_imbalanced_learn_is_pinned_by_the_scikit_learn_version(release: str, beside: str) -> None:
    libraries = {"scikit-learn": release}
    for distributions, version in ((("imbalanced-learn",), beside), ((), None)):
        python = pythons(libraries, distributions)[0]
        chosen = pins(libraries, python, distributions=distributions, pandas=False)
        assert chosen.model.get("imbalanced-learn") == version
        assert ("imbalanced-learn" in chosen.bounds) is bool(version)


@pytest.mark.parametrize(
    ("file", "estimator", "names", "constant", "holds_data", "pandas"),
    [
        ("0.13.5-ols", "RegressionResultsWrapper", NAMES, 0, True, "pandas 2"),
        ("0.14.6-logit", "BinaryResultsWrapper", NAMES, 0, True, "pandas 2"),
        ("0.14.6-ols-array", "RegressionResultsWrapper", None, 0, True, "pandas 2"),
        ("0.14.6-ols-no-constant", "RegressionResultsWrapper", NAMES, None, True, "pandas 2"),
        ("0.14.6-ols-removed", "RegressionResultsWrapper", None, 0, False, "pandas 2"),
        ("0.15.0-glm", "GLMResultsWrapper", NAMES, 0, True, "pandas 3"),
    ],
)
def test_facts_of_a_statsmodels_file(
    file: str,
    estimator: str,
    names: tuple[str, ...] | None,
    constant: int | None,
    holds_data: bool,
    pandas: str,
) -> None:
    facts = inspect(FILES / f"statsmodels-{file}.pickle")
    assert (facts.task, facts.estimator) == ("regression", estimator)
    assert (facts.feature_names, facts.n_features, facts.constant) == (names, 3, constant)
    assert facts.unknown_names == ()
    assert any("remove_data()" in notice for notice in facts.notices) is holds_data
    assert facts.formats["statsmodels"] == pandas


@pytest.mark.parametrize(
    ("era", "numpy_major", "expected"),
    [
        ("pandas 1", 1, {"statsmodels": "0.13.5", "pandas": "1.5.3", "patsy": "0.5.3"}),
        ("pandas 2", 1, {"statsmodels": "0.14.6", "pandas": "2.3.3", "patsy": "1.0.2"}),
        ("pandas 3", 2, {"statsmodels": "0.15.0", "pandas": "3.1.1", "formulaic": "1.2.2"}),
    ],
)
def test_statsmodels_is_pinned_by_the_pandas_version(
    era: str, numpy_major: int, expected: dict[str, str]
) -> None:
    distributions, formats = ("statsmodels",), {"statsmodels": era}
    for python in pythons({}, distributions, formats=formats):
        chosen = pins(
            {},
            python,
            distributions=distributions,
            pandas=False,
            numpy_major=numpy_major,
            formats=formats,
        )
        assert expected.items() <= chosen.model.items()


@pytest.mark.parametrize(
    ("file", "names", "count"),
    [
        ("0.7.8-two", ("Income", "Rooms", "Owner", "Area", "Level"), 5),
        ("0.7.8-array", None, 3),
        ("0.6.16-array", None, 3),
    ],
)
def test_facts_of_an_ebm(file: str, names: tuple[str, ...] | None, count: int) -> None:
    document = read_document(FILES / f"interpret-{file}.joblib")
    facts = model_facts(document, file_facts(document))
    assert (facts.task, facts.estimator) == ("classification", "ExplainableBoostingClassifier")
    assert (facts.classes, facts.has_probabilities) == (("no", "yes"), True)
    assert (facts.feature_names, facts.n_features) == (names, count)
    assert facts.fitted_on_frame is bool(names)
    texts = {"Area": ("Rural", "Semi urban", "Urban")} if names else {}
    assert facts.encoded == texts
    assert (facts.unknown_names, facts.distributions) == ((), EBM)
    income = seen_values(document.root).columns[0]
    assert min(income) < 5
    assert max(income) > 95


EBM = ("interpret-core", "joblib", "numpy")


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (
            "0.5.1-three",
            r"written by interpret before 0\.6\. Fit it again with interpret-core 0\.7",
        ),
        ("0.7.3-two", r"has 'False' and 'True' as categories of Owner\. .*words such as 'Owner F"),
    ],
)
def test_an_ebm_whose_answers_depend_on_the_release_is_refused(file: str, why: str) -> None:
    with pytest.raises(RefusedFile, match=why) as refusal:
        inspect(FILES / f"interpret-{file}.joblib")
    assert refusal.value.code == "unsupported"


@pytest.mark.parametrize(
    ("category", "is_word"),
    [("Urban", True), ("", True), ("2 rooms", True), ("1", False), ("2.50", False), ("nan", False)],
)
def test_categories_of_an_ebm_that_all_releases_write_alike(category: str, is_word: bool) -> None:
    bins = [[Dict([category, 1])]]
    attributes = {"feature_names_in_": ["Area"], "bins_": bins, "best_iteration_": 1}
    flat = [part for pair in attributes.items() for part in pair]
    model = Instance(explainable_boosting.CLASSES[0], (), Dict(flat))
    with contextlib.nullcontext() if is_word else pytest.raises(RefusedFile):
        explainable_boosting.check_ebms([model])


def test_an_ebm_holds_no_objects_whose_addresses_native_code_would_take() -> None:
    def ebm(held: object) -> Instance:
        return Instance(explainable_boosting.CLASSES[0], (), Dict(["bins_", [[held]]]))

    tree = Instance(Global("sklearn.tree._classes", "DecisionTreeClassifier"), (), Dict())
    check_values([ebm(Array((1,), DType("f", 8), bytes(8)))])
    with pytest.raises(RefusedFile, match=r"bins_=DecisionTreeClassifier: interpret hands") as no:
        check_values([ebm(tree)])
    assert no.value.code == "dangerous"


@pytest.mark.parametrize(
    ("libraries", "scikit_learn", "pandas"),
    [
        ({}, "1.8.0", "2.3.3"),
        ({"scikit-learn": "1.6.1"}, "1.6.1", "2.2.3"),
        ({"scikit-learn": "1.9.1"}, "1.9.1", "3.1.1"),
    ],
)
def test_an_ebm_is_pinned_to_one_release(
    libraries: dict[str, str], scikit_learn: str, pandas: str
) -> None:
    python = pythons(libraries, EBM)[0]
    chosen = pins(libraries, python, distributions=EBM, pandas=False)
    found = {name: chosen.model[name] for name in ("interpret-core", "scikit-learn", "pandas")}
    expected = {"interpret-core": "0.7.8", "scikit-learn": scikit_learn, "pandas": pandas}
    assert found == expected
    assert chosen.bounds["interpret-core"] == "==0.7.8"


def test_an_ebm_beside_an_old_scikit_learn_has_no_pins() -> None:
    with pytest.raises(NoPins, match=r"beside scikit-learn 1\.5\.2, and .* needs .* 1\.6 or later"):
        pythons({"scikit-learn": "1.5.2"}, EBM)


def test_a_formula_is_refused_because_statsmodels_evaluates_it() -> None:
    with pytest.raises(RefusedFile, match=r"fitted with a formula.*add_constant") as refusal:
        inspect(FILES / "statsmodels-0.14.6-formula.pickle")
    assert refusal.value.code == "unsupported"


class Data:
    """Pickled as if it were the data of a model of statsmodels."""

    def __init__(self, state: object) -> None:
        self.state = state

    def __reduce_ex__(self, protocol: object) -> tuple[object, ...]:
        return copyreg.__newobj__, (Data,), self.state  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ({"restore_design_info": True, "formula": "__import__('os').system('id')"}, "unsupported"),
        ({"design_info": "__import__('os').system('id')"}, "unsupported"),
        (OrderedDict(restore_design_info=True), "malformed"),
        ({np.str_("restore_design_info"): True}, "malformed"),
        ({"model": OrderedDict(formula="1")}, "malformed"),
        ({str(number): 0 for number in range(1001)}, "malformed"),
    ],
)
def test_no_state_makes_statsmodels_evaluate_a_text(
    state: object, code: str, tmp_path: Path
) -> None:
    written = pickle.dumps([Data(state), 1], protocol=2)
    place = f"c{__name__}\nData\n".encode()
    assert place in written
    (tmp_path / "model.pkl").write_bytes(
        written.replace(place, b"cstatsmodels.base.data\nPandasData\n")
    )
    with pytest.raises(RefusedFile) as refusal:
        inspect(tmp_path / "model.pkl")
    assert refusal.value.code == code


def flat(prediction: Any) -> Any:
    """Return the prediction for several targets as a list, as the model gives it."""
    return list(prediction.values()) if isinstance(prediction, dict) else prediction


# library, the scikit-learn beside it, Python, and the cases if not all
PROVEN = [
    ("imbalanced-learn", "1.1.3", "3.11", ()),
    ("imbalanced-learn", "1.3.2", "3.12", ()),
    ("imbalanced-learn", "1.6.1", "3.12", ()),
    ("imbalanced-learn", "1.9.1", "3.13", ()),
    ("interpret-core", "1.6.1", "3.12", ("pipeline",)),
    ("interpret-core", "1.8.0", "3.13", ()),
    ("interpret-core", "1.9.1", "3.13", ("pipeline",)),
    ("skops", "1.1.3", "3.11", ()),
    ("skops", "1.3.2", "3.12", ()),
    ("skops", "1.6.1", "3.12", ()),
    ("skops", "1.9.1", "3.13", ()),
    ("statsmodels", "1.8.0", "3.13", ()),
    # What holds no frame does not say that it was of the time of pandas 3.
    ("statsmodels", "1.9.1", "3.13", ("ols", "ols-no-constant", "logit", "glm", "gamma")),
]


@pytest.mark.slow
@pytest.mark.heavy
@pytest.mark.parametrize(("library", "release", "python", "cases"), PROVEN)
def test_the_service_predicts_what_the_library_predicts(
    library: str, release: str, python: str, cases: tuple[str, ...], tmp_path: Path
) -> None:
    """Make models with the pins of a library, adopt the files, serve them with their own pins."""
    uv = shutil.which("uv")
    assert uv, "make puts the uv of .venv on PATH"
    here = find_python(python)
    if here is None:
        pytest.skip(f"Python {python} is not here")

    def run(*command: str | Path) -> str:
        """Run a command; show what it says where it fails."""
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment(PYTHONPATH=str(SRC)),
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    libraries = {"scikit-learn": release}
    wanted = pins(libraries, python, distributions=(library,), pandas=True)
    (tmp_path / "requirements.txt").write_text("\n".join(wanted.exact), encoding="utf-8")
    run(uv, "venv", "--quiet", "--python", str(here), "venv")
    inside = ["--quiet", "--python", "venv"]
    # With --no-deps something missing would be found by the check only.
    run(uv, "pip", "install", *inside, "--no-deps", "-r", "requirements.txt")
    run(uv, "pip", "check", *inside)
    inside_python = tmp_path / "venv" / "bin" / "python"
    made = tmp_path / "made"
    made.mkdir()
    run(inside_python, FILES / "make.py", library, made, *cases)
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
        adoption = decide(answers)
        assert adoption.pins.model.items() <= wanted.model.items(), case
        write(adoption, tmp_path / case)
        questions += [tmp_path / case, rows]
    printed = run(inside_python, FILES / "ask.py", *questions).splitlines()
    served = [line for line in printed if not line.startswith("level=")]  # the service's log
    for line, rows in zip(served, questions[1::2], strict=True):
        recorded = json.loads(rows.with_suffix(".json").read_text(encoding="utf-8"))
        found = json.loads(line)
        assert [flat(answer["prediction"]) for answer in found] == recorded["prediction"], rows.stem
        if "probabilities" in recorded:
            probabilities = [list(answer["probabilities"].values()) for answer in found]
            assert probabilities == recorded["probabilities"], rows.stem
    shutil.rmtree(tmp_path / "venv")
