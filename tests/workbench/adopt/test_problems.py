"""Problems: each carries its question, and is shown under the name that the user types."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
from conftest import EXAMPLE, adopted
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from workbench.adopt.answers import Answers
from workbench.adopt.problems import (
    COOKIECUTTER,
    MAKE_ADOPT,
    AnswerError,
    Problem,
    concerning,
)
from workbench.adopt.retrain import AdoptOptions, adopt, read_options
from workbench.errors import UserError


def test_a_problem_is_shown_under_the_name_that_the_user_types() -> None:
    problem = Problem("sample_data", "there is no file features: x.csv")
    assert problem.shown(COOKIECUTTER) == "sample_data: there is no file features: x.csv"
    assert problem.shown(MAKE_ADOPT) == "SAMPLE: there is no file features: x.csv"
    assert Problem("python_version", "is old").shown(MAKE_ADOPT) == "python_version: is old"
    assert Problem(None, "trust=x").shown(MAKE_ADOPT) == "trust=x"


def test_an_error_keeps_its_problems_as_data() -> None:
    error = AnswerError([Problem("features", "one"), Problem(None, "two")])
    assert error.problems == ("features: one", "two")
    with pytest.raises(AnswerError) as caught, concerning("model_code"):
        raise UserError(["one", "two"])
    assert caught.value.found == (Problem("model_code", "one"), Problem("model_code", "two"))
    with pytest.raises(AnswerError) as caught, concerning("model_code"):
        raise error
    assert caught.value is error


ITEMS = {
    "scaler.pkl,": ("scaler.pkl",),
    "a.pkl, ,b.pkl": ("a.pkl", "b.pkl"),
    "a.pkl,\nb.pkl,\n": ("a.pkl", "b.pkl"),
    '"a,b.pkl",""': ("a,b.pkl",),
    ",": (),
    "": (),
}


@pytest.mark.parametrize(("answer", "items"), ITEMS.items())
def test_a_comma_too_many_is_no_file(answer: str, items: tuple[str, ...], tmp_path: Path) -> None:
    answers = Answers("A model", "a-model", "About it.", "model.pkl", tmp_path)
    answers = replace(answers, transformers=answer, model_code=answer, trust=answer)
    assert answers.transformer_answers == answers.trusted == items
    assert answers.code == tuple(tmp_path / item for item in items)


@pytest.mark.parametrize("name", ["features= x.pkl", "model_path: x.pkl"])
def test_a_path_that_looks_like_a_question_is_shown_as_it_is(name: str, tmp_path: Path) -> None:
    project = adopted(tmp_path, EXAMPLE / "model.joblib")
    with pytest.raises(UserError) as caught:
        adopt(project, AdoptOptions(model=str(tmp_path / name)))
    (message,) = caught.value.problems
    assert message == (
        f"MODEL: there is no file {tmp_path / name}; give the path of the model file."
    )


def test_messages_of_make_adopt_name_its_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.arange(20.0).reshape(10, 2)
    joblib.dump(LogisticRegression().fit(rows, [0, 1] * 5), tmp_path / "model.pkl")
    joblib.dump(StandardScaler().fit(rows), tmp_path / "scaler.pkl")
    project = adopted(tmp_path, EXAMPLE / "model.joblib")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"answer TRANSFORMERS=scaler\.pkl; if not"):
        adopt(project, AdoptOptions(model="model.pkl", features="a,b"))


def test_options_are_read_by_name() -> None:
    assert read_options({"MODEL": "m.pkl", "TRUST": "a.B"}) == AdoptOptions(
        model="m.pkl", trust="a.B"
    )


def test_an_unknown_accept_is_refused(tmp_path: Path) -> None:
    project = adopted(tmp_path, EXAMPLE / "model.joblib")
    with pytest.raises(
        UserError, match=r"ACCEPT='all' is unknown \(all\); leave it out, or give ACCEPT="
    ):
        adopt(project, AdoptOptions(model=str(EXAMPLE / "model.joblib"), accept="all"))
