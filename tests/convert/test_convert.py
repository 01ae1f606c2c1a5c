"""Files of scikit-learn 0.18 to 1.0.1 are converted by 1.1.3, and predict the same as before.

0.18 and 0.19 are the oldest that install here (Python 3.6). 0.17 and older have no wheels.
"""

from __future__ import annotations

import json
import pickle
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, SRC, adopted, environment
from first_try.runner import ENVIRONMENTS, training_environment

from workbench.adopt.answers import Answers
from workbench.adopt.decide import decide
from workbench.adopt.problems import AnswerError
from workbench.convert import convert, main
from workbench.errors import UserError
from workbench.inspect import OldFile, RefusedFile, file_facts, inspect, read_document
from workbench.inspect.old_file import CONVERTED_BY
from workbench.inspect.pickle.old_names import MODULES, current_name
from workbench.inspect.pickle.values import Global
from workbench.lock.conversion import PYTHON
from workbench.lock.environment import find_python

HERE = Path(__file__).resolve().parent
PYENV = Path.home() / ".pyenv" / "versions"
# scikit-learn, Python, its companions, and the models of train_old_models.py that are refused.
NOT_YET = "svr isolation calibrated".split()
BEFORE_21 = [*NOT_YET, *"boosting boosting_words boosting_regressor lda".split()]
BEFORE_20 = [
    *BEFORE_21,
    "logistic_multinomial_words",  # its probabilities were others
    *(f"neighbors_{kind}" for kind in ("auto", "kd_tree", "ball_tree", "brute", "regressor")),
    *(f"neighbors_{kind}_words" for kind in ("auto", "kd_tree", "ball_tree", "brute")),
]
CONVERTER = (
    f"scikit-learn=={CONVERTED_BY} numpy==1.24.2 scipy==1.10.1 pandas==1.5.3 joblib==1.2.0"
).split()
RELEASES = [
    ("0.18.2", "3.6", ["numpy==1.13.3", "scipy==1.0.1"], [*BEFORE_20, "hashing"]),
    ("0.19.2", "3.6", ["numpy==1.14.6", "scipy==1.1.0"], BEFORE_20),
    ("0.20.4", "3.6", ["numpy==1.16.6", "scipy==1.2.3"], BEFORE_21),
    ("0.20.4", "2.7", ["numpy==1.16.6", "scipy==1.2.3"], BEFORE_21),
    ("0.21.3", "3.7", ["numpy==1.17.5", "scipy==1.4.1", "pandas==0.25.3"], NOT_YET),
    (
        "0.22.2.post1",
        "3.8",
        ["numpy==1.18.5", "scipy==1.4.1", "pandas==1.0.5"],
        ["calibrated"],
    ),
    (
        "0.23.2",
        "3.8",
        ["numpy==1.19.5", "scipy==1.5.4", "pandas==1.1.5"],
        ["calibrated"],
    ),
    ("0.24.2", "3.8", ["numpy==1.19.5", "scipy==1.5.4", "pandas==1.1.5"], []),
    ("1.0", "3.9", ["numpy==1.21.6", "scipy==1.7.3", "pandas==1.3.5"], []),
    ("1.0.1", "3.9", ["numpy==1.21.6", "scipy==1.7.3", "pandas==1.3.5"], []),
]


def old_environment(scikit_learn: str, python: str, pins: list[str]) -> list[str]:
    """Return the command of an old Python with these packages, kept between runs."""
    bases = sorted(PYENV.glob(f"{python}.*/bin/python"))
    if not bases:
        pytest.skip(f"Python {python} is not installed here")
    packages = ENVIRONMENTS / f"old-{scikit_learn}-{python}"
    command = [f"PYTHONPATH={packages}", str(bases[-1])]
    if not (packages / "complete").exists():
        install = ["-m", "pip", "install", "-q", "--only-binary", ":all:", "--target", packages]
        subprocess.run(
            [bases[-1], *install, f"scikit-learn=={scikit_learn}", *pins],
            check=True,
            capture_output=True,
            env=environment(),
        )
        (packages / "complete").touch()
    return ["env", *command]


