"""A vectorizer that was fitted on stems: the app's function is found, or asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import joblib
import pytest
from conftest import PYTHON
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from workbench.adopt.answers import Answers
from workbench.adopt.decide import Adoption, decide
from workbench.adopt.problems import AnswerError, Problem

STEMS = ["pleas call thi peopl befor", "realli happi famili", "becaus everi messag servic"] * 4
WORDS = ["please call these people before", "really happy family", "because every message"] * 4
APP = """\
from flask import Flask
from nltk.stem.porter import PorterStemmer

app = Flask(__name__)
stemmer = PorterStemmer()


def clean(text):
    return " ".join(stemmer.stem(word) for word in text.lower().split())


@app.route("/predict")
def predict():
    return clean("text")


app.run()
"""


def model(texts: list[str], **options: Any) -> Any:
    pipeline = make_pipeline(CountVectorizer(**options), MultinomialNB())
    return pipeline.fit(texts, ["spam", "ham", "ham"] * 4)


def decided(folder: Path, fitted: Any, **answers: str) -> Adoption:
    joblib.dump(fitted, folder / "model.joblib")
    options = {"python_version": PYTHON, **answers}
    return decide(Answers("Name", "name", "About.", "model.joblib", folder, **options))


def refused(folder: Path, fitted: Any, **answers: str) -> Problem:
    with pytest.raises(AnswerError) as caught:
        decided(folder, fitted, **answers)
    return caught.value.found[-1]


def test_the_function_of_the_app_is_proposed(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    problem = refused(tmp_path, model(STEMS))
    assert "knows word stems and not the words (becaus, befor, everi, …" in problem.message
    assert "clean of app.py seems to do so" in problem.message
    assert problem.repair is not None
    assert problem.repair.code is not None
    assert "Flask" not in problem.repair.code
    ((_, otherwise),) = problem.repair.otherwise
    assert otherwise == {"features": "stemmed_text", "model_code": ""}
    (tmp_path / "model_code.py").write_text(problem.repair.code)
    adoption = decided(tmp_path, model(STEMS), model_code="model_code.py")
    assert adoption.manifest.code is not None
    assert list(adoption.contract.by_name) == ["text"]


def test_a_function_in_a_notebook_is_found_too(tmp_path: Path) -> None:
    cells = [{"cell_type": "code", "source": APP.replace("app.run()", "")}]
    (tmp_path / "spam.ipynb").write_text(json.dumps({"cells": cells}))
    assert "clean of spam.ipynb" in refused(tmp_path, model(STEMS)).message


def test_without_a_function_the_last_line_names_what_callers_send(tmp_path: Path) -> None:
    problem = refused(tmp_path, model(STEMS))
    assert problem.repair is not None
    assert problem.repair.answers == {"features": "stemmed_text"}
    adoption = decided(tmp_path, model(STEMS), features="stemmed_text")
    assert list(adoption.contract.by_name) == ["stemmed_text"]


def test_a_vectorizer_beside_the_model_is_judged_too(tmp_path: Path) -> None:
    vectorizer = TfidfVectorizer().fit(STEMS)
    joblib.dump(vectorizer, tmp_path / "tfidf.pkl")
    fitted = MultinomialNB().fit(vectorizer.transform(STEMS), ["spam", "ham", "ham"] * 4)
    assert "tfidf.pkl knows word stems" in refused(tmp_path, fitted).message


@pytest.mark.parametrize(
    ("texts", "options"),
    [(WORDS, {}), ([*STEMS, *WORDS], {}), (STEMS, {"analyzer": "char_wb"})],
    ids=["words", "both", "characters"],
)
def test_other_vocabularies_are_no_problem(
    texts: list[str], options: dict[str, Any], tmp_path: Path
) -> None:
    labels = ["spam", "ham", "ham"] * (len(texts) // 3)
    fitted = make_pipeline(CountVectorizer(**options), MultinomialNB()).fit(texts, labels)
    assert list(decided(tmp_path, fitted).contract.by_name) == ["text"]
