"""Texts that the app changes before a vectorizer: its function is found, or asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import joblib
import pytest
from conftest import PYTHON
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from workbench.adopt import refusal
from workbench.adopt.answers import Answers
from workbench.adopt.check_answers import check_answers
from workbench.adopt.code.source_files import parse_source
from workbench.adopt.code.text_functions import TextFunctions, text_functions
from workbench.adopt.decide import Adoption, decide
from workbench.adopt.problems import AnswerError, Problem, Repair
from workbench.adopt.refusal import Command

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


def test_the_last_line_leaves_a_sample_of_raw_texts_out(tmp_path: Path) -> None:
    """Else its only column of texts would be taken for the stemmed ones."""
    (tmp_path / "spam.csv").write_text("label,message\nham,Please call\nspam,Win money\n")
    problem = refused(tmp_path, model(STEMS), sample_data="spam.csv")
    assert problem.repair == Repair({"features": "stemmed_text", "sample_data": ""})
    (tmp_path / "app.py").write_text(APP)
    problem = refused(tmp_path, model(STEMS), sample_data="spam.csv")
    assert problem.repair is not None
    ((_, otherwise),) = problem.repair.otherwise
    assert otherwise == {"features": "stemmed_text", "sample_data": "", "model_code": ""}


def test_of_several_columns_of_texts_the_one_with_a_name_is_taken(tmp_path: Path) -> None:
    rows = "ham,Please call me,,\nspam,Win money,and more of it,\nham,See you,,later or so\n" * 9
    (tmp_path / "spam.csv").write_text(f"v1,v2,,\n{rows}")
    adoption = decided(tmp_path, model(WORDS), sample_data="spam.csv")
    assert list(adoption.contract.by_name) == ["v2"]
    assert "The texts are the column v2 of spam.csv." in adoption.notes


def test_a_vectorizer_beside_the_model_is_judged_too(tmp_path: Path) -> None:
    vectorizer = TfidfVectorizer().fit(STEMS)
    joblib.dump(vectorizer, tmp_path / "tfidf.pkl")
    fitted = MultinomialNB().fit(vectorizer.transform(STEMS), ["spam", "ham", "ham"] * 4)
    assert "tfidf.pkl knows word stems" in refused(tmp_path, fitted).message


CLEANS = """\
import pickle
import re

model = pickle.load(open("model.joblib", "rb"))


def clean(text):
    return re.sub("[^a-z ]", " ", text.lower())


def strip_tags(text):
    return re.sub("<[^>]*>", " ", text)


def grade(stars):
    return "good" if stars > 3 else "bad"


def predict(text):
    return model.predict([text.lower()])[0]


