"""Read the fitted files to apply before a model, and other fitted files in its folder."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from pathlib import Path

from model_service.contract import contract
from workbench.adopt.answers import Answers, Part
from workbench.adopt.features_answer import FeaturesAnswer, texts_of_json
from workbench.adopt.old_files import old_file_problem
from workbench.adopt.problems import AnswerError, Problem, Question
from workbench.errors import UserError
from workbench.inspect import (
    NO_FILE,
    Bundle,
    Document,
    FileFacts,
    RefusedFile,
    Transformer,
    UserClasses,
    bundle_of,
    columns_of_model,
    describe_transformer,
    file_facts,
    find_member,
    label_encoder,
    read_document,
    read_saved_texts,
    saved_texts,
)

FOLDER = "transformers"
NUMBERED = re.compile(r"^\d\d-")  # the project's own names are 01-scaler.pkl, 02-pca.pkl, …
# Which files of the model's folder are read to find out whether they belong to it.
SUFFIXES = (".joblib", ".pickle", ".pkl", ".sav", ".skops")
LISTS = (".json", ".npy")  # files that can hold a list of names or of classes
# Where fitted files usually are, beside the model or beside the folder that it is in.
FOLDERS = (
    *("api", "app", "artifacts", "assets", "backend", "encoders", "ml", "model", "models"),
    *("objects", "output", "outputs", "pickle", "pickles", "pkl", "preprocessing", "preprocessor"),
    *("preprocessors", "saved_models", "scalers", "src", "trained_models", "transformers"),
    "vectorizers",
)
MAX_ENTRIES, MAX_NEIGHBOURS, MAX_NEIGHBOUR_BYTES = 1000, 50, 200 << 20
MAX_LIST_BYTES = 1 << 20


@dataclass(frozen=True)
class Fitted:
    """A fitted transformer and the columns that it is for; None: all of them."""

    part: Part
    file: FileFacts
    facts: Transformer
    columns: tuple[str, ...] | None
    answer: Part  # the file or member that an answer names, with others in it if it is a dict

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
    left_in_file: tuple[str, ...] = ()  # members of the model's file that are not fitted
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Neighbour:
    """Something fitted beside the model, or a list of texts, that no answer names."""

    part: Part
    fitted: tuple[Fitted, ...] = ()
    texts: tuple[str, ...] | None = None  # a list of names or of classes
    in_model_file: bool = False

    @property
    def name(self) -> str:
        """The name for messages: scaler.pkl, model.pkl#scaler."""
        return str(Part(Path(self.part.path.name), self.part.member))


class FileReader:
    """Inspect each file once, however many answers name it."""

    def __init__(self, answers: Answers | None = None) -> None:
        self._answers = answers
        self._inspected: dict[Path, tuple[Document, FileFacts]] = {}

    def with_answers(self, answers: Answers) -> FileReader:
        """Return a reader for changed answers; what is inspected already is kept."""
        reader = FileReader(answers)
        reader._inspected = self._inspected
        return reader

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
    user_classes: UserClasses,
) -> TransformerFiles:
    """Read the transformers that the answers name, else the other members of the model's file.

    `features` are the names of the features, as far as they are known.
    """
    requested = list(_requested(answers, declared))
    in_model_file = not requested and bundle is not None
    if in_model_file and bundle is not None:
        path = answers.model.path
        out = {(part.path.resolve(), part.member) for part in answers.left_out}
        requested = [
            _Requested(Part(path, member.name))
            for member in bundle.transformers
            if (path.resolve(), member.name) not in out
        ]
    fitted: list[Fitted] = []
    problems: list[Problem] = []
    left: list[str] = []
    for one in requested:
        try:
            fitted += _read(one, features, reader, user_classes)
        except AnswerError as error:
            if in_model_file and one.part.member is not None:
                left.append(one.part.member)  # nobody has asked for it
            else:
                problems += error.found
    return TransformerFiles(tuple(fitted), in_model_file, tuple(left), tuple(problems))


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


def _read(
    one: _Requested, features: Sequence[str], reader: FileReader, user_classes: UserClasses
) -> Iterator[Fitted]:
    """Read one file; a dict of encoders by column holds several transformers.

    A list of texts is what a label encoder of the target knows: the classes.
    """
    if one.part.path.suffix.lower() in LISTS:
        yield _of_texts(one.part)
        return
    document, file = reader.inspect(one.part.path, "transformers")
    try:
        root = document.root
        if one.part.member is not None:
            root = find_member(root, one.part.member)
        texts = saved_texts(root)
        if texts is not None:
            yield Fitted(one.part, file, label_encoder(texts), None, one.part)
            return
        members = bundle_of(root).transformers
        if not members:
            facts = describe_transformer(root, user_classes)
            yield Fitted(one.part, file, facts, one.columns, one.part)
        for member in members:
            facts = describe_transformer(member.value, user_classes)
            is_column = member.name in features or _makes_dummies(member.name, facts, features)
            columns = (member.name,) if is_column else one.columns
            name = member.name if one.part.member is None else f"{one.part.member}.{member.name}"
            yield Fitted(Part(one.part.path, name), file, facts, columns, one.part)
    except RefusedFile as error:
        raise AnswerError(Problem("transformers", f"{one.part}: {error}")) from None


