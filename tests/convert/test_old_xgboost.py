"""Files of XGBoost 0.90 and 1.2 are converted by 2.1.4, and predict the same as before."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from conftest import ROOT
from first_try.runner import trained, training_environment

from workbench.adopt.answers import Answers
from workbench.adopt.decide import decide
from workbench.adopt.problems import AnswerError, Problem
from workbench.convert import convert
from workbench.inspect import OldFile, file_facts, read_document
from workbench.inspect.document import Document
from workbench.inspect.old_booster import CONVERTED_BY, old_booster, refusal_of_old_booster
from workbench.inspect.old_file import refusal_of_old
from workbench.inspect.pickle.arrays import make_dtype
from workbench.inspect.pickle.load_effects import LoadEffects
from workbench.inspect.pickle.names_check import UnlistedNames
from workbench.inspect.pickle.values import Array, Dict, Global, Instance
from workbench.lock.conversion import PYTHON

COMPANIONS = ["scikit-learn==0.24.2", "numpy<1.21", "scipy<1.8", "pandas<1.3"]
# Its mean of the target, four features, no classes, and more that no test reads.
BINARY = b"\x00\x00\x00\x3f\x04\x00\x00\x00\x00\x00\x00\x00" + bytes(124)
PREDICT = """\
import json, sys, joblib, pandas, xgboost
model = joblib.load(sys.argv[1])
rows = pandas.DataFrame(json.load(open("native.json"))["rows"])
asked = xgboost.DMatrix(rows) if isinstance(model, xgboost.Booster) else rows
scaled = hasattr(model, "steps")
predicted = model.predict_proba(rows)[:, 1] if scaled else model.predict(asked)
print(json.dumps([float(value) for value in predicted]))
"""


def classifier(handle: bytes = BINARY, **state: object) -> Instance:
    """Return an XGBClassifier as a pickle has it."""
    names = ["f0", "f1", "f2", "f3"]
    booster = Dict(("handle", handle, "feature_names", names))
    attributes = {"_Booster": Instance(Global("xgboost.core", "Booster"), (), booster), **state}
    pairs = [part for pair in attributes.items() for part in pair]
    return Instance(Global("xgboost.sklearn", "XGBClassifier"), (), Dict(pairs))


def encoder(classes: bytes) -> Instance:
    array = Array((len(classes),), make_dtype(("i1", False, True)), classes)
    return Instance(Global("sklearn.preprocessing", "LabelEncoder"), (), Dict(("classes_", array)))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (classifier(), None),
        (classifier(missing=None, _le=encoder(b"\x00\x01\x02")), None),
        (classifier(missing=0), "it takes 0 for a missing value"),
        (classifier(_le=encoder(b"\x01\x02")), "its classes are not the numbers 0, 1"),
    ],
    ids=["plain", "classes", "missing", "other classes"],
)
def test_what_is_converted_answers_as_before(model: Instance, words: str | None) -> None:
    old = refusal_of_old_booster(model, "0.90")
    assert old is not None
    assert old.can_be_converted is (words is None)
    assert words is None or words in str(old)


def test_the_model_is_taken_out_of_the_pickle() -> None:
    marked = b"CONFIG-offset:" + bytes(8) + b"binf" + BINARY
    for handle, content in ((BINARY, BINARY), (marked, marked[22:])):
        found = old_booster(classifier(handle))
        assert found is not None
        assert (found.content, found.wrapper) == (content, "XGBClassifier")
        assert found.feature_names is None  # they are XGBoost's own
    assert old_booster(classifier(b'{"Config": {}}')) is None
    assert old_booster(classifier(b"{L" + bytes(60))) is None


def refusal_of(folder: Path, name: str) -> Problem:
    with pytest.raises(AnswerError) as caught:
        decide(Answers("A model", "a-model", "About it.", name, folder))
    (problem,) = caught.value.found
    return problem


def test_the_refusal_has_the_line_that_converts(tmp_path: Path) -> None:
    (tmp_path / "old.model").write_bytes(b"binf" + BINARY)
    problem = refusal_of(tmp_path, "old.model")
    assert "in the binary format that XGBoost 3.1 gave up" in problem.message
    assert problem.repair is not None
    line = problem.repair.first
    assert line.startswith(f"uv run --no-project --python {PYTHON} --with ")
    assert f" --with xgboost-cpu=={CONVERTED_BY} " in line
    target = f"old-xgboost-{CONVERTED_BY}.joblib"
    assert line.endswith(f" python {ROOT / 'hooks' / 'convert.py'} old.model {target}")
    assert problem.repair.answers == {"model_path": target}


def old_file(model: object, libraries: Mapping[str, str], *names: Global) -> OldFile | None:
    """Return the refusal of a file that holds an object and refers to these names."""
    effects = LoadEffects(names=set(names))
    document = Document(Path("a.pkl"), "pickle", ".pkl", None, 0, "", model, effects, False)
    return refusal_of_old(document, libraries, UnlistedNames((), (), ()))


XGBOOST, OTHER = Global("xgboost.sklearn", "XGBClassifier"), Global("lightgbm.basic", "Booster")


@pytest.mark.parametrize(
    ("model", "sklearn", "by"),
    [
        (classifier(), None, {"xgboost": CONVERTED_BY}),
        (classifier(), "1.0.2", {"scikit-learn": "1.0.2", "xgboost": CONVERTED_BY}),
        (classifier(), "0.24.2", {"scikit-learn": "1.1.3", "xgboost": CONVERTED_BY}),
        (classifier(missing=0), "1.0.2", {}),
        (classifier(missing=0), "0.24.2", {}),
    ],
)
def test_in_a_dict_it_is_converted_by_the_scikit_learn_of_the_file(
    model: Instance, sklearn: str | None, by: Mapping[str, str]
) -> None:
    libraries = {"xgboost": "0.90", **({"scikit-learn": sklearn} if sklearn else {})}
    old = old_file(Dict(("model", model)), libraries, XGBOOST)
    assert old is not None
    assert (old.can_be_converted, old.converted_by) == (bool(by), by)
    beside = old_file(Dict(("model", model)), libraries, XGBOOST, OTHER)
    assert beside is not None
    assert not beside.can_be_converted


@pytest.mark.slow
@pytest.mark.heavy
@pytest.mark.parametrize("version", ["0.90", "1.2.1"])
def test_old_files_predict_the_same_when_they_are_converted(version: str, tmp_path: Path) -> None:
    folder = trained(tmp_path, "old_xgboost.py", [f"xgboost=={version}", *COMPANIONS], "3.8")
    native = json.loads((folder / "native.json").read_text(encoding="utf-8"))
    newer = [f"xgboost-cpu=={CONVERTED_BY}", "scikit-learn==1.6.1", "pandas==2.2.3"]
    python = training_environment(newer, PYTHON)
    for name, expected in (
        ("model.pkl", native["predictions"]),
        ("booster.pkl", native["numbers"]),
        ("pipeline.pkl", native["scaled"]),
        ("booster.model", native["numbers"]),
    ):
        new = folder / f"{name}.joblib"
        assert f"XGBoost {CONVERTED_BY}" in convert(folder, folder / name, new)
        assert file_facts(read_document(new)).libraries["xgboost"] == CONVERTED_BY
        said = subprocess.check_output([python, "-c", PREDICT, new], cwd=folder, text=True)
        assert json.loads(said) == expected
