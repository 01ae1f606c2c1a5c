"""The answers to the questions as data, and the checks that need no model."""

from __future__ import annotations

import contextlib
import csv
import difflib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from model_service.contract.contract import ContractError, Examples, Row, Transformer
from model_service.contract.parsing import did_you_mean
from model_service.contract.schema import parse_contract, parse_feature
from model_service.contract.typed_text import is_number
from workbench.adopt.csv_table import read_header, read_text
from workbench.adopt.problems import (
    COOKIECUTTER,
    AnswerError,
    Problem,
    Question,
    QuestionNames,
    Repair,
    concerning,
)
from workbench.adopt.sample import read_columns
from workbench.errors import listing
from workbench.inspect import RefusedFile, read_document, texts_in
from workbench.lock.table import HEROKU_PYTHONS

BUNDLED_EXAMPLE = "loan_model"
SLUG = re.compile(r"[a-z][a-z0-9-]{0,28}[a-z0-9]")
TEMPLATE_MARK = re.compile(r"\{[#%{]")
_PART = r"(?:[^\W\d]\w*|<lambda>|<locals>)"
# A full name such as package.module.Class, or package.module.* for a whole module.
PYTHON_NAME = re.compile(rf"{_PART}(?:\.{_PART})*\.(?:{_PART}|\*)")
# Suffixes of files that list features; any other answer without a comma is one name.
FEATURE_FILES = (".json", ".txt", ".csv")
PICKLES = (".joblib", ".pickle", ".pkl")
# Usual suffixes of the files that answer a question.
MODEL_FILES = (*PICKLES, ".sav", ".skops", ".json", ".ubj", ".txt", ".cbm", ".model", ".dat", "")
SUFFIXES: Mapping[Question, Sequence[str]] = {
    "model_path": MODEL_FILES,
    "features": (*FEATURE_FILES, *PICKLES),
    "sample_data": (".csv", ".tsv", ".json", ".txt"),
    "transformers": (*PICKLES, ".sav", ".skops", ".json", ".npy"),
    "model_code": (".py",),
}
MAX_TEXT, MAX_NEAREST = 300, 3


@dataclass(frozen=True)
class Part:
    """A file, or a member of the dict or tuple in it: artifact.pkl#model."""

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path}#{self.member}"


@dataclass(frozen=True)
class FeaturesAnswer:
    """What the user declares about the features: any of the fields of each."""

    features: tuple[Mapping[str, Any], ...] = ()
    output: Mapping[str, Any] | None = None
    transformers: tuple[Transformer, ...] = ()
    service: Mapping[str, Any] | None = None
    folder: Path = Path()  # paths of the transformers are relative to it
    examples: Examples = "mixed"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(feature["name"] for feature in self.features)


@dataclass(frozen=True)
class Signature:
    """What a description beside the model says of it; the user's own answers win."""

    features: tuple[Mapping[str, Any], ...] = ()
    # Whether a booster's own file is of a classifier, which answers with classes.
    of_classifier: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)  # by distribution


@dataclass(frozen=True)
class Answers:
    """One field per question; paths are as the user typed them, relative to `folder`."""

    project_name: str
    project_slug: str
    description: str
    model_path: str
    folder: Path
    features: str = ""
    sample_data: str = ""
    transformers: str = ""
    model_code: str = ""
    trust: str = ""
    python_version: str = "auto"
    verify: bool = True
    # The command line's answers before cookiecutter rendered them as Jinja templates.
    raw: Mapping[str, object] = field(default_factory=dict)
    # The rows of `.sample.csv` on a retrain, for what is seen only in whole rows.
    kept_rows: Sequence[Row] = ()
    # What the user types for each question.
    names: QuestionNames = COOKIECUTTER
    # A model with other features than the answer's is adopted with those that remain.
    accept_other_features: bool = False
    # Of an MLflow folder.
    signature: Signature | None = None

    def path(self, answer: str) -> Path:
        """Return the path for an answer."""
        path = Path(answer.strip())
        with contextlib.suppress(RuntimeError):  # ~somebody without a home folder here
            path = path.expanduser()
        return self.folder / path

    def part(self, answer: str) -> Part:
        """Return the file for an answer, and the member in it; a file name can hold a #."""
        path = self.path(answer)
        name, mark, member = answer.strip().rpartition("#")
        if not mark or not name or _exists(path):
            return Part(path)
        return Part(self.path(name), member)

    @property
    def model(self) -> Part:
        return self.part(self.model_path)

    @property
    def transformer_parts(self) -> tuple[Part, ...]:
        return tuple(
            self.beside_model(a) for a in self.transformer_answers if not self._leaves_out(a)
        )

    @property
    def left_out(self) -> tuple[Part, ...]:
        """The fitted files that are left out on purpose: -scaler.pkl."""
        named = (answer[1:] for answer in self.transformer_answers if self._leaves_out(answer))
        return tuple(self.beside_model(answer) for answer in named)

    @property
    def transformer_answers(self) -> tuple[str, ...]:
        """The items of the answer, as the user typed them."""
        return split(self.transformers)

    def _leaves_out(self, answer: str) -> bool:
        return answer.startswith("-") and not _exists(self.part(answer).path)

    def beside_model(self, answer: str) -> Part:
        """Return the file for an answer; a name that is not here is looked for beside the model."""
        part = self.part(answer)
        beside = replace(self, folder=self.model.path.parent).part(answer)
        return beside if not _exists(part.path) and _exists(beside.path) else part

    def shown_path(self, part: Part) -> str:
        """Return a file as the user would type it where they stand, after the model's own path."""
        typed = self.model_path.strip()
        if self.model.member is not None:
            typed = typed.rpartition("#")[0]
        relative = os.path.relpath(part.path, self.model.path.parent)
        path = Path(os.path.normpath(Path(typed).parent / relative)).as_posix()
        return str(Part(Path(path), part.member))

    @property
    def code(self) -> tuple[Path, ...]:
        return tuple(self.path(answer) for answer in split(self.model_code))

    @property
    def sample(self) -> Path | None:
        return self.path(self.sample_data) if self.sample_data.strip() else None

    @property
    def trusted(self) -> tuple[str, ...]:
        return split(self.trust)


