"""Read the fitted files to apply before a model, and other fitted files in its folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from model_service.contract import contract
from workbench.adopt.answers import Answers, FeaturesAnswer, Part
from workbench.adopt.old_files import old_file_problem
from workbench.adopt.problems import AnswerError, Problem, Question
from workbench.errors import UserError
from workbench.inspect import (
    Bundle,
    Document,
    FileFacts,
    RefusedFile,
    Transformer,
    bundle_of,
    describe_transformer,
    file_facts,
    find_member,
    read_document,
)

FOLDER = "transformers"
NUMBERED = re.compile(r"^\d\d-")  # the project's own names are 01-scaler.pkl, 02-pca.pkl, …
# Which files of the model's folder are read to find out whether they belong to it.
SUFFIXES = (".joblib", ".pickle", ".pkl", ".sav", ".skops")
MAX_NEIGHBOURS, MAX_NEIGHBOUR_BYTES = 50, 2 << 20


@dataclass(frozen=True)
class Fitted:
    """A fitted transformer and the columns that it is for; None: all of them."""

    part: Part
    file: FileFacts
    facts: Transformer
    columns: tuple[str, ...] | None

    @property
    def name(self) -> str:
        """The name for messages: scaler.pkl, model.pkl#scaler."""
        return str(Part(Path(self.part.path.name), self.part.member))

    @property
    def author_name(self) -> str:
        """The name that the author chose, without the suffix of a file."""
        return self.part.path.stem if self.part.member is None else self.part.member


@dataclass(frozen=True)
class TransformerFiles:
    """The transformers as they were read, and the files that cannot be read."""

    fitted: tuple[Fitted, ...] = ()
    # Whether they are the other members of the model's own file, and no answer names them.
    in_model_file: bool = False
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Neighbour:
    """A fitted file in the model's folder that no answer names."""

    name: str
    facts: Transformer


class FileReader:
    """Inspect each file once, however many answers name it."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._inspected: dict[Path, tuple[Document, FileFacts]] = {}

    def inspect(self, path: Path, question: Question) -> tuple[Document, FileFacts]:
        """Return the content of a file to serve, and its facts. Raises AnswerError."""
        document, file = self.look_at(path, question)
        if file.too_old is not None:
            raise AnswerError(old_file_problem(self._answers, question, path, file.too_old))
        return document, file

    def look_at(self, path: Path, question: Question) -> tuple[Document, FileFacts]:
        """Return the content of a file, which can be too old to be served. Raises AnswerError."""
        key = path.resolve()
        if key not in self._inspected:
            try:
                document = read_document(path)
                self._inspected[key] = document, file_facts(document)
            except RefusedFile as error:
                raise AnswerError(Problem(question, f"{path}: {error}")) from None
        return self._inspected[key]


@dataclass(frozen=True)
class _Requested:
    """A transformer as the answers name it."""

    part: Part
    columns: tuple[str, ...] | None = None


def read_transformers(
    answers: Answers,
    declared: FeaturesAnswer,
    bundle: Bundle | None,
    features: Sequence[str],
    reader: FileReader,
) -> TransformerFiles:
    """Read the transformers that the answers name, else the other members of the model's file.

    `features` are the names of the features, as far as they are known.
    """
    requested = list(_requested(answers, declared))
    in_model_file = not requested and bundle is not None
    if in_model_file and bundle is not None:
        path = answers.model.path
        requested = [_Requested(Part(path, member.name)) for member in bundle.transformers]
    fitted: list[Fitted] = []
    problems: list[Problem] = []
    for one in requested:
        try:
            fitted += _read(one, features, reader)
        except AnswerError as error:
            problems += error.found
    return TransformerFiles(tuple(fitted), in_model_file, tuple(problems))


def _requested(answers: Answers, declared: FeaturesAnswer) -> Iterator[_Requested]:
    """Yield the transformers of the answers, with the columns that the features file names."""
    parts, entries = answers.transformer_parts, declared.transformers
    for number, part in enumerate(parts):
        name = str(Part(Path(part.path.name), part.member))
        same = [entry for entry in entries if _without_number(entry.file) == _without_number(name)]
        if not same and len(entries) == len(parts):
            same = [entries[number]]
        yield _Requested(part, same[0].columns if same else None)
    for entry in entries if not parts else ():
        yield _Requested(_find(entry, answers, declared), entry.columns)


def _find(entry: contract.Transformer, answers: Answers, declared: FeaturesAnswer) -> Part:
    """Return the file that an entry of the features file names."""
    if entry.file.startswith("#"):
        return Part(answers.model.path, entry.file[1:])
    for folder in (declared.folder, answers.folder, answers.model.path.parent):
        part = replace(answers, folder=folder.absolute()).part(entry.file)
        if part.path.is_file():
            return part
    message = (
        f"there is no file {entry.file} for the transformer; answer {answers.names.transformers}= "
        "with its path."
    )
    raise AnswerError(Problem("features", message))


def _without_number(name: str) -> str:
    return NUMBERED.sub("", Path(name).name)


def _read(one: _Requested, features: Sequence[str], reader: FileReader) -> Iterator[Fitted]:
    """Read one file; a dict of encoders by column holds several transformers."""
    document, file = reader.inspect(one.part.path, "transformers")
    try:
        if one.part.member is not None:
            value = find_member(document.root, one.part.member)
            yield Fitted(one.part, file, describe_transformer(value), one.columns)
            return
        members = bundle_of(document.root).transformers
        if not members:
            yield Fitted(one.part, file, describe_transformer(document.root), one.columns)
        for member in members:
            facts = describe_transformer(member.value)
            columns = (member.name,) if member.name in features else one.columns
            yield Fitted(Part(one.part.path, member.name), file, facts, columns)
    except RefusedFile as error:
        raise AnswerError(Problem("transformers", f"{one.part}: {error}")) from None


def read_neighbours(model: Path, reader: FileReader) -> Iterator[Neighbour]:
    """Yield the fitted transformers in the model's folder; other files are passed over."""
    for path in sorted(model.parent.iterdir())[:MAX_NEIGHBOURS]:
        if path == model or path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        if path.stat().st_size > MAX_NEIGHBOUR_BYTES:
            continue
        try:
            document, _ = reader.look_at(path, "transformers")
            yield Neighbour(path.name, describe_transformer(document.root))
        except (UserError, RefusedFile):
            continue