@pytest.mark.slow
@pytest.mark.heavy
@pytest.mark.parametrize(("scikit_learn", "python", "pins", "refused"), RELEASES)
def test_the_answers_are_the_same_before_and_after(
    scikit_learn: str, python: str, pins: list[str], refused: list[str], tmp_path: Path
) -> None:
    old = old_environment(scikit_learn, python, pins)
    train = HERE / "train_old_models.py"
    subprocess.run([*old, train, tmp_path], check=True, capture_output=True, env=environment())
    models = json.loads((tmp_path / "native.json").read_text())["models"]
    found = {path: file_facts(read_document(tmp_path / path)).too_old for path in models}
    assert all(found.values())
    names = {
        path: sorted(old_file.names)
        for path, old_file in found.items()
        if old_file is not None and old_file.names is not None
    }
    assert {Path(path).stem for path in models.keys() - names.keys()} == set(refused)
    (tmp_path / "names.json").write_text(json.dumps(names))
    (tmp_path / "new").mkdir()
    result = subprocess.run(
        [
            training_environment(CONVERTER, PYTHON),
            *(HERE / "compare.py", tmp_path, tmp_path / "names.json", tmp_path / "new"),
        ],
        env=environment(PYTHONPATH=str(SRC)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert json.loads(result.stdout) == []
    for path in names:
        assert inspect(tmp_path / "new" / path).libraries == {"scikit-learn": CONVERTED_BY}


def old_pickle(module: str, name: str, version: str = "0.21.3", *, more: bytes = b"") -> bytes:
    """Return the pickle of an object of an old class, as protocol 2 writes it."""
    state = pickle.dumps({"_sklearn_version": version, "coef_": 1.0}, 2)[2:-1]
    cls = f"c{module}\n{name}\n".encode()
    return b"\x80\x02" + more + cls + b")\x81" + state + b"b."


def found_in(content: bytes, folder: Path) -> OldFile | None:
    path = folder / "model.pkl"
    path.write_bytes(content)
    return file_facts(read_document(path)).too_old


def test_the_names_of_today(tmp_path: Path) -> None:
    assert current_name("sklearn.tree.tree", "A") == Global("sklearn.tree._classes", "A")
    assert len(MODULES) > 80
    assert all(current_name(new, "A") == Global(new, "A") for new in MODULES.values())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (old_pickle("sklearn.svm.classes", "NuSVC"), "do not read its NuSVC"),
        (old_pickle("sklearn.svm.classes", "SVR"), "do not read its SVR"),
        (old_pickle("sklearn.tree.tree", "DecisionTreeClassifier", "0.17.1"), "before"),
        (old_pickle("xgboost.sklearn", "XGBClassifier"), "objects of xgboost"),
        (old_pickle("mine", "Model"), "refers to mine.Model"),
        (old_pickle("__main__", "Model"), "refers to __main__.Model"),
    ],
)
def test_what_is_not_converted(content: bytes, words: str, tmp_path: Path) -> None:
    old = found_in(content, tmp_path)
    assert old is not None
    assert not old.can_be_converted
    assert words in str(old)
    assert "Fit it again with scikit-learn 1.1 or later." in str(old)
    with pytest.raises(UserError, match="Fit it again"):
        convert(tmp_path, tmp_path / "model.pkl", tmp_path / "new.joblib")


# OUT, and the refusal, which comes before anything is loaded.
TARGETS = {
    "models/new.joblib": "there is no folder .*/models; make it, or give another path",
    "new.joblib": (
        "exists already and is kept. If it is this conversion, adopt it: "
        r"make adopt MODEL='.*a folder/new.joblib'\. Else give another OUT=, or delete it\."
    ),
}


@pytest.mark.parametrize(("name", "words"), TARGETS.items())
def test_the_target_is_checked_first(name: str, words: str, tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    found_in(old_pickle("sklearn.linear_model.base", "LinearRegression"), folder)
    (folder / "new.joblib").touch()
    with pytest.raises(UserError, match=words):
        convert(tmp_path, folder / "model.pkl", folder / name)


def test_the_pasted_line_has_its_own_advice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "new.joblib"
    target.touch()
    assert main([str(tmp_path / "model.pkl"), str(target)]) == 1
    assert f"type what follows `&&` alone, or model_path={target}" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["os\nsystem", "sklearn.externals.joblib\nload", "builtins\neval"])
