"""The answers to the questions, as data, and what they alone show to be bad."""

from __future__ import annotations

import contextlib
import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_service.contract.contract import (
    ContractError,
    Transformer,
    did_you_mean,
    parse_contract,
    parse_feature,
)
from model_service.contract.typed_text import is_number
from workbench.adopt.sample import read_columns, read_header, read_text
from workbench.errors import UserError, listing
from workbench.inspect import Refused, read_document, texts_in
from workbench.lock.pins import HEROKU_PYTHONS

BUNDLED_EXAMPLE = "loan_model"
SLUG = re.compile(r"[a-z][a-z0-9-]{0,28}[a-z0-9]")
TEMPLATE_MARK = re.compile(r"\{[#%{]")
_PART = r"(?:[^\W\d]\w*|<lambda>|<locals>)"
PYTHON_NAME = re.compile(rf"{_PART}(?:\.{_PART})*\.(?:{_PART}|\*)")  # the last for a whole module
# Names of files that hold a list of features; anything else without a comma is one name.
FEATURE_FILES = (".json", ".txt", ".csv")
PICKLES = (".joblib", ".pickle", ".pkl")


@dataclass(frozen=True)
class Part:
    """A file, or a member of the dict or tuple in it: artifact.pkl#model."""

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path}#{self.member}"


@dataclass(frozen=True)
class FeaturesAnswer:
    """What the user says about the features: as many fields of each as they like."""

    features: tuple[Mapping[str, Any], ...] = ()
    output: Mapping[str, Any] | None = None
    transformers: tuple[Transformer, ...] = ()
    folder: Path = Path()  # from which the files of the transformers are named

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(feature["name"] for feature in self.features)


@dataclass(frozen=True)
class Answers:
    """One field a question; paths are as the user typed them, relative to `folder`."""

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
    # What the command line gave before cookiecutter evaluated it as Jinja.
    raw: Mapping[str, object] = field(default_factory=dict)

    def path(self, answer: str) -> Path:
        """Return the path that an answer means."""
        path = Path(answer.strip())
        with contextlib.suppress(RuntimeError):  # ~somebody, of whom this machine knows no home
            path = path.expanduser()
        return self.folder / path

    def part(self, answer: str) -> Part:
        """Return the file that an answer means, and the member in it; a # may be in its name."""
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
        return tuple(self.part(answer) for answer in _split(self.transformers))

    @property
    def sample(self) -> Path | None:
        return self.path(self.sample_data) if self.sample_data.strip() else None

    @property
    def trusted(self) -> tuple[str, ...]:
        return _split(self.trust)


def with_example(answers: Mapping[str, Any], example: Path) -> dict[str, Any]:
    """Return the answers with the bundled example's files for its name."""
    if answers["model_path"] != BUNDLED_EXAMPLE:
        return dict(answers)
    return {
        **answers,
        "model_path": str(example / "model.joblib"),
        "features": answers["features"] or str(example / "features.json"),
        "sample_data": answers["sample_data"] or str(example / "sample.csv"),
    }


def problems(answers: Answers) -> list[str]:
    """Return one message for each answer that cannot be right."""
    return [problem for check in _CHECKS for problem in check(answers)]


def read_features(answers: Answers) -> FeaturesAnswer:
    """Read the features answer: a file, or names. Raises WorkbenchError."""
    answer = answers.features.strip()
    if not answer:
        return FeaturesAnswer()
    path = answers.path(answer)
    if _is_file(path):
        return _from_file(path)
    named_file = path.suffix.lower() in FEATURE_FILES or answer.startswith((".", "~", "/"))
    if named_file and "," not in answer:
        raise UserError(
            f"features: there is no file {path}; give the path of a file, or names with commas."
        )
    return _from_names(_split(answer), "features")


def _from_file(path: Path) -> FeaturesAnswer:
    if path.suffix.lower() in PICKLES:
        return _from_names(_pickled(path), str(path))
    text = read_text(path)
    if text.lstrip()[:1] in ("[", "{"):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UserError(f"features: {path} is not valid JSON: {error}.") from None
        return _from_json(document, path)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if _is_header(lines, path.suffix.lower() == ".csv"):
        return _from_names(tuple(read_header(path)), str(path))
    return _from_names(tuple(lines), str(path))


def _pickled(path: Path) -> tuple[str, ...]:
    """Return the names in a pickled list, which many keep beside their model."""
    try:
        names = texts_in(read_document(path).root)
    except Refused as error:
        raise UserError(f"features: {path}: {error}") from None
    if names is None:
        raise UserError(f"features: {path} holds no list of names; give names, or a text file.")
    return names


def _is_header(lines: list[str], is_csv: bool) -> bool:
    """Tell a CSV, whose first line names the features, from a list of one name a line."""
    if not is_csv:
        return len(lines) == 1 and "," in lines[0]
    several = len(lines) > 1 and not any(mark in line for line in lines for mark in ",;\t|")
    return not several or any(is_number(line) for line in lines)