def with_example(answers: Mapping[str, Any], example: Path) -> dict[str, Any]:
    """Return the answers with the files of the bundled example in place of its name."""
    if answers["model_path"] != BUNDLED_EXAMPLE:
        return dict(answers)
    return {
        **answers,
        "model_path": str(example / "model.joblib"),
        "features": answers["features"] or str(example / "features.json"),
        "sample_data": answers["sample_data"] or str(example / "sample.csv"),
    }


def check_answers(answers: Answers) -> list[Problem]:
    """Return one problem for each answer that is wrong for any model."""
    return [problem for check in _CHECKS for problem in check(answers)]


def read_features(answers: Answers) -> FeaturesAnswer:
    """Read the features answer: a file, or names. Raises AnswerError."""
    answer = answers.features.strip()
    if not answer:
        signature = answers.signature or Signature()
        return FeaturesAnswer(signature.features)
    path = answers.path(answer)
    if _is_file(path):
        with concerning("features"):
            return _from_file(path)
    looks_like_file = path.suffix.lower() in FEATURE_FILES or answer.startswith((".", "~", "/"))
    if looks_like_file and "," not in answer:
        raise AnswerError(missing_file(answers, "features", answer))
    return _from_names(split(answer), "features")


def _from_file(path: Path) -> FeaturesAnswer:
    if path.suffix.lower() in PICKLES:
        return _from_names(_pickled_names(path), str(path))
    text = read_text(path)
    if text.lstrip()[:1] in ("[", "{"):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            message = f"{path} is not valid JSON: {error}."
            raise AnswerError(Problem("features", message)) from None
        return _from_json(document, path)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if _is_header(lines, path.suffix.lower() == ".csv"):
        return _from_names(tuple(read_header(path)), str(path))
    return _from_names(tuple(lines), str(path))


def _pickled_names(path: Path) -> tuple[str, ...]:
    """Return the names in a pickled list, which often accompanies a model."""
    try:
        names = texts_in(read_document(path).root)
    except RefusedFile as error:
        raise AnswerError(Problem("features", f"{path}: {error}")) from None
    if names is None:
        message = f"{path} holds no list of names; give names, or a text file."
        raise AnswerError(Problem("features", message))
    return names


# What to give instead of a file that is not there.
WANTED: Mapping[Question, str] = {
    "model_path": "; give the path of the model file",
    "features": "; give the path of a file, or names with commas",
    "sample_data": "; give the path of a CSV file",
}


def missing_file(answers: Answers, question: Question, answer: str) -> Problem:
    """Return the problem that there is no such file, with the nearest one that there is."""
    path = answers.path(answer.strip())
    near = _nearest_files(path, SUFFIXES[question])
    if not near:
        return Problem(question, f"there is no file {path}{WANTED.get(question, '')}.")
    typed = Path(answer.strip()).parent
    shown = " or ".join((typed / name).as_posix() for name in near)
    whole: str = getattr(answers, question)
    items = [_nearest_item(answers, question, item) for item in split(whole)]
    return Problem(
        question,
        f"there is no file {path}; did you mean {shown}?",
        Repair({question: joined(items)}),
    )


def _nearest_item(answers: Answers, question: Question, item: str) -> str:
    """Return an item of an answer, the nearest file's name if there is no such file."""
    dash = "-" if question == "transformers" and item.startswith("-") else ""
    name = item.removeprefix(dash)
    if _exists(answers.beside_model(name).path):
        return item
    near = _nearest_files(answers.path(name), SUFFIXES[question])
    return f"{dash}{(Path(name).parent / near[0]).as_posix()}" if near else item


def _nearest_files(path: Path, suffixes: Sequence[str]) -> list[str]:
    """Return files in a missing file's folder with a similar name, else the only usual one."""
    try:
        files = sorted(entry for entry in path.parent.iterdir() if entry.is_file())
    except (OSError, ValueError):
        return []
    names = [entry.name for entry in files if entry.suffix.lower() in suffixes]
    near = difflib.get_close_matches(path.name, names, MAX_NEAREST)
    stems = [name for name in names if Path(name).stem == path.stem]
    return near or stems or (names if len(names) == 1 else [])


