"""The checks of the answers that need no model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from model_service.contract.parsing import did_you_mean
from workbench.adopt.answers import Answers, exists, is_file, split
from workbench.adopt.code.author_code import NLTK_FOLDER, nltk_download
from workbench.adopt.code.imported_packages import nltk_data
from workbench.adopt.code.source_files import read_source
from workbench.adopt.csv.sample import read_columns
from workbench.adopt.features_answer import read_features
from workbench.adopt.missing_file import missing_file
from workbench.adopt.problems import AnswerError, Problem, Question, Repair, concerning
from workbench.errors import listing
from workbench.lock.table import HEROKU_PYTHONS

MAX_TEXT = 300
SLUG = re.compile(r"[a-z][a-z0-9-]{0,28}[a-z0-9]")
TEMPLATE_MARK = re.compile(r"\{[#%{]")
_PART = r"(?:[^\W\d]\w*|<lambda>|<locals>)"
# A full name such as package.module.Class, or package.module.* for a whole module.
PYTHON_NAME = re.compile(rf"{_PART}(?:\.{_PART})*\.(?:{_PART}|\*)")


def check_answers(answers: Answers) -> list[Problem]:
    """Return one problem for each answer that is wrong for any model."""
    return [problem for check in _CHECKS for problem in check(answers)]


def _check_jinja(answers: Answers) -> Iterator[Problem]:
    for name, value in answers.raw.items():
        if isinstance(value, str) and TEMPLATE_MARK.search(value):
            yield Problem(
                None,
                f"{name}: {value!r} holds a template expression, which cookiecutter evaluates; "
                "give plain text.",
            )


def _check_texts(answers: Answers) -> Iterator[Problem]:
    questions: dict[Question, str] = {
        "project_name": answers.project_name,
        "description": answers.description,
    }
    for question, text in questions.items():
        if not text.strip():
            yield Problem(None, f"{question} is empty; give one line of text.")
        elif not text.isprintable():
            yield Problem(
                question,
                f"{text!r} has line breaks or control characters; give one line of text.",
            )
        elif len(text) > MAX_TEXT:
            message = f"{question} has {len(text)} characters; give at most {MAX_TEXT}."
            yield Problem(None, message)


def _check_slug(answers: Answers) -> Iterator[Problem]:
    if not SLUG.fullmatch(answers.project_slug):
        words = re.sub(r"[^a-z0-9]+", "-", answers.project_slug.lower())
        slug = words.lstrip("-0123456789")[:30].rstrip("-")
        yield Problem(
            "project_slug",
            f"{answers.project_slug!r} cannot be a Heroku app name; give 2 to 30 lowercase "
            "letters, digits and dashes, a letter first and no dash last.",
            Repair({"project_slug": slug}) if SLUG.fullmatch(slug) else None,
        )


def _check_model(answers: Answers) -> Iterator[Problem]:
    path = answers.model.path
    if not answers.model_path.strip():
        name = answers.names.model_path
        yield Problem(None, f"{name} is empty; give the path of the model file.")
    elif not exists(path):
        yield missing_file(answers, "model_path", answers.model_path)


def _check_features(answers: Answers) -> Iterator[Problem]:
    try:
        read_features(answers)
    except AnswerError as error:
        yield from error.found


def _check_sample(answers: Answers) -> Iterator[Problem]:
    if answers.sample is None:
        return
    if not is_file(answers.sample):
        yield missing_file(answers, "sample_data", answers.sample_data)
        return
    try:
        with concerning("sample_data"):
            read_columns(answers.sample)
    except AnswerError as error:
        yield from error.found


def _check_paths(answers: Answers) -> Iterator[Problem]:
    for answer in answers.transformer_answers:
        if not is_file(answers.beside_model(answer.removeprefix("-")).path):
            yield missing_file(answers, "transformers", answer)
    for answer in split(answers.model_code):
        if not exists(answers.path(answer)):
            is_data = Path(answer).name == NLTK_FOLDER
            yield _missing_data(answers) if is_data else missing_file(answers, "model_code", answer)


def _missing_data(answers: Answers) -> Problem:
    """Return the problem that the data of nltk is not there yet, with its download."""
    paths = [path for path in answers.code if path.suffix == ".py" and is_file(path)]
    try:
        data = nltk_data([read_source(path, PurePosixPath(path.name)) for path in paths])
    except AnswerError as error:
        return error.found[0]
    message = (
        f"there is no folder {NLTK_FOLDER} yet; the last line downloads {listing(data)} first."
    )
    repair = Repair({"model_code": answers.model_code}, first=nltk_download(data))
    return Problem("model_code", message, repair)


def _check_trust(answers: Answers) -> Iterator[Problem]:
    for name in answers.trusted:
        if not PYTHON_NAME.fullmatch(name):
            yield Problem("trust", f"{name!r} is not a full name such as package.module.Class.")


def _check_python(answers: Answers) -> Iterator[Problem]:
    version = answers.python_version
    if version != "auto" and version not in HEROKU_PYTHONS:
        known = ["auto", *HEROKU_PYTHONS]
        yield Problem(
            "python_version",
            f"Heroku does not run {version!r}; give one of {', '.join(known)}"
            f"{did_you_mean(version, known)}.",
            Repair({"python_version": "auto"}),
        )


_CHECKS = (
    _check_jinja,
    _check_texts,
    _check_slug,
    _check_model,
    _check_features,
    _check_sample,
    _check_paths,
    _check_trust,
    _check_python,
)