def _makes_dummies(name: str, facts: Transformer, features: Sequence[str]) -> bool:
    """Return whether an encoder of one column that is called so makes columns of the model."""
    ((*labels,),) = facts.categories if facts.categories and len(facts.categories) == 1 else ((),)
    return facts.n_features == 1 and not {f"{name}_{label}" for label in labels}.isdisjoint(
        features
    )


def _of_texts(part: Part) -> Fitted:
    """Return a list of classes in a text file as the label encoder that it was taken from."""
    texts = read_texts(part.path)
    if texts is None:
        message = f"{part} holds no list of texts; give a fitted file, or a list of the classes."
        raise AnswerError(Problem("transformers", message))
    return Fitted(part, NO_FILE, label_encoder(texts), None, part)


def read_neighbours(
    model: Part, others: Collection[Part], reader: FileReader, user_classes: UserClasses
) -> Iterator[Neighbour]:
    """Yield what is fitted beside the model and not among the `others` that the answers name.

    That are files in its folder and in the usual ones, and other members of a file of which an
    answer names the model. What cannot be read is passed over.
    """
    named = {(part.path.resolve(), part.member) for part in others}
    if model.member is not None:
        yield from _in_same_file(model, named, reader, user_classes)
    files = {path for path, _ in named} | {model.path.resolve()}
    names = {_without_number(part.path.name) for part in others}
    copies: set[str] = set()
    for path in files_beside(model.path):
        # The same file is often copied, and a retrained one has the name of the one before.
        if path.resolve() in files or _without_number(path.name) in names:
            continue
        found = _neighbour(path, reader, user_classes)
        if found is None or not (found.fitted or found.texts):
            continue
        hashes = {one.file.sha256 for one in found.fitted}
        if not hashes & copies:
            yield found
        copies |= hashes


def models_beside(model: Part, reader: FileReader) -> Iterator[tuple[str, int]]:
    """Yield the file names of other models, each with how many columns it takes; no copies."""
    _, own = reader.look_at(model.path, "model_path")
    for path in files_beside(model.path):
        if path.suffix.lower() in LISTS:
            continue
        with suppress(UserError, OSError):
            document, file = reader.look_at(path, "model_path")
            count = columns_of_model(document.root)
            if count is not None and file.sha256 != own.sha256:
                yield path.name, count


def _in_same_file(
    model: Part,
    named: Collection[tuple[Path, str | None]],
    reader: FileReader,
    user_classes: UserClasses,
) -> Iterator[Neighbour]:
    """Yield the other members of the file that holds the model; encoders of one dict together."""
    document, file = reader.inspect(model.path, "model_path")
    key = model.path.resolve()
    groups: dict[str, list[Fitted]] = {}
    for member in bundle_of(document.root).transformers:
        outer = member.name.rpartition(".")[0] or member.name
        answer = Part(model.path, outer)
        names = accumulate(member.name.split("."), lambda a, b: f"{a}.{b}")
        if not {(key, name) for name in (None, *names)} & {*named}:
            with suppress(RefusedFile):
                facts = describe_transformer(member.value, user_classes)
                part = Part(model.path, member.name)
                groups.setdefault(outer, []).append(Fitted(part, file, facts, None, answer))
    for outer, fitted in groups.items():
        part = Part(model.path, outer) if len(fitted) > 1 else fitted[0].part
        yield Neighbour(part, tuple(fitted), in_model_file=True)


def files_beside(model: Path) -> list[Path]:
    """Return the files to look at, the small ones first and not more than the limits."""
    folders = [model.parent, *(model.parent / name for name in FOLDERS)]
    if model.parent.name.lower() in FOLDERS:
        above = model.absolute().parent.parent
        folders += [above, *(above / name for name in FOLDERS)]
    sizes: dict[Path, int] = {}
    for folder in folders:
        with suppress(OSError):
            for path in islice(sorted(folder.iterdir()), MAX_ENTRIES):
                if path.suffix.lower() in (*SUFFIXES, *LISTS) and path.is_file():
                    sizes.setdefault(path, path.stat().st_size)
    found, total = [], 0
    for path in sorted(sizes, key=lambda path: (sizes[path], path))[:MAX_NEIGHBOURS]:
        total += sizes[path]
        if total <= MAX_NEIGHBOUR_BYTES:
            found.append(path)
    return sorted(found)


def _neighbour(path: Path, reader: FileReader, user_classes: UserClasses) -> Neighbour | None:
    part = Part(path)
    if path.suffix.lower() in LISTS:
        return Neighbour(part, texts=read_texts(path))
    try:
        document, file = reader.look_at(path, "transformers")
        bundle = bundle_of(document.root)
        if bundle.models:
            return None
        fitted = [
            Fitted(
                Part(path, m.name), file, describe_transformer(m.value, user_classes), None, part
            )
            for m in bundle.transformers
        ]
        if not fitted and (texts := saved_texts(document.root)) is not None:
            return Neighbour(part, texts=texts)
        if not fitted:
            facts = describe_transformer(document.root, user_classes)
            fitted = [Fitted(part, file, facts, None, part)]
    except (UserError, RefusedFile, OSError):
        return None
    return Neighbour(part, tuple(fitted))


def read_texts(path: Path) -> tuple[str, ...] | None:
    """Return the texts in a JSON list or in a NumPy file, or None if it holds something else."""
    if path.stat().st_size > MAX_LIST_BYTES:
        return None
    if path.suffix.lower() == ".npy":
        try:
            return read_saved_texts(path)
        except (RefusedFile, OSError):
            return None
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError, OSError):
        return None
    return texts_of_json(found)
