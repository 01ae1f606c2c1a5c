"""Guesses at the numbers that a training made of texts, by what the model compares them with."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import PYTHON
from sklearn.ensemble import RandomForestClassifier

from workbench.adopt.answers import Answers
from workbench.adopt.decide import decide
from workbench.adopt.guess_codes import guess_codes
from workbench.adopt.problems import AnswerError

TEXTS = [*"babbacdc" * 20, *"cdde"]
COUNTS = Counter(TEXTS)
TARGETS = [float(number % 7) for number in range(len(TEXTS))]


def between(codes: dict[str, float]) -> list[float]:
    values = sorted({*codes.values()})
    return [float(np.float32((low + high) / 2)) for low, high in pairwise(values)]


def means() -> dict[str, float]:
    return pd.Series(TARGETS).groupby(pd.Series(TEXTS)).mean().to_dict()


SHARES = {text: count / len(TEXTS) for text, count in COUNTS.items()}
LABELS = {text: code for code, text in enumerate(sorted(COUNTS))}
# what the model compares the column with, and the codes
GUESSES: dict[str, tuple[list[float], dict[str, float] | None]] = {
    "nothing is known": ([], LABELS),
    "labels": (between(LABELS), LABELS),
    "shares": (between(SHARES), SHARES),
    "counts": (between(dict(COUNTS)), dict(COUNTS)),
    "means of the target": (between(means()), means()),
    "scaled": ([-1.2, 0.3, 0.9, 1.1], None),
    "too few to recognize": ([0.2], None),
}


@pytest.mark.parametrize("name", GUESSES)
def test_thresholds_tell_encodings_apart(name: str) -> None:
    seen, codes = GUESSES[name]
    guess = guess_codes(TEXTS, TARGETS, seen)
    assert (guess.codes if guess is not None else None) == codes


def test_codes_of_fewer_texts_are_not_those_of_all() -> None:
    """The notebook has made male and female of twelve spellings before it encodes them."""
    spellings = [f"{text}{number}" for number in range(6) for text in ("male", "female")] * 20
    assert guess_codes(spellings, [], [0.5] * 12) is None
    assert guess_codes(spellings, [], [0.5] * 11 + [10.5]) is not None


def test_an_identifier_has_no_codes() -> None:
    names = [f"LP{number}" for number in range(300)]
    assert guess_codes(names, [], [0.5, 20.5]) is None
    assert guess_codes(names * 3, [], [0.5, 20.5]) is not None


def refused(model: Any, sample: pd.DataFrame, folder: Path) -> AnswerError:
    joblib.dump(model, folder / "model.joblib")
    sample.to_csv(folder / "sample.csv", index=False)
    with pytest.raises(AnswerError) as caught:
        decide(answers(folder, sample_data="sample.csv"))
    return caught.value


def answers(folder: Path, **given: str) -> Answers:
    return Answers("Name", "name", "About.", "model.joblib", folder, python_version=PYTHON, **given)


def test_callers_send_the_number_of_an_identifier(tmp_path: Path) -> None:
    """The sample has no such numbers, so what it says is in the proposal, and it is left out."""
    random = np.random.RandomState(0)
    raw = pd.DataFrame({"id": [f"C{n:04}" for n in random.permutation(400)]})
    raw = raw.assign(kind=random.choice(["x", "y", "z"], 400), age=random.randint(1, 99, 400))
    codes = {name: raw[name].astype("category").cat.codes for name in ("id", "kind")}
    model = RandomForestClassifier(5, random_state=0).fit(raw.assign(**codes), raw.age > 40)
    (problem,) = refused(model, raw, tmp_path).found
    assert "id has 400 different texts in 400 rows" in problem.message
    assert "train the model without it" in problem.message
    assert problem.repair is not None
    assert problem.repair.answers == {"sample_data": ""}
    (tmp_path / "proposed.json").write_text(json.dumps(problem.repair.features))
    contract = decide(answers(tmp_path, features="proposed.json")).contract
    assert [feature.type for feature in contract.features] == ["number", "category", "number"]
    assert contract.by_name["kind"].encode == {"x": 0, "y": 1, "z": 2}
    assert contract.by_name["age"].maximum == raw.age.max()


def test_shares_of_the_rows_are_recognized_in_a_file(tmp_path: Path) -> None:
    names = [f"model {int(n)}" for n in np.random.RandomState(1).exponential(30, 900)]
    raw = pd.DataFrame({"name": names, "year": range(900)})
    shares = raw.name.map(raw.name.value_counts(normalize=True))
    model = RandomForestClassifier(5, random_state=0)
    model.fit(raw.assign(name=shares), shares > shares.median())
    (problem,) = refused(model, raw, tmp_path).found
    assert "the share of the rows that have the same text" in problem.message
    assert problem.repair is not None
    name, _ = problem.repair.features["features"]
    assert len(name["categories"]) > 100
    assert name["encode"]["model 0"] == pytest.approx(names.count("model 0") / 900)
    (tmp_path / "proposed.json").write_text(json.dumps(problem.repair.features))
    decide(answers(tmp_path, features="proposed.json", sample_data="sample.csv"))
