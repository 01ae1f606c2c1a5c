"""Facts and refusals of XGBoost, LightGBM and CatBoost models, in pickles and native files.

The files in tests/data/boosters are real: make.py there wrote each with the release in its name.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import json
import pickle
import re
import shutil
import struct
import sys
import time
import types
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from conftest import SRC, TESTS, bake
from sklearn.linear_model import LogisticRegression

from model_service.contract.schema import parse_output
from model_service.model.adapters import BoosterAdapter
from model_service.model.manifest import Manifest
from workbench.inspect import ModelFacts, RefusedFile, inspect
from workbench.inspect.estimators.unusable import require_fitted
from workbench.inspect.facts import BoosterFacts
from workbench.inspect.formats import catboost_model, lightgbm_model, xgboost_model
from workbench.inspect.pickle.object_walk import Place
from workbench.inspect.pickle.parameters import check_parameter
from workbench.inspect.pickle.values import Array, Dict, DType, Global, Instance

DATA = json.loads((SRC / "workbench" / "lock" / "pins.json").read_text(encoding="utf-8"))
FILES = TESTS / "data" / "boosters"
MAKE = FILES / "make.py"
NAMES = ("Income", "Credit history", "limit(%)")
LIGHTGBM_NAMES = ("Income", "Credit_history", "limit(%)")  # LightGBM replaces spaces
MIXED = (*NAMES, "Area")


@dataclass(frozen=True)
class Expected:
    """The expected facts of a pickled model."""

    estimator: str
    libraries: dict[str, str]
    classes: tuple[object, ...] | None = (0, 1)
    feature_names: tuple[str, ...] | None = NAMES
    n_features: int = 3
    task: str = "classification"


PICKLED = {
    "xgboost-1.5.2-frame": Expected("XGBClassifier", {"xgboost": "1.5.2"}),
    "xgboost-1.7.6-three": Expected("XGBClassifier", {"xgboost": "1.7.6"}, (0, 1, 2), None),
    "xgboost-2.0.3-pipeline": Expected(
        "XGBClassifier", {"scikit-learn": "1.3.2", "xgboost": "2.0.3"}, (0, 1), MIXED, 4
    ),
    "xgboost-3.4.1-frame": Expected("XGBClassifier", {"xgboost": "3.4.1"}),
    "lightgbm-3.3.5-regressor": Expected(
        "LGBMRegressor", {}, None, LIGHTGBM_NAMES, task="regression"
    ),
    "lightgbm-4.6.0-array": Expected("LGBMClassifier", {"scikit-learn": "1.7.2"}, (0, 1), None),
    "lightgbm-4.7.0-text": Expected(
        "LGBMClassifier", {"scikit-learn": "1.9.1"}, ("no", "yes"), LIGHTGBM_NAMES
    ),
    "catboost-1.2.2-frame": Expected("CatBoostClassifier", {"catboost": "1.2.2"}),
    "catboost-1.2.7-search": Expected(
        "CatBoostClassifier", {"catboost": "1.2.7", "scikit-learn": "1.5.2"}, (0, 1), MIXED, 4
    ),
    "catboost-1.2.10-text": Expected("CatBoostClassifier", {"catboost": "1.2.10"}, ("no", "yes")),
    "catboost-1.2.10-array": Expected("CatBoostClassifier", {"catboost": "1.2.10"}, (0, 1), None),
}


@pytest.mark.parametrize("name", PICKLED)
def test_facts_of_a_pickled_model(name: str) -> None:
    facts, expected = inspect(FILES / f"{name}.joblib"), PICKLED[name]
    assert facts.estimator == expected.estimator
    assert dict(facts.libraries) == expected.libraries
    assert facts.classes == expected.classes
    assert facts.feature_names == expected.feature_names
    assert facts.n_features == expected.n_features
    assert (facts.task, facts.n_outputs) == (expected.task, 1)
    assert facts.has_probabilities is (expected.task == "classification")
    assert facts.unknown_names == ()
    assert name.partition("-")[0] in facts.distributions


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("lightgbm-3.3.5-regressor", {"lightgbm": "v3"}),
        ("lightgbm-4.7.0-text", {"lightgbm": "v4"}),
        ("xgboost-3.4.1-frame", {}),
    ],
)
def test_only_lightgbm_has_a_format_instead_of_a_version(
    name: str, format_: dict[str, str]
) -> None:
    assert inspect(FILES / f"{name}.joblib").formats == format_


@dataclass(frozen=True)
class ExpectedRaw:
    """The expected facts of a booster without a scikit-learn class."""

    container: str
    versions: dict[str, str]
    classes: tuple[object, ...] | None = None
    binary: tuple[object, ...] | None = None
    n_outputs: int = 1
    feature_names: tuple[str, ...] | None = NAMES
    words: str = ""  # of the notice


PROBABILITY = "its own number, the probability of class 1, unless .* `labels` of 0 and 1"
LIKELIEST = "the likeliest class and the probabilities.* 0 to 2"
RAW_BOOSTERS = {
    "xgboost-1.6.2-raw.json": ExpectedRaw(
        "xgboost", {"xgboost": "1.6.2"}, binary=(0, 1), words=PROBABILITY
    ),
    "xgboost-1.7.6-raw-three.ubj": ExpectedRaw(
        "xgboost", {"xgboost": "1.7.6"}, (0, 1, 2), words=LIKELIEST
    ),
    "xgboost-2.0.3-raw-number.json": ExpectedRaw("xgboost", {"xgboost": "2.0.3"}),
    "xgboost-3.0.5-raw.joblib": ExpectedRaw(
        "pickle", {"xgboost": "3.0.5"}, binary=(0, 1), words=PROBABILITY
    ),
    "xgboost-3.0.5-raw-softmax.json": ExpectedRaw(
        "xgboost", {"xgboost": "3.0.5"}, words="the index of the class"
    ),
    "xgboost-3.4.1-raw.ubj": ExpectedRaw(
        "xgboost", {"xgboost": "3.4.1"}, binary=(0, 1), words=PROBABILITY
    ),
    "xgboost-3.4.1-raw-three.json": ExpectedRaw(
        "xgboost", {"xgboost": "3.4.1"}, (0, 1, 2), words=LIKELIEST
    ),
    "xgboost-3.4.1-raw-numbers.ubj": ExpectedRaw("xgboost", {"xgboost": "3.4.1"}, n_outputs=2),
    "lightgbm-3.3.5-raw.txt": ExpectedRaw(
        "lightgbm",
        {"lightgbm": "v3"},
        binary=(0, 1),
        feature_names=LIGHTGBM_NAMES,
        words=PROBABILITY,
    ),
    "lightgbm-4.6.0-raw-three.txt": ExpectedRaw(
        "lightgbm", {"lightgbm": "v4"}, (0, 1, 2), feature_names=LIGHTGBM_NAMES, words=LIKELIEST
    ),
    "lightgbm-4.6.0-raw-number.txt": ExpectedRaw(
        "lightgbm", {"lightgbm": "v4"}, feature_names=LIGHTGBM_NAMES
    ),
    "lightgbm-4.6.0-booster.joblib": ExpectedRaw(
        "pickle", {"lightgbm": "v4"}, binary=(0, 1), feature_names=None, words=PROBABILITY
    ),
    "catboost-1.2.2-raw.cbm": ExpectedRaw("catboost", {"catboost": "1.2.2"}, (0, 1)),
    "catboost-1.2.10-raw-three.cbm": ExpectedRaw("catboost", {"catboost": "1.2.10"}, (0, 1, 2)),
    "catboost-1.2.10-raw-number.cbm": ExpectedRaw("catboost", {"catboost": "1.2.10"}),
    "catboost-1.2.10-raw-numbers.cbm": ExpectedRaw("catboost", {"catboost": "1.2.10"}, n_outputs=2),
    "catboost-1.2.10-raw.joblib": ExpectedRaw(
        "pickle", {"catboost": "1.2.10"}, binary=(0, 1), words="the log-odds of class 1"
    ),
    "catboost-1.2.10-raw-three.joblib": ExpectedRaw("pickle", {"catboost": "1.2.10"}, (0, 1, 2)),
}


@pytest.mark.parametrize("name", RAW_BOOSTERS)
def test_facts_of_a_raw_booster(name: str, tmp_path: Path) -> None:
    """The format is recognized by content: the file has no suffix."""
    file = tmp_path / "model"
    shutil.copy(FILES / name, file)
    facts, expected = inspect(file), RAW_BOOSTERS[name]
    assert (facts.container, {**facts.libraries, **facts.formats}) == (
        expected.container,
        expected.versions,
    )
    assert facts.suffix == (Path(name).suffix if expected.container != "pickle" else ".pkl")
    assert (facts.task, facts.classes, facts.binary, facts.n_outputs) == (
        "classification" if expected.classes else "regression",
        expected.classes,
        expected.binary,
        expected.n_outputs,
    )
    assert facts.has_probabilities is (expected.classes is not None)
    assert (facts.feature_names, facts.n_features) == (expected.feature_names, 3)
    assert re.search(expected.words, " ".join(facts.notices))
    assert bool(expected.words) is bool(facts.notices)
    assert facts.unknown_names == ()
    assert name.partition("-")[0] in facts.distributions


NATIVE = [name for name, expected in RAW_BOOSTERS.items() if expected.container != "pickle"]


@pytest.mark.parametrize("name", NATIVE)
def test_truncated_native_files_are_refused(name: str, tmp_path: Path) -> None:
    content, file = (FILES / name).read_bytes(), tmp_path / "model"
    # A LightGBM file without the training parameters after its trees is still complete.
    rest = 0 if not name.endswith(".txt") else len(content) - content.index(b"end of trees")
    for size in range(40, len(content) - rest - 2, 97):
        file.write_bytes(content[:size])
        with pytest.raises(RefusedFile) as refusal:
            inspect(file)
        assert refusal.value.code in ("truncated", "malformed"), size


@pytest.mark.parametrize("name", NATIVE)
def test_damaged_native_files_end_in_facts_or_a_refusal(name: str, tmp_path: Path) -> None:
    content, file, random = (FILES / name).read_bytes(), tmp_path / "model", Random(name)
    for _ in range(150):
        damaged = bytearray(content)
        for _ in range(random.choice((1, 4, 16))):
            damaged[random.randrange(16, len(content))] = random.choice((0, 0x7F, 0xFF, 0x7B, 0x22))
        file.write_bytes(damaged)
        with contextlib.suppress(RefusedFile):
            assert isinstance(inspect(file), ModelFacts)


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (
            (FILES / "xgboost-1.7.6-raw.model").read_bytes(),
            "old_version",
            "saved by XGBoost 1.7 in the binary format",
        ),
        (b"tree\r\nversion=v4\r\n", "malformed", "line ends were changed"),
        (b"tree\nversion=v4\n", "truncated", "ends in the middle"),
        (b"tree\nversion=v4\nend of trees\n", "malformed", r"LightGBM.*save_model\('model.txt'"),
        (
            b"tree\nversion=v4\nmax_feature_idx=2\nfeature_names=a b\n\nend of trees\n",
            "malformed",
            "LightGBM",
        ),
        (b"tree\nversion=v4\n\xff\nend of trees\n", "malformed", "LightGBM model: it is damaged"),
        (
            b'{"learner":{"objective":{"name":"reg:a"},"feature_names":["a"]}}',
            "malformed",
            "XGBoost",
        ),
        (b'{"learner": {}}', "malformed", r"XGBoost.*save_model\('model.ubj'"),
        (b'{"learner":{"objective":{"name":"reg:a"}}}', "unknown_version", "version of XGBoost"),
        (b'{"learner": ' + b"[" * 100_000 + b"}", "malformed", "XGBoost"),
        (b'{"learner": {"attributes"', "truncated", "ends in the middle"),
        (
            b"{L" + b"\0" * 7 + b"\x07learner{L" + b"\x7f" * 8 + b"}",
            "malformed",
            "XGBoost",
        ),
        (b"CBM1\0\1", "truncated", "ends in the middle"),
        (b"CBM1\xff\xff\xff\xff" + b"\0" * 64, "truncated", "ends in the middle"),
        (b"CBM1\x08\0\0\0" + b"\xff" * 64, "malformed", r"CatBoost.*save_model\('model.cbm'"),
        (gzip.compress((FILES / "xgboost-3.4.1-raw.ubj").read_bytes()), "unsupported", "Unpack it"),
    ],
)
def test_malformed_native_files_are_refused(
    content: bytes, code: str, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "model.ubj"
    file.write_bytes(content)
    with pytest.raises(RefusedFile, match=words) as refusal:
        inspect(file)
    assert refusal.value.code == code


def test_a_booster_that_stopped_early_has_a_notice(tmp_path: Path) -> None:
    """XGBoost 1.6 writes the best iteration into every model: here the second of two."""
    content = (FILES / "xgboost-1.6.2-raw.json").read_bytes()
    best = b'"best_iteration":"1"'
    assert content.count(best) == 1
    file = tmp_path / "model.json"
    file.write_bytes(content.replace(best, b'"best_iteration":"0"'))
    assert "stopped early" in inspect(file).notices[-1]


def ubjson(key: str, value: bytes) -> bytes:
    return b"L" + struct.pack(">q", len(key)) + key.encode() + value


@pytest.mark.parametrize("name", ["xgboost-3.4.1-raw.ubj", "xgboost-1.6.2-raw.json"])
@pytest.mark.parametrize("size", [9 << 20, 50 << 20])
def test_a_large_model_has_the_same_facts(name: str, size: int, tmp_path: Path) -> None:
    """Only what is written before and after the trees is read."""
    content, file = (FILES / name).read_bytes(), tmp_path / "model"
    if name.endswith("json"):
        trees = b'"left_children":['
        content = content.replace(trees, trees + b"-1," * (size // 3), 1)
    else:
        trees = ubjson("gradient_booster", b"{")
        more = ubjson("more", b"[" + b"i\1" * (size // 2) + b"]")
        content = content.replace(trees, trees + more, 1)
    file.write_bytes(content)
    started = time.perf_counter()
    large, small = inspect(file), inspect(FILES / name)
    assert time.perf_counter() - started < 2
    same = dataclasses.replace(small, size=large.size, sha256=large.sha256)
    assert large == same


def test_a_large_lightgbm_model_has_the_same_facts(tmp_path: Path) -> None:
    content, file = (FILES / "lightgbm-3.3.5-raw.txt").read_bytes(), tmp_path / "model"
    file.write_bytes(content.replace(b"Tree=0\n", b"Tree=0\n" * (50 << 17), 1))
    facts = inspect(file)
    assert (facts.feature_names, facts.binary) == (LIGHTGBM_NAMES, (0, 1))


def test_a_catboost_model_that_is_too_large_is_refused(tmp_path: Path) -> None:
    content, file = (FILES / "catboost-1.2.2-raw.cbm").read_bytes(), tmp_path / "model"
    file.write_bytes(content + bytes(50 << 20))
    with pytest.raises(RefusedFile, match="CatBoost model in it is too large") as refusal:
        inspect(file)
    assert refusal.value.code == "too_big"


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("xgboost-3.0.5-ranker", "unsupported", r"an XGBRanker.*XGBClassifier"),
        ("catboost-1.2.10-unfitted", "unfitted", "CatBoostClassifier in the file has not"),
    ],
)
def test_pickled_objects_that_cannot_be_served_are_refused(
    name: str, code: str, words: str
) -> None:
    with pytest.raises(RefusedFile, match=words) as refusal:
        inspect(FILES / f"{name}.joblib")
    assert refusal.value.code == code


def test_parts_of_two_versions_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    booster = type("Booster", (), {"__module__": "xgboost.core"})
    module = types.ModuleType("xgboost.core")
    monkeypatch.setattr(module, "Booster", booster, raising=False)
    monkeypatch.setitem(sys.modules, "xgboost", types.ModuleType("xgboost"))
    monkeypatch.setitem(sys.modules, "xgboost.core", module)
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    for version in ((3, 4, 0), (3, 4, 1)):
        part = booster()
        part.handle = bytearray(b'{"version":[%d,%d,%d]}' % version)
        setattr(model, f"part{version[-1]}_", part)
    file = tmp_path / "model.pkl"
    file.write_bytes(pickle.dumps(model))
    with pytest.raises(RefusedFile, match=r"XGBoost 3\.4\.0 and 3\.4\.1") as refusal:
        inspect(file)
    assert refusal.value.code == "mixed_versions"


@pytest.mark.parametrize(
    "content",
    [
        b"{" * 100,
        b"{L" + b"\0" * 7 + b"\x01aS",
        b"{L" + b"\xff" * 8,
        b"{U\x01a[" + b"[" * 100,
        b"{U\x01a[$Z#L" + b"\x7f" * 8,
        b"{U\x01a[#L" + b"\x7f" * 8,
        b'{"' + b"[" * 100_000,
        b'{"Model": 1}',
        b"?",
        b"",
    ],
)
def test_malformed_xgboost_content_has_no_facts(content: bytes) -> None:
    assert xgboost_model.read(content) in (None, BoosterFacts())
    assert xgboost_model.version_of(content) is None


@pytest.mark.parametrize(
    "content",
    [
        b"CBM1",
        b"CBM1" + b"\xff" * 64,
        b"CBM1" + b"\0" * 64,
        b"CBM1\0\0\0\0\x04\0\0\0" + b"\x04\0\0\0" * 16,
        b"",
    ],
)
def test_malformed_catboost_content_has_no_facts(content: bytes) -> None:
    assert catboost_model.read(content) in (None, BoosterFacts())
    assert catboost_model.version_of(content) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tree\nfeature_names=a b\nmax_feature_idx=1\n\n", BoosterFacts(("a", "b"), 2)),
        ("tree\nfeature_names=Column_0\n\n", BoosterFacts()),
        ("tree\nmax_feature_idx=x\n\n", BoosterFacts()),
        ("tree\nmax_feature_idx=1\nfeature_names=a and it is cut", BoosterFacts(None, 2)),
        ("tree\n", BoosterFacts()),
        ("no tree", None),
    ],
)
def test_the_header_of_lightgbm(text: str, expected: BoosterFacts | None) -> None:
    assert lightgbm_model.read(text) == expected


@pytest.mark.parametrize("name", PICKLED)
@pytest.mark.parametrize("kept", [0.3, 0.7])
def test_damaged_models_in_a_pickle_end_in_facts_or_a_refusal(
    name: str, kept: float, tmp_path: Path
) -> None:
    data = bytearray((FILES / f"{name}.joblib").read_bytes())
    middle = int(len(data) * kept)
    for size in (1, 8, 64):
        for value in (0x00, 0x7F, 0xFF):
            data[middle : middle + size] = bytes([value]) * size
            file = tmp_path / "damaged.pkl"
            file.write_bytes(data)
            with contextlib.suppress(RefusedFile):
                assert isinstance(inspect(file), ModelFacts)


# classes, native output for two rows, predictions, probabilities
OUTPUTS = [
    (None, [0.25, 0.75], [0.25, 0.75], None),
    (["no", "yes"], [0.25, 0.5], ["no", "yes"], [[0.75, 0.25], [0.5, 0.5]]),
    ([0, 1], [[0.75, 0.25], [0.25, 0.75]], [0, 1], [[0.75, 0.25], [0.25, 0.75]]),
    ([5, 6, 7], [[0.5, 0.25, 0.25], [0, 0, 1]], [5, 7], [[0.5, 0.25, 0.25], [0, 0, 1]]),
]


@pytest.mark.parametrize(("classes", "native", "predicted", "shares"), OUTPUTS)
def test_a_raw_booster_predicts_numbers_or_classes(
    classes: list[Any] | None, native: Any, predicted: list[Any], shares: Any
) -> None:
    def predict(rows: Any) -> Any:
        return np.array(native)

    booster = BoosterAdapter(None, predict, predict, predict, classes)
    assert booster.predict(None).tolist() == predicted
    if shares is not None:
        assert booster.predict_proba(None).tolist() == shares


def test_a_raw_booster_is_adopted_with_labels_for_its_classes(tmp_path: Path) -> None:
    contract = {
        "features": [{"name": name} for name in NAMES],
        "output": {"labels": {"0": "rejected", "1": "approved"}},
    }
    (tmp_path / "features.json").write_text(json.dumps(contract))
    model = FILES / "xgboost-3.4.1-raw.ubj"
    result = bake(tmp_path, model_path=model, features="features.json", project_slug="raw")
    assert result.status == 0, result.errors
    assert f"Adopted XGBoost Booster from {model}:\n" in result.output
    assert "\nclassification into 0 (rejected), 1 (approved), 3 features" in result.output
    manifest = json.loads((result.project / "model" / "manifest.json").read_text())
    assert (manifest["model"]["file"], manifest["model"]["loader"]) == ("model.ubj", "xgboost")
    assert (result.project / "model" / "model.ubj").read_bytes() == model.read_bytes()
    kept = {key: manifest[key] for key in ("task", "classes", "probabilities", "binary")}
    assert kept == {
        "task": "regression",
        "classes": None,
        "probabilities": False,
        "binary": [0, 1],
    }
    asked = Manifest.read(result.project / "model" / "manifest.json").for_output(
        parse_output(contract["output"])
    )
    public = asked.public()
    assert (public["task"], public["classes"]) == ("classification", [0, 1])
    assert public["probabilities"] is True


def test_labels_for_other_classes_are_refused(tmp_path: Path) -> None:
    contract = {"features": [{"name": name} for name in NAMES], "output": {"labels": {"Y": "yes"}}}
    (tmp_path / "features.json").write_text(json.dumps(contract))
    model = FILES / "lightgbm-4.6.0-booster.joblib"
    result = bake(tmp_path, model_path=model, features="features.json")
    assert result.status != 0
    assert '"labels" names Y; the classes are 0, 1' in result.message


def test_a_pickle_of_an_old_lightgbm_has_a_way_out() -> None:
    """LightGBM 2 does not write the attribute `fitted_`."""
    booster = Instance(Global("lightgbm.basic", "Booster"), (), Dict(("handle", "tree\n")))
    for more in ((), ("fitted_", True)):
        state = Dict(("_Booster", booster, *more))
        model = Instance(Global("lightgbm.sklearn", "LGBMRegressor"), (), state)
        if more:
            require_fitted(model)
            continue
        with pytest.raises(RefusedFile, match=r"before 3\.3.*booster_\.save_model\('model\.txt'\)"):
            require_fitted(model)


ORDERED_DICT, BUNCH = Global("collections", "OrderedDict"), Global("sklearn.utils", "Bunch")
NUMPY_TEXT = Array((), DType("U", 32), "machines".encode("utf-32-le"))
MACHINES = Dict(["machines", "10.0.0.1:80"])
# Parameters of a LightGBM booster, and words of the refusal
LIGHTGBM_PARAMS: dict[str, tuple[object, str]] = {
    "a dict": (MACHINES, "machines='10.0.0.1:80': it names a file or another machine"),
    "an OrderedDict": (Instance(ORDERED_DICT, (), entries=MACHINES), "machines='10.0.0.1:80'"),
    "an OrderedDict of pairs": (
        Instance(ORDERED_DICT, ([("machines", "x")],)),
        "params=OrderedDict: it is no dict of parameters",
    ),
    "a Bunch": (Instance(BUNCH, (), entries=MACHINES), "params=Bunch: it is no dict of parameters"),
    "a list of pairs": ([("machines", "x")], "it is no dict of parameters"),
    "a text of NumPy's": (Dict([NUMPY_TEXT, "x"]), "it is no dict of parameters"),
}


@pytest.mark.parametrize("case", LIGHTGBM_PARAMS)
def test_parameters_of_lightgbm_reach_no_other_machine(case: str) -> None:
    params, message = LIGHTGBM_PARAMS[case]
    booster = Instance(Global("lightgbm.basic", "Booster"), (), Dict(["params", params]))
    with pytest.raises(RefusedFile, match=re.escape(message)):
        check_parameter(Place(booster, "params"), params)


@pytest.mark.parametrize(
    "params", [None, Dict(), Dict(["verbose", -1]), Instance(ORDERED_DICT, (), entries=Dict())]
)
def test_usual_parameters_of_lightgbm_are_accepted(params: object) -> None:
    booster = Instance(Global("lightgbm.basic", "Booster"), (), Dict(["params", params]))
    check_parameter(Place(booster, "params"), params)


def test_classes_of_lightgbm_can_be_called_as_a_parameter() -> None:
    classes = Dict([NUMPY_TEXT, 0])
    model = Instance(
        Global("lightgbm.sklearn", "LGBMClassifier"), (), Dict(["_class_map", classes])
    )
    check_parameter(Place(model, "_class_map"), classes)