def _from_json(document: object, path: Path) -> FeaturesAnswer:
    """Take a list of names, a list of features, or a contract; a mixed list is fine too."""
    output: Mapping[str, Any] | None = None
    transformers: tuple[Transformer, ...] = ()
    if isinstance(document, dict):
        if isinstance(document.get("features"), list):
            named = [{"name": e} if isinstance(e, str) else e for e in document["features"]]
            document = {**document, "features": named}
        try:
            contract = parse_contract(document)
        except ContractError as error:
            raise UserError([f"features: {path}: {p}." for p in error.problems]) from None
        output, transformers = contract.output.to_json(), contract.transformers
        document = document["features"]
    found: list[Mapping[str, Any]] = []
    wrong: list[str] = []
    for number, entry in enumerate(document if isinstance(document, list) else [], start=1):
        feature = {"name": entry} if isinstance(entry, str) else entry
        try:
            parse_feature(feature)
        except ContractError as error:
            wrong += [f"features: {path}: feature {number}: {p}." for p in error.problems]
        else:
            found.append(feature)
    if wrong:
        raise UserError(wrong)
    _check_names([feature["name"] for feature in found], str(path))
    return FeaturesAnswer(tuple(found), output, transformers, path.parent)


def _from_names(names: tuple[str, ...], source: str) -> FeaturesAnswer:
    _check_names(names, source)
    return FeaturesAnswer(tuple({"name": name} for name in names))


def _check_names(names: Sequence[str], source: str) -> None:
    if not names or "" in names:
        raise UserError(f"features: {source} has an empty name; each feature needs one.")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise UserError(f"features: {source} names {listing(repeated)} more than once.")


def _split(answer: str) -> tuple[str, ...]:
    """Split at commas and line breaks; a name that holds one is written in double quotes."""
    rows = csv.reader(answer.strip().splitlines(), skipinitialspace=True)
    return tuple(item.strip() for row in rows for item in row)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, or with a NUL
        return False


def _is_file(path: Path) -> bool:
    return _exists(path) and path.is_file()


def _check_jinja(answers: Answers) -> Iterator[str]:
    for name, value in answers.raw.items():
        if isinstance(value, str) and TEMPLATE_MARK.search(value):
            yield (
                f"{name}: {value!r} holds a template expression, which cookiecutter evaluates; "
                "give plain text."
            )


def _check_name(answers: Answers) -> Iterator[str]:
    for name in ("project_name", "description"):
        value: str = getattr(answers, name)
        if not value.strip():
            yield f"{name} is empty; give one line of text."
        elif not value.isprintable():
            yield f"{name}: {value!r} has line breaks or control characters; give one line of text."
        elif len(value) > 300:
            yield f"{name} has {len(value)} characters; give at most 300."


def _check_slug(answers: Answers) -> Iterator[str]:
    if not SLUG.fullmatch(answers.project_slug):
        yield (
            f"project_slug: {answers.project_slug!r} cannot be a Heroku app name; give 2 to 30 "
            "small letters, digits and dashes, a letter first and no dash last."
        )


def _check_model(answers: Answers) -> Iterator[str]:
    path = answers.model.path
    if not answers.model_path.strip():
        yield "model_path is empty; give the path of the model file."
    elif not _exists(path):
        yield f"model_path: there is no file {path}; give the path of the model file."


def _check_features(answers: Answers) -> Iterator[str]:
    try:
        read_features(answers)
    except UserError as error:
        yield from error.problems


def _check_sample(answers: Answers) -> Iterator[str]:
    if answers.sample is None:
        return
    if not _is_file(answers.sample):
        yield f"sample_data: there is no file {answers.sample}; give the path of a CSV file."
        return
    try:
        read_columns(answers.sample)
    except UserError as error:
        yield from (f"sample_data: {problem}" for problem in error.problems)


def _check_files_beside(answers: Answers) -> Iterator[str]:
    named = {"transformers": answers.transformer_parts}
    named["model_code"] = tuple(Part(answers.path(a)) for a in _split(answers.model_code))
    for name, parts in named.items():
        for part in parts:
            if not _is_file(part.path):
                yield f"{name}: there is no file {part.path}."


def _check_trust(answers: Answers) -> Iterator[str]:
    for name in answers.trusted:
        if not PYTHON_NAME.fullmatch(name):
            yield f"trust: {name!r} is not a full name such as package.module.Class."


def _check_python(answers: Answers) -> Iterator[str]:
    version = answers.python_version
    if version != "auto" and version not in HEROKU_PYTHONS:
        known = ["auto", *HEROKU_PYTHONS]
        yield (
            f"python_version: Heroku does not run {version!r}; give one of {', '.join(known)}"
            f"{did_you_mean(version, known)}."
        )


_CHECKS = (
    _check_jinja,
    _check_name,
    _check_slug,
    _check_model,
    _check_features,
    _check_sample,
    _check_files_beside,
    _check_trust,
    _check_python,
)
