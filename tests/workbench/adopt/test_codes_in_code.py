"""The codes of a text column that the author's code beside the model makes."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import PYTHON
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from workbench.adopt.answers import Answers
from workbench.adopt.code.codes_in_code import codes_in_code
from workbench.adopt.code.source_files import parse_source
from workbench.adopt.decide import Adoption, decide
from workbench.adopt.problems import AnswerError

CITIES = ["Bonn", "Rome", "Wien"]
COUNTED = {"Bonn": 0.0, "Rome": 1.0, "Wien": 2.0}
RANKED = {"Rome": 1, "Wien": 2, "Bonn": 3}
ENCODER = "from sklearn.preprocessing import LabelEncoder\nle = LabelEncoder()\n"
CODE: dict[str, tuple[str, dict[str, float] | None]] = {
    "map": (f'df["city"] = df["city"].map({RANKED})', RANKED),
    "map with more texts": (f"df.city = df.city.replace({RANKED | {'Oslo': 4}})", RANKED),
    "dict of dicts": (f'codes = {{"city": {RANKED}, "sex": {{"m": 0, "f": 1}}}}', RANKED),
    "dict of the app": (f"CITY_CODES = {RANKED}", RANKED),
    "of another column": ('df["sex"] = df["sex"].map({"m": 0, "f": 1})', None),
    "two dicts": (f"a = {RANKED}\nb = {COUNTED}", None),
    "two dicts, one is the column's": (f'a = {COUNTED}\ndf["city"].map({RANKED})', RANKED),
    "encoder": (f'{ENCODER}df["city"] = le.fit_transform(df["city"])', COUNTED),
    "encoder of another": (f'{ENCODER}df["sex"] = le.fit_transform(df["sex"])', None),
    "encoder of the target": (f"{ENCODER}y = le.fit_transform(y)", None),
    "loop over types": (
        f'{ENCODER}for c in df.select_dtypes("object"):\n    df[c] = le.fit_transform(df[c])',
        COUNTED,
    ),
    "loop over a list": (
        f'{ENCODER}cols = ["sex", "city"]\nfor c in cols:\n    df[c] = le.fit_transform(df[c])',
        COUNTED,
    ),
    "loop over others": (
        f'{ENCODER}for c in ["sex", "job"]:\n    df[c] = le.fit_transform(df[c])',
        None,
    ),
    "encoders in a dict": (
        "from sklearn.preprocessing import LabelEncoder\nfound = {}\nfor c in cols:\n"
        "    found[c] = LabelEncoder()\n    df[c] = found[c].fit_transform(df[c])",
        COUNTED,
    ),
    "apply": (f'{ENCODER}df[["city", "sex"]].apply(LabelEncoder().fit_transform)', COUNTED),
    "apply to others": (f'{ENCODER}df[["job", "sex"]].apply(le.fit_transform)', None),
    "encoder and dict": (f'{ENCODER}le.fit(df["city"])\ndf["city"].map({RANKED})', None),
    "texts are changed": (
        f'{ENCODER}df.city = df.city.replace("Wien", "Vienna")\nle.fit(df["city"])',
        None,
    ),
    "a text is left out": (f'{ENCODER}df = df[df.city != "Bonn"]\nle.fit(df["city"])', None),
    "order of appearance": (f'{ENCODER}le.fit(df["city"])\nx = pd.factorize(df.sex)', None),
}


@pytest.mark.parametrize("name", CODE)
def test_code_says_which_codes(name: str) -> None:
    code, codes = CODE[name]
    source = parse_source(code, Path("train.py"), PurePosixPath("train.py"))
    found = codes_in_code("city", CITIES, [source])
    assert (found is None) == (codes is None)
    if found is not None and codes is not None:
        assert {text: found.codes[text] for text in CITIES} == {t: codes[t] for t in CITIES}
        assert "train.py" in found.where


DEPENDENTS = ["0", "1", "2", "3+"]
THREE = {"0": 0, "1": 1, "2": 2, "3+": 3}


@pytest.mark.parametrize(
    ("code", "codes"),
    [
        ('df["kin"] = df["kin"].replace("3+", 3).astype(int)', THREE),
        ('df["kin"] = df["kin"].replace("3+", "4").astype(int)', THREE | {"3+": 4}),
        ('df["kin"] = df["kin"].str.replace("+", "").astype(int)', THREE),
        ('df["kin"].replace({"3+": 3}, inplace=True)', THREE),
        ('df = df.replace(to_replace="3+", value=3)', None),
        ('df["other"] = df["other"].replace("3+", 3)', None),
        ('df["kin"] = df["kin"].replace("3+", "many")', None),
    ],
)
def test_texts_of_numbers_are_themselves(code: str, codes: dict[str, float] | None) -> None:
    """The usual loan data: 0, 1, 2 and 3+ dependents."""
    source = parse_source(code, Path("train.py"), PurePosixPath("train.py"))
    found = codes_in_code("kin", DEPENDENTS, [source])
    assert (found.codes if found is not None else None) == codes


def test_a_dict_for_all_columns_gives_the_texts_of_this_one() -> None:
    code = 'df = df.replace({"YES": 1, "NO": 0, "M": 1, "F": 0})'
    source = parse_source(code, Path("app.py"), PurePosixPath("app.py"))
    found = codes_in_code("GENDER", ["F", "M"], [source])
    assert found is not None
    assert found.codes == {"F": 0, "M": 1}


ROWS = 120
FRAME = pd.DataFrame({"age": np.arange(ROWS) % 40, "city": [CITIES[n % 3] for n in range(ROWS)]})
COUNT = f"{ENCODER}for c in cols:\n    df[c] = le.fit_transform(df[c])"


def adopt_with(folder: Path, model: Any, codes: dict[str, Any], code: str) -> Adoption:
    rows = FRAME.assign(city=FRAME["city"].map(codes))
    joblib.dump(model.fit(rows, (rows["age"] + 20 * rows["city"]) % 7 > 2), folder / "model.pkl")
    FRAME.to_csv(folder / "train.csv", index=False)
    (folder / "notebooks").mkdir()
    cell = {"cell_type": "code", "source": code}
    (folder / "notebooks" / "train.ipynb").write_text(json.dumps({"cells": [cell]}))
    given = {"model_path": "model.pkl", "sample_data": "train.csv", "python_version": PYTHON}
    return decide(Answers("A", "a", "A", folder=folder, **given))


@pytest.mark.parametrize(
    ("model", "codes", "code"),
    [
        (DecisionTreeClassifier(), RANKED, f'df["city"].map({RANKED})'),
        (DecisionTreeClassifier(), COUNTED, COUNT),
        (KNeighborsClassifier(), COUNTED, COUNT),
        (LogisticRegression(), COUNTED, COUNT),
    ],
)
def test_the_codes_of_the_training_are_taken_with_a_note(
    model: Any, codes: dict[str, float], code: str, tmp_path: Path
) -> None:
    found = adopt_with(tmp_path, model, codes, code)
    (city,) = (f for f in found.contract.features if f.name == "city")
    assert dict(city.encode or {}) == codes
    (note,) = (note for note in found.notes if note.startswith("city is a number to the model"))
    assert "train.ipynb" in note
    assert "make verify ACCEPT=answers" in note


@pytest.mark.parametrize(
    ("model", "codes"),
    [
        (DecisionTreeClassifier(), {"Bonn": 0, "Rome": 0.3, "Wien": 0.7}),
        (DecisionTreeClassifier(), {"Bonn": 0, "Rome": 1, "Wien": 1}),
        (KNeighborsClassifier(), {"Bonn": 0, "Rome": 0, "Wien": 1}),
    ],
    ids=["shares", "two are one", "neighbours"],
)
def test_codes_that_the_model_has_not_seen_are_asked_for(
    model: Any, codes: dict[str, float], tmp_path: Path
) -> None:
    with pytest.raises(AnswerError) as caught:
        adopt_with(tmp_path, model, codes, COUNT)
    assert "The model takes numbers, and city of train.csv is text" in str(caught.value)