def test_an_old_file_is_refused_if_it_is_dangerous(name: str, tmp_path: Path) -> None:
    call = f"c{name}\n".encode() + b"X\x04\x00\x00\x00true\x85R0"
    with pytest.raises(RefusedFile) as refusal:
        found_in(old_pickle("sklearn.tree.tree", "DecisionTreeClassifier", more=call), tmp_path)
    assert refusal.value.code == "dangerous"


def test_text_of_python_2(tmp_path: Path) -> None:
    content = b"\x80\x02csklearn.linear_model.base\nLinearRegression\n)\x81}(U\x05coef_U\x01xub."
    old = found_in(content, tmp_path)
    assert old is not None
    assert "under Python 2" in str(old)


def refusal_of(answers: Answers) -> tuple[str, str]:
    """Return the message of the refusal, and the line that converts the file."""
    with pytest.raises(AnswerError) as refusal:
        decide(answers)
    (problem,) = refusal.value.found
    assert problem.repair is not None
    assert dict(problem.repair.answers) == {"model_path": f"model-sklearn-{CONVERTED_BY}.joblib"}
    return str(problem), problem.repair.first


def answers(folder: Path) -> Answers:
    return Answers("A model", "a-model", "About it.", "model.pkl", folder, features="a,b,c,d")


def test_the_refusal_has_the_line_that_converts(tmp_path: Path) -> None:
    found_in(old_pickle("sklearn.linear_model.base", "LinearRegression"), tmp_path)
    sentence, line = refusal_of(answers(tmp_path))
    assert "fitted with scikit-learn 0.21.3, which cannot be installed" in sentence
    assert line.startswith(f"uv run --no-project --python {PYTHON} --with ")
    assert f" --with scikit-learn=={CONVERTED_BY} " in line
    script = ROOT / "hooks" / "convert.py"
    assert line.endswith(f" python {script} model.pkl model-sklearn-{CONVERTED_BY}.joblib")


def pasted(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.heavy
def test_the_line_converts_and_the_new_file_is_adopted(tmp_path: Path) -> None:
    old = old_environment("0.24.2", "3.8", RELEASES[-3][2])
    made = tmp_path / "made"
    made.mkdir()
    subprocess.run([*old, HERE / "train_old_models.py", made], check=True, capture_output=True)
    (tmp_path / "model.pkl").write_bytes((made / "forest.pkl").read_bytes())
    _, line = refusal_of(answers(tmp_path))
    first = pasted(line, tmp_path)
    assert first.returncode == 0, first.stderr
    new = tmp_path / f"model-sklearn-{CONVERTED_BY}.joblib"
    assert adopted(tmp_path, new, features="a,b,c,d", python_version=PYTHON).exists()
    second = pasted(line, tmp_path)
    assert "exists already" in second.stderr
    with pytest.raises(UserError, match="needs no conversion"):
        convert(tmp_path, new, tmp_path / "third.joblib")
    python = find_python(PYTHON)
    assert python is not None
    said = convert(tmp_path, tmp_path / "model.pkl", tmp_path / "third.joblib")
    assert "third.joblib holds the model as scikit-learn 1.1.3 saves it" in said
    assert (tmp_path / "third.joblib").read_bytes() == new.read_bytes()


@pytest.mark.slow
@pytest.mark.heavy
def test_only_names_that_inspection_found_are_imported(tmp_path: Path) -> None:
    content = pickle.dumps(Global("a", "b"))
    code = (
        "import sys, pathlib; from workbench.resave import load_old\n"
        "load_old(pathlib.Path(sys.argv[1]).read_bytes(), set())"
    )
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    result = subprocess.run(
        [training_environment(CONVERTER, PYTHON), "-c", code, path],
        env=environment(PYTHONPATH=str(SRC)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "was not found by the inspection of the file" in result.stderr
