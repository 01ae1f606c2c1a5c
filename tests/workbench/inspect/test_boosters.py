"""XGBoost, LightGBM and CatBoost: what their files say, and (slow) that the pins load them.

The files in tests/data/boosters are real, each written by the release in its name; make.py there
made them. Needs uv (on PATH), the Pythons and the network for the slow ones.
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
import subprocess
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

from model_service.contract.contract import parse_output
from model_service.model.adapters import BoosterAdapter
from model_service.model.model import Manifest
from workbench.inspect import ModelFacts, Refused, inspect
from workbench.inspect.facts import BoosterFacts
from workbench.inspect.formats import catboost_model, lightgbm_model, xgboost_model
from workbench.lock.choose import pins, pythons
from workbench.lock.pins import NoPins, Pins

DATA = json.loads((SRC / "workbench" / "lock" / "pins.json").read_text(encoding="utf-8"))
FILES = TESTS / "data" / "boosters"
MAKE = FILES / "make.py"
NAMES = ("Income", "Credit history", "limit(%)")
REWRITTEN = ("Income", "Credit_history", "limit(%)")  # by LightGBM
MIXED = (*NAMES, "Area")


@dataclass(frozen=True)
class Said:
    """What a file says of itself."""

    estimator: str
    libraries: dict[str, str]
    classes: tuple[object, ...] | None = (0, 1)
    feature_names: tuple[str, ...] | None = NAMES
    n_features: int = 3
    task: str = "classification"


SAID = {
    "xgboost-1.5.2-frame": Said("XGBClassifier", {"xgboost": "1.5.2"}),
    "xgboost-1.7.6-three": Said("XGBClassifier", {"xgboost": "1.7.6"}, (0, 1, 2), None),
    "xgboost-2.0.3-pipeline": Said(
        "XGBClassifier", {"scikit-learn": "1.3.2", "xgboost": "2.0.3"}, (0, 1), MIXED, 4
    ),
    "xgboost-3.4.1-frame": Said("XGBClassifier", {"xgboost": "3.4.1"}),
    "lightgbm-3.3.5-regressor": Said("LGBMRegressor", {}, None, REWRITTEN, task="regression"),
    "lightgbm-4.6.0-array": Said("LGBMClassifier", {"scikit-learn": "1.7.2"}, (0, 1), None),
    "lightgbm-4.7.0-text": Said(
        "LGBMClassifier", {"scikit-learn": "1.9.1"}, ("no", "yes"), REWRITTEN
    ),
    "catboost-1.2.2-frame": Said("CatBoostClassifier", {"catboost": "1.2.2"}),
    "catboost-1.2.7-search": Said(
        "CatBoostClassifier", {"catboost": "1.2.7", "scikit-learn": "1.5.2"}, (0, 1), MIXED, 4
    ),
    "catboost-1.2.10-text": Said("CatBoostClassifier", {"catboost": "1.2.10"}, ("no", "yes")),
    "catboost-1.2.10-array": Said("CatBoostClassifier", {"catboost": "1.2.10"}, (0, 1), None),
}


@pytest.mark.parametrize("name", SAID)
def test_what_a_file_says(name: str) -> None:
    facts, said = inspect(FILES / f"{name}.joblib"), SAID[name]
    assert facts.estimator == said.estimator
    assert dict(facts.libraries) == said.libraries
    assert facts.classes == said.classes
    assert facts.feature_names == said.feature_names
    assert facts.n_features == said.n_features
    assert (facts.task, facts.n_outputs) == (said.task, 1)
    assert facts.has_probabilities is (said.task == "classification")
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
def test_only_lightgbm_says_its_format_instead(name: str, format_: dict[str, str]) -> None:
    assert inspect(FILES / f"{name}.joblib").formats == format_


@dataclass(frozen=True)
class Raw:
    """What a booster without a scikit-learn class says; `binary` where classes can be asked for."""

    container: str
    versions: dict[str, str]
    classes: tuple[object, ...] | None = None
    binary: tuple[object, ...] | None = None
    n_outputs: int = 1
    feature_names: tuple[str, ...] | None = NAMES
    words: str = ""  # of the notice


PROBABILITY = "its own number, the probability of class 1, unless .* `labels` of 0 and 1"
LIKELIEST = "the likeliest class and the probabilities.* 0 to 2"
RAW = {
    "xgboost-1.6.2-raw.json": Raw(
        "xgboost", {"xgboost": "1.6.2"}, binary=(0, 1), words=PROBABILITY
    ),
    "xgboost-1.7.6-raw-three.ubj": Raw("xgboost", {"xgboost": "1.7.6"}, (0, 1, 2), words=LIKELIEST),
    "xgboost-2.0.3-raw-number.json": Raw("xgboost", {"xgboost": "2.0.3"}),
    "xgboost-3.0.5-raw.joblib": Raw(
        "pickle", {"xgboost": "3.0.5"}, binary=(0, 1), words=PROBABILITY
    ),
    "xgboost-3.0.5-raw-softmax.json": Raw(
        "xgboost", {"xgboost": "3.0.5"}, words="the index of the class"
    ),
    "xgboost-3.4.1-raw.ubj": Raw("xgboost", {"xgboost": "3.4.1"}, binary=(0, 1), words=PROBABILITY),
    "xgboost-3.4.1-raw-three.json": Raw(
        "xgboost", {"xgboost": "3.4.1"}, (0, 1, 2), words=LIKELIEST
    ),
    "xgboost-3.4.1-raw-numbers.ubj": Raw("xgboost", {"xgboost": "3.4.1"}, n_outputs=2),
    "lightgbm-3.3.5-raw.txt": Raw(
        "lightgbm",
        {"lightgbm": "v3"},
        binary=(0, 1),
        feature_names=REWRITTEN,
        words=PROBABILITY,
    ),
    "lightgbm-4.6.0-raw-three.txt": Raw(
        "lightgbm", {"lightgbm": "v4"}, (0, 1, 2), feature_names=REWRITTEN, words=LIKELIEST
    ),
    "lightgbm-4.6.0-raw-number.txt": Raw("lightgbm", {"lightgbm": "v4"}, feature_names=REWRITTEN),
    "lightgbm-4.6.0-booster.joblib": Raw(
        "pickle", {"lightgbm": "v4"}, binary=(0, 1), feature_names=None, words=PROBABILITY
    ),
    "catboost-1.2.2-raw.cbm": Raw("catboost", {"catboost": "1.2.2"}, (0, 1)),
    "catboost-1.2.10-raw-three.cbm": Raw("catboost", {"catboost": "1.2.10"}, (0, 1, 2)),
    "catboost-1.2.10-raw-number.cbm": Raw("catboost", {"catboost": "1.2.10"}),
    "catboost-1.2.10-raw-numbers.cbm": Raw("catboost", {"catboost": "1.2.10"}, n_outputs=2),
    "catboost-1.2.10-raw.joblib": Raw(
        "pickle", {"catboost": "1.2.10"}, binary=(0, 1), words="the log-odds of class 1"
    ),
    "catboost-1.2.10-raw-three.joblib": Raw("pickle", {"catboost": "1.2.10"}, (0, 1, 2)),
}


@pytest.mark.parametrize("name", RAW)
def test_what_a_raw_booster_says(name: str, tmp_path: Path) -> None:
    """By its content: the file has no suffix."""
    file = tmp_path / "model"
    shutil.copy(FILES / name, file)
    facts, said = inspect(file), RAW[name]
    assert (facts.container, {**facts.libraries, **facts.formats}) == (
        said.container,
        said.versions,
    )
    assert facts.suffix == (Path(name).suffix if said.container != "pickle" else ".pkl")
    assert (facts.task, facts.classes, facts.binary, facts.n_outputs) == (
        "classification" if said.classes else "regression",
        said.classes,
        said.binary,
        said.n_outputs,
    )
    assert facts.has_probabilities is (said.classes is not None)
    assert (facts.feature_names, facts.n_features) == (said.feature_names, 3)
    assert re.search(said.words, " ".join(facts.notices))
    assert bool(said.words) is bool(facts.notices)
    assert facts.unknown_names == ()
    assert name.partition("-")[0] in facts.distributions


NATIVE = [name for name, said in RAW.items() if said.container != "pickle"]


@pytest.mark.parametrize("name", NATIVE)
def test_a_file_that_is_cut_off_is_refused_as_such(name: str, tmp_path: Path) -> None:
    content, file = (FILES / name).read_bytes(), tmp_path / "model"
    # LightGBM's trees end before its file does: the rest says how it was trained.
    rest = 0 if not name.endswith(".txt") else len(content) - content.index(b"end of trees")
    for size in range(40, len(content) - rest - 2, 97):
        file.write_bytes(content[:size])
        with pytest.raises(Refused) as refusal:
            inspect(file)
        assert refusal.value.code in ("truncated", "malformed"), size


@pytest.mark.parametrize("name", NATIVE)
def test_a_damaged_file_is_refused_or_says_less(name: str, tmp_path: Path) -> None:
    """Whatever stands in it: an answer in no time, and no traceback."""
    content, file, random = (FILES / name).read_bytes(), tmp_path / "model", Random(name)
    for _ in range(150):
        damaged = bytearray(content)
        for _ in range(random.choice((1, 4, 16))):
            damaged[random.randrange(16, len(content))] = random.choice((0, 0x7F, 0xFF, 0x7B, 0x22))
        file.write_bytes(damaged)
        with contextlib.suppress(Refused):
            assert isinstance(inspect(file), ModelFacts)


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (
            (FILES / "xgboost-1.7.6-raw.model").read_bytes(),
            "unsupported",
            r"save_model\('model.ubj",
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
def test_a_strange_file_is_refused(content: bytes, code: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "model.ubj"
    file.write_bytes(content)
    with pytest.raises(Refused, match=words) as refusal:
        inspect(file)
    assert refusal.value.code == code


def test_a_booster_with_trees_after_the_best_says_that_it_uses_them(tmp_path: Path) -> None:
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
def test_a_large_model_says_as_much(name: str, size: int, tmp_path: Path) -> None:
    """Of trees without end only what stands before and behind them is read."""
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


def test_a_large_lightgbm_model_says_as_much(tmp_path: Path) -> None:
    content, file = (FILES / "lightgbm-3.3.5-raw.txt").read_bytes(), tmp_path / "model"
    file.write_bytes(content.replace(b"Tree=0\n", b"Tree=0\n" * (50 << 17), 1))
    facts = inspect(file)
    assert (facts.feature_names, facts.binary) == (REWRITTEN, (0, 1))


def test_a_catboost_model_that_is_too_large_is_refused_as_such(tmp_path: Path) -> None:
    content, file = (FILES / "catboost-1.2.2-raw.cbm").read_bytes(), tmp_path / "model"
    file.write_bytes(content + bytes(50 << 20))
    with pytest.raises(Refused, match="CatBoost model in it is too large") as refusal:
        inspect(file)
    assert refusal.value.code == "too_big"


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("xgboost-3.0.5-ranker", "unsupported", r"an XGBRanker.*XGBClassifier"),
        ("catboost-1.2.10-unfitted", "unfitted", "CatBoostClassifier in the file has not"),
    ],
)
def test_what_cannot_be_served_is_refused(name: str, code: str, words: str) -> None:
    with pytest.raises(Refused, match=words) as refusal:
        inspect(FILES / f"{name}.joblib")
    assert refusal.value.code == code


def test_a_mix_of_versions_names_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    with pytest.raises(Refused, match=r"XGBoost 3\.4\.0 and 3\.4\.1") as refusal:
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
def test_a_strange_xgboost_model_says_nothing(content: bytes) -> None:
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
def test_a_strange_catboost_model_says_nothing(content: bytes) -> None:
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


@pytest.mark.parametrize("name", SAID)
@pytest.mark.parametrize("kept", [0.3, 0.7])
def test_damaged_models_are_refused_or_say_less(name: str, kept: float, tmp_path: Path) -> None:
    """Whatever stands in the middle of a model in its own format: no traceback."""
    data = bytearray((FILES / f"{name}.joblib").read_bytes())
    middle = int(len(data) * kept)
    for size in (1, 8, 64):
        for value in (0x00, 0x7F, 0xFF):
            data[middle : middle + size] = bytes([value]) * size
            file = tmp_path / "damaged.pkl"
            file.write_bytes(data)
            with contextlib.suppress(Refused):
                assert isinstance(inspect(file), ModelFacts)


# classes of a booster, what it gives for two rows, what is predicted, the probabilities
ANSWERED = [
    (None, [0.25, 0.75], [0.25, 0.75], None),
    (["no", "yes"], [0.25, 0.5], ["no", "yes"], [[0.75, 0.25], [0.5, 0.5]]),
    ([0, 1], [[0.75, 0.25], [0.25, 0.75]], [0, 1], [[0.75, 0.25], [0.25, 0.75]]),
    ([5, 6, 7], [[0.5, 0.25, 0.25], [0, 0, 1]], [5, 7], [[0.5, 0.25, 0.25], [0, 0, 1]]),
]


@pytest.mark.parametrize(("classes", "native", "predicted", "shares"), ANSWERED)
def test_a_raw_booster_answers_its_number_or_classes(
    classes: list[Any] | None, native: Any, predicted: list[Any], shares: Any
) -> None:
    def predict(rows: Any) -> Any:
        return np.array(native)

    booster = BoosterAdapter(predict, predict, classes)
    assert booster.predict(None).tolist() == predicted
    if shares is not None:
        assert booster.predict_proba(None).tolist() == shares


def test_a_raw_booster_is_adopted_with_what_it_may_be_asked_for(tmp_path: Path) -> None:
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
    asked = Manifest.read(result.project / "model" / "manifest.json").as_asked(
        parse_output(contract["output"])
    )
    public = asked.public()
    assert (public["task"], public["classes"]) == ("classification", [0, 1])
    assert public["probabilities"] is True


def test_labels_of_other_classes_are_refused(tmp_path: Path) -> None:
    contract = {"features": [{"name": name} for name in NAMES], "output": {"labels": {"Y": "yes"}}}
    (tmp_path / "features.json").write_text(json.dumps(contract))
    model = FILES / "lightgbm-4.6.0-booster.joblib"
    result = bake(tmp_path, model_path=model, features="features.json")
    assert result.status != 0
    assert '"labels" names Y; the classes are 0, 1' in result.message


# libraries of the file, its distributions, its format, then what they get
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
def test_pins(
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
def test_numpy_of_the_file(
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
def test_no_pins(
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


EVERY = [
    ({library: release}, {})
    for library in ("xgboost", "catboost")
    for era in DATA["boosters"][library]
    for release in era["releases"]
] + [({"scikit-learn": release}, {"lightgbm": "v4"}) for release in DATA["releases"]]


@pytest.mark.parametrize(("libraries", "formats"), EVERY)
def test_every_release_has_a_complete_set(
    libraries: dict[str, str], formats: dict[str, str]
) -> None:
    distributions = {*libraries, *formats}
    for python in pythons(libraries, distributions, formats=formats):
        chosen = pins(libraries, python, distributions=distributions, pandas=True, formats=formats)
        assert {"scikit-learn", "numpy", "scipy", "joblib", "pandas"} <= set(chosen.model)
        installed = {name.removesuffix("-cpu"): v for name, v in chosen.model.items()}
        assert libraries.items() <= installed.items()
        assert set(chosen.bounds) <= {*chosen.model, *chosen.service}
        # One environment gets all of them: where two parts share a name they agree.
        for name in set(chosen.model) & {*chosen.service, *chosen.tests}:
            assert chosen.model[name] == {**chosen.service, **chosen.tests}[name]


def test_lines_serve_other_machines_too() -> None:
    chosen = pins({"xgboost": "3.0.5"}, "3.13", distributions=("xgboost",), pandas=False)
    assert chosen.model["xgboost-cpu"] == "3.0.5"
    for lines in (chosen.requirements, chosen.exact):
        assert list(lines) == sorted(lines)
        mine = [line for line in lines if line.startswith("xgboost")]
        assert [line.partition(" ; ")[0] for line in mine] == [
            "xgboost-cpu==3.0.5",
            "xgboost==3.0.5",
        ]
        assert all(" ; (sys_platform" in line for line in mine)
    assert "numpy>=2.3,<2.4" in chosen.requirements
    assert "numpy==2.3.5" in chosen.exact
    assert "flask==3.1.3" in chosen.exact


# library, its version, the scikit-learn beside it, Python
PROVEN = [
    ("xgboost", "3.4.1", "3.13"),
    ("xgboost", "2.1.4", "3.11"),
    ("lightgbm", "v4", "3.12"),
    ("catboost", "1.2.10", "3.11"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("library", "version", "python"), PROVEN)
def test_a_model_is_made_inspected_and_loaded_with_its_pins(
    library: str, version: str, python: str, tmp_path: Path
) -> None:
    uv = shutil.which("uv")
    assert uv, "make puts the uv of .venv on PATH"
    find = [uv, "python", "find", "--no-python-downloads", python]
    here = subprocess.run(find, capture_output=True, text=True, cwd=tmp_path, check=False)
    if here.returncode:
        pytest.skip(f"Python {python} is not here")

    def run(*command: str) -> str:
        """Run a command; show what it says where it fails."""
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    libraries = {} if library == "lightgbm" else {library: version}
    formats = {library: version} if library == "lightgbm" else {}
    wanted = pins(libraries, python, distributions=(library,), pandas=True, formats=formats)
    (tmp_path / "requirements.txt").write_text("\n".join(wanted.exact), encoding="utf-8")
    run(uv, "venv", "--quiet", "--python", here.stdout.strip(), "venv")
    inside = ["--quiet", "--python", "venv"]
    # With --no-deps something missing would be found by the check only.
    run(uv, "pip", "install", *inside, "--no-deps", "-r", "requirements.txt")
    run(uv, "pip", "check", *inside)
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
    """Choose the pins as adopt does."""
    return pins(
        facts.libraries,
        python,
        distributions=facts.distributions,
        pandas=True,
        numpy_major=facts.numpy_major,
        formats=facts.formats,
    )