"""
USES: list[tuple[str, tuple[str, ...]]] = [
    ("cleaned = clean(review)\nprint(model.predict([cleaned])[0])", ("clean",)),
    ("rows = words.transform([clean(review)])", ("clean",)),
    ("def view(review):\n    text = clean(review)\n    rows = words.transform([text])", ("clean",)),
    ("df['c'] = df['t'].apply(clean)\nrows = words.fit_transform(df['c'])", ("clean",)),
    ("df['c'] = df.t.map(lambda t: clean(t))\nX = df.c\nmodel.fit(X, df['y'])", ("clean",)),
    ("texts = [clean(t) for t in df['t']]\nwords.fit(texts)", ("clean",)),
    (
        "df['t'] = df['t'].apply(strip_tags)\ndf['t'] = df['t'].apply(clean)\n"
        "a, b, c, d = train_test_split(df['t'], df['y'])\nrows = words.fit_transform(a)",
        ("strip_tags", "clean"),
    ),
    ("df['c'] = df['t'].apply(clean)\nprint(df['c'].head())", ()),
    (
        "df['c'] = df['t'].apply(clean)\nlong = df['c'].to_frame()\n"
        "long['words'] = long['c'].apply(len)\nmodel.fit(df['c'], df['y'])",
        ("clean",),
    ),
    ("df['y'] = df['stars'].apply(grade)\nmodel.fit(df['t'], df['y'])", ()),
    (
        "labels = df['y'].apply(clean)\na, b = train_test_split(df['t'], labels)\nmodel.fit(a, b)",
        (),
    ),
    ("print(predict(review))", ()),
]


@pytest.mark.parametrize(("use", "functions"), USES, ids=[use.split("\n")[0] for use, _ in USES])
def test_what_the_code_does_with_a_text_is_followed(use: str, functions: tuple[str, ...]) -> None:
    source = parse_source(CLEANS + use, Path("app.py"), PurePosixPath("app.py"))
    assert text_functions(source) == TextFunctions(functions)


@pytest.mark.parametrize("between", ["df['t'].str.lower()", "df['t'].apply(lambda t: t.split())"])
def test_what_a_function_alone_does_not_do_is_not_proposed(between: str, tmp_path: Path) -> None:
    """The notebook splits the texts into words between two functions."""
    code = f"df['t'] = df['t'].apply(clean)\ndf['t'] = {between}\nmodel.fit(df['t'], df['y'])"
    (tmp_path / "train.py").write_text(CLEANS + code)
    problem = refused(tmp_path, model(WORDS))
    assert "with clean of train.py" in problem.message
    assert problem.repair == Repair({"features": "cleaned_text"})


def test_the_cleaning_of_an_app_is_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    app = tmp_path / "app.py"
    app.write_text(
        f"{CLEANS}\n@app.route('/')\ndef view():\n    return model.predict([clean('a')])"
    )
    joblib.dump(model(WORDS), folder / "model.joblib")
    given = {"model_path": "models/model.joblib", "python_version": PYTHON}
    answers = Answers(project_name="A", project_slug="a", description="A", folder=tmp_path, **given)
    with pytest.raises(AnswerError) as caught:
        decide(answers)
    problem = caught.value.found[-1]
    assert "changes each text with clean of app.py before it uses the model." in problem.message
    assert problem.repair is not None
    assert problem.repair.code is not None
    assert problem.repair.code.endswith("return frame.iloc[:, 0].map(clean)\n")
    assert "predict" not in problem.repair.code
    (tmp_path / "model_code.py").write_text(problem.repair.code)
    for more in ({"model_code": "model_code.py"}, {"features": "cleaned_text"}):
        assert decide(replace(answers, **more)).contract.features


def test_only_a_function_that_stems_is_named_for_stems(tmp_path: Path) -> None:
    """Another file cleans texts, and the one that stems changes them between two functions."""
    (tmp_path / "other.py").write_text(f"{CLEANS}print(model.predict([clean(text)]))")
    use = "df['t'] = df['t'].str.lower()\ndf['t'] = df['t'].apply(clean)\nmodel.fit(df['t'])"
    (tmp_path / "train.py").write_text(APP.replace("app.run()", use))
    problem = refused(tmp_path, model(STEMS))
    assert "clean of train.py seems to do so" in problem.message
    assert problem.repair == Repair({"features": "stemmed_text"})


def test_data_of_nltk_is_part_of_the_line(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        APP.replace("import Flask", "import Flask\nfrom nltk.corpus import stopwords").replace(
            "text.lower()", "stopwords.words() and text.lower()"
        )
    )
    problem = refused(tmp_path, model(STEMS))
    assert problem.message.endswith(
        "data of nltk (stopwords), which the last line downloads first."
    )
    command = Command(("cookiecutter", "T"), {"model_path": "model.joblib"})
    ending = refusal.refused([problem], command, tmp_path).ending
    download, adopt = ending[-1].split(" && ")
    assert download.endswith("python -m nltk.downloader -d nltk_data stopwords")
    assert adopt.endswith("model_code=model_code.py,nltk_data")
    given = {"model_path": "model.joblib", "model_code": "model_code.py,nltk_data"}
    answers = Answers("A", "name", "A", folder=tmp_path, **given)
    (missing,) = check_answers(answers)
    assert missing.message.endswith("the last line downloads stopwords first.")
    assert missing.repair == Repair({"model_code": given["model_code"]}, first=download)


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