def _is_header(lines: list[str], is_csv: bool) -> bool:
    """Return whether a file is a CSV with a header, not a list with one name a line."""
    if not is_csv:
        return len(lines) == 1 and "," in lines[0]
    is_list = len(lines) > 1 and not any(mark in line for line in lines for mark in ",;\t|")
    return not is_list or any(is_number(line) for line in lines)


def texts_of_json(document: object) -> tuple[str, ...] | None:
    """Return a list of texts, also the only one in an object: {"data_columns": ["area", …]}."""
    if isinstance(document, dict):
        lists = [value for value in document.values() if isinstance(value, list)]
        document = lists[0] if len(lists) == 1 and "features" not in document else None
    is_list = isinstance(document, list) and all(isinstance(item, str) for item in document)
    return tuple(document) if is_list and document else None  # type: ignore[arg-type]


def _from_json(document: object, path: Path) -> FeaturesAnswer:
    """Read a list of names, of features or of both, or a contract."""
    if (names := texts_of_json(document)) is not None:
        return _from_names(names, str(path))
    output: Mapping[str, Any] | None = None
    transformers: tuple[Transformer, ...] = ()
    examples: Examples = "mixed"
    service: Mapping[str, Any] | None = None
    if isinstance(document, dict):
        if isinstance(document.get("features"), list):
            features = [{"name": e} if isinstance(e, str) else e for e in document["features"]]
            document = {**document, "features": features}
        try:
            contract = parse_contract(document)
        except ContractError as error:
            raise AnswerError(
                [Problem("features", f"{path}: {problem}.") for problem in error.problems]
            ) from None
        output, transformers = contract.output.to_json(), contract.transformers
        examples = contract.examples
        service = contract.service.to_json()
        document = document["features"]
    entries: list[Mapping[str, Any]] = []
    problems: list[Problem] = []
    for number, entry in enumerate(document if isinstance(document, list) else [], start=1):
        feature = {"name": entry} if isinstance(entry, str) else entry
        try:
            parse_feature(feature)
        except ContractError as error:
            problems += [
                Problem("features", f"{path}: feature {number}: {problem}.")
                for problem in error.problems
            ]
        else:
            entries.append(feature)
    if problems:
        raise AnswerError(problems)
    _check_names([entry["name"] for entry in entries], str(path))
    return FeaturesAnswer(tuple(entries), output, transformers, service, path.parent, examples)


def _from_names(names: tuple[str, ...], source: str) -> FeaturesAnswer:
    _check_names(names, source)
    return FeaturesAnswer(tuple({"name": name} for name in names))


def _check_names(names: Sequence[str], source: str) -> None:
    if not names or "" in names:
        message = f"{source} has an empty name; each feature needs one."
        raise AnswerError(Problem("features", message))
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        message = f"{source} names {listing(repeated)} more than once."
        raise AnswerError(Problem("features", message))


def joined(items: Iterable[str]) -> str:
    """Return an answer with several items; one with a comma is written in double quotes."""
    return ",".join(f'"{item}"' if "," in item else item for item in items)


def split(answer: str) -> tuple[str, ...]:
    """Split at commas and line breaks; a name with a comma is written in double quotes."""
    rows = csv.reader(answer.strip().splitlines(), skipinitialspace=True)
    return tuple(item.strip() for row in rows for item in row)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # the name is too long, or holds a NUL
        return False


def _is_file(path: Path) -> bool:
    return _exists(path) and path.is_file()


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
            f"{answers.project_slug!r} cannot be a Heroku app name; give 2 to 30 small letters, "
            "digits and dashes, a letter first and no dash last.",
            Repair({"project_slug": slug}) if SLUG.fullmatch(slug) else None,
        )


def _check_model(answers: Answers) -> Iterator[Problem]:
    path = answers.model.path
    if not answers.model_path.strip():
        name = answers.names.model_path
        yield Problem(None, f"{name} is empty; give the path of the model file.")
    elif not _exists(path):
        yield missing_file(answers, "model_path", answers.model_path)


def _check_features(answers: Answers) -> Iterator[Problem]:
    try:
        read_features(answers)
    except AnswerError as error:
        yield from error.found


def _check_sample(answers: Answers) -> Iterator[Problem]:
    if answers.sample is None:
        return
    if not _is_file(answers.sample):
        yield missing_file(answers, "sample_data", answers.sample_data)
        return
    try:
        with concerning("sample_data"):
            read_columns(answers.sample)
    except AnswerError as error:
        yield from error.found


def _check_paths(answers: Answers) -> Iterator[Problem]:
    for answer in answers.transformer_answers:
        if not _is_file(answers.beside_model(answer.removeprefix("-")).path):
            yield missing_file(answers, "transformers", answer)
    for answer in split(answers.model_code):
        if not _exists(answers.path(answer)):
            yield missing_file(answers, "model_code", answer)


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
