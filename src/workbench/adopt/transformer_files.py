"""Fitted files beside the model: which there are, in which order, for which columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model_service.contract import contract
from model_service.contract.contract import Scalar, json_text
from model_service.contract.parsing import did_you_mean
from workbench.adopt.answers import Answers, FeaturesAnswer, Part
from workbench.adopt.sample import Sample
from workbench.errors import UserError, listing
from workbench.inspect import (
    Bundle,
    Document,
    FileFacts,
    ModelFacts,
    RefusedFile,
    Transformer,
    bundle_of,
    describe_transformer,
    file_facts,
    find_member,
    read_document,
)

FOLDER = "transformers"
# What is looked at in the model's folder, to point out what may belong to it.
SUFFIXES = (".joblib", ".pickle", ".pkl", ".sav", ".skops")
MOST_SIBLINGS, LARGEST_SIBLING = 50, 2 << 20
NAME, SOME = '["NAME"]', "[…]"
OTHER_DUMMIES = ("infrequent_sklearn", "nan", "None")  # what encoders call what is no category
NUMBERED = re.compile(r"^\d\d-")
OF_TARGET = re.compile(r"(^|[\W_])(y|target|output)($|[\W_A-Z])|[a-z](Y|Target)($|[\W_])")


@dataclass(frozen=True)
class Fitted:
    """A fitted transformer and the columns that it is for, all if None."""

    part: Part
    file: FileFacts
    facts: Transformer
    columns: tuple[str, ...] | None


@dataclass(frozen=True)
class Beside:
    """What is applied before the model, and the labels of its classes."""

    fitted: tuple[Fitted, ...] = ()
    labels: Mapping[str, str] | None = None


@dataclass(frozen=True)
class _Asked:
    """One transformer as it was asked for."""

    part: Part
    columns: tuple[str, ...] | None = None


class Files:
    """The files that were read for one adoption, each once."""

    def __init__(self) -> None:
        self._read: dict[Path, tuple[Document, FileFacts]] = {}

    def read(self, path: Path, question: str) -> tuple[Document, FileFacts]:
        """Return a file and its facts. Raises WorkbenchError."""
        key = path.resolve()
        if key not in self._read:
            try:
                document = read_document(path)
                self._read[key] = document, file_facts(document)
            except RefusedFile as error:
                raise UserError(f"{question}: {path}: {error}") from None
        return self._read[key]


def transformers_of(
    answers: Answers,
    answer: FeaturesAnswer,
    bundle: Bundle | None,
    facts: ModelFacts,
    sample: Sample | None,
    files: Files,
    notices: list[str],
) -> Beside:
    """Return what belongs before the model: what was answered, or what lies in its own file.

    Raises WorkbenchError with all problems.
    """
    asked = list(_asked(answers, answer))
    implied = not asked and bundle is not None
    if implied and bundle is not None:
        asked = [_Asked(Part(answers.model.path, member.name)) for member in bundle.transformers]
    problems: list[str] = []
    read: list[Fitted] = []
    columns = answer.names or facts.feature_names or tuple(sample.columns if sample else ())
    for one in asked:
        try:
            read += _read(one, columns, files)
        except UserError as error:
            problems += error.problems
    of_all = (f.facts.feature_names for f in read if f.columns is None and f.facts.feature_names)
    known = answer.names or facts.feature_names or max(of_all, key=len, default=())
    found: list[Fitted] = []
    labels: dict[str, str] | None = None
    for fitted in read:
        try:
            placed = _placed(fitted, facts, known or columns, sample)
        except UserError as error:
            problems += error.problems
            continue
        if placed is not None:
            found.append(placed)
            continue
        (classes,) = fitted.facts.categories or ((),)
        labels = {str(code): json_text(label) for code, label in enumerate(classes)}
        notices.append(
            f"{_name(fitted.part)} gives the classes of the model their labels: "
            f"{', '.join(f'{k} is {v}' for k, v in list(labels.items())[:8])}."
        )
    if implied and len([f for f in found if f.columns is None]) > 1:
        names = [f"{answers.model_path}#{f.part.member}" for f in found]
        problems.append(
            f"model_path: {answers.model.path.name} holds {len(found)} transformers beside the "
            f"model; in which order are they applied? Answer transformers={','.join(names)}, or "
            "model_path with the # of the model if it needs none of them."
        )
    if problems:
        raise UserError(problems)
    if implied:  # whoever keeps encoders by column and a scaler of all, scales what is encoded
        found.sort(key=lambda fitted: fitted.columns is None)
    if implied and found:
        notices.append(
            f"{listing([_name(f.part) for f in found])} in the same file "
            f"{'is' if len(found) == 1 else 'are'} applied before the model."
        )
    return Beside(tuple(found), labels)


def _asked(answers: Answers, answer: FeaturesAnswer) -> Iterator[_Asked]:
    """Yield what was answered; the features file says which columns each one is for."""
    said = answer.transformers
    parts = answers.transformer_parts
    for number, part in enumerate(parts):
        same = [entry for entry in said if _stem(entry.file) == _stem(_name(part))]
        if not same and len(said) == len(parts):
            same = [said[number]]
        yield _Asked(part, same[0].columns if same else None)
    for entry in said if not parts else ():
        yield _Asked(_named(entry, answers, answer), entry.columns)


def _named(entry: contract.Transformer, answers: Answers, answer: FeaturesAnswer) -> Part:
    """Return the file that an entry of the features file names."""
    if entry.file.startswith("#"):
        return Part(answers.model.path, entry.file[1:])
    for folder in (answer.folder, answers.folder, answers.model.path.parent):
        part = replace(answers, folder=folder.absolute()).part(entry.file)
        if part.path.is_file():
            return part
    raise UserError(
        f"features: there is no file {entry.file} for the transformer; answer transformers= with "
        "its path."
    )


def _stem(name: str) -> str:
    return NUMBERED.sub("", Path(name).name)


def _name(part: Part) -> str:
    return str(Part(Path(part.path.name), part.member))


def _called(part: Part) -> str:
    """Return what its author called a transformer."""
    return part.path.stem if part.member is None else part.member


def _is_called_after(part: Part, column: str) -> bool:
    """Tell whether a column's name is in that of its encoder: le_gender, gender-encoder."""
    return re.search(rf"(^|[\W_]){re.escape(column)}($|[\W_])", _called(part), re.I) is not None


def _read(asked: _Asked, people: Sequence[str], files: Files) -> Iterator[Fitted]:
    """Read one file; a dict of encoders by column is as many transformers."""
    document, facts = files.read(asked.part.path, "transformers")
    try:
        if asked.part.member is not None:
            value = find_member(document.root, asked.part.member)
            yield Fitted(asked.part, facts, describe_transformer(value), asked.columns)
            return
        members = bundle_of(document.root).transformers
        if not members:
            yield Fitted(asked.part, facts, describe_transformer(document.root), asked.columns)
        for member in members:
            described = describe_transformer(member.value)
            own = (member.name,) if member.name in people else asked.columns
            yield Fitted(Part(asked.part.path, member.name), facts, described, own)
    except RefusedFile as error:
        raise UserError(f"transformers: {asked.part}: {error}") from None


def _placed(
    fitted: Fitted,
    facts: ModelFacts,
    known: Sequence[str],
    sample: Sample | None,
) -> Fitted | None:
    """Return a transformer with its columns; None for the encoder of the model's own classes."""
    last = (fitted.part.member or "").rpartition(".")[2]
    if fitted.columns is None and last in known:
        fitted = replace(fitted, columns=(last,))
    if fitted.columns is not None:
        _check_columns(fitted, fitted.columns)
        return fitted
    if fitted.facts.encodes_labels:
        return _of_labels(fitted, facts, known, sample)
    _refuse_of_target(fitted, known)
    names = fitted.facts.feature_names
    if names is None:
        return fitted
    if _without_dummies(replace(fitted, columns=names), facts.feature_names) is not None:
        return replace(fitted, columns=names)
    if not set(names) < set(known):
        return fitted
    # It was fitted on some of the columns and knows which.
    if not fitted.facts.one_to_one and facts.feature_names is None:
        shown = json.dumps(list(names), ensure_ascii=False)
        raise UserError(
            f"transformers: {_name(fitted.part)} turns {listing(names)} into other columns, and "
            "the model file does not say where they stood in training. Name the columns in a "
            f"features file: {_entry(fitted, shown)}; what "
            "it gives then stands in the place of the first of them."
        )
    return replace(fitted, columns=names)


def _refuse_of_target(fitted: Fitted, known: Sequence[str]) -> None:
    """Refuse the scaler of what the model predicts: before a model of one feature it would fit."""
    if not fitted.facts.one_to_one or fitted.facts.n_features != 1:
        return
    names = fitted.facts.feature_names or ()
    if OF_TARGET.search(_called(fitted.part)) or not {*names} <= {*known}:
        raise UserError(
            f"transformers: {_name(fitted.part)} was fitted on one column"
            f"{f', {names[0]!r}' if names else ''}, which seems to be what the model predicts. "
            "The target is not scaled back after the model here: save the model as a "
            "TransformedTargetRegressor, which does it, fitted on the target as it is. If it is "
            f"for a feature, name it in a features file: {_entry(fitted, NAME)}"
        )


def _entry(fitted: Fitted, columns: str) -> str:
    """Return what a features file says of a transformer, to be copied."""
    transformer = f'"file": "{_name(fitted.part)}", "columns": {columns}'
    return '{"features": […], "transformers": [{' + transformer + "}]}"


def _check_columns(fitted: Fitted, columns: Sequence[str]) -> None:
    name, names, count = _name(fitted.part), fitted.facts.feature_names, fitted.facts.n_features
    if count is not None and len(columns) != count:
        raise UserError(
            f"transformers: {name} was fitted on {_columns(count)}, and {len(columns)} are named "
            f"for it ({listing(columns)})."
        )
    for column in columns:
        if names is not None and column not in names:
            raise UserError(
                f"transformers: {name} was not fitted on {column!r}{did_you_mean(column, names)}; "
                f"its columns are {listing(names)}."
            )


def _of_labels(
    fitted: Fitted, facts: ModelFacts, known: Sequence[str], sample: Sample | None
) -> Fitted | None:
    """Say whose labels an encoder has: of one column of the sample, or of the model's classes."""
    (classes,) = fitted.facts.categories or ((),)
    name, numbers = _name(fitted.part), tuple(range(len(classes)))
    of_target = numbers in (facts.classes, facts.binary)
    columns = [
        column
        for column, cells in (sample.columns.items() if sample else ())
        if column in known and cells.categories and set(cells.categories) <= set(classes)
    ] or [column for column in known if _is_called_after(fitted.part, column)]
    if len(columns) == 1:
        return replace(fitted, columns=(columns[0],))
    if of_target and not columns:
        return None
    shown = listing([json_text(label) for label in classes[:8]])
    raise UserError(
        f"transformers: {name} encodes {shown}, and it is not clear of which column. Say so in a "
        f"features file: {_entry(fitted, NAME)}; if they are what the model predicts, leave "
        'the file out and give "output": {"labels": {…}} there.'
    )


def with_transformers(facts: ModelFacts, fitted: Sequence[Fitted]) -> ModelFacts:
    """Return the facts of the model and the transformers before it as if they were one.

    Raises WorkbenchError where they do not fit each other.
    """
    if not fitted:
        return facts
    names, count, what, merged = facts.feature_names, facts.n_features, "the model", facts
    for one in reversed(fitted):
        names, count = _before(one, names, count, what)
        what = _name(one.part)
        merged = _merge(merged, one)
    first = fitted[0]
    return replace(
        merged,
        feature_names=names,
        n_features=count,
        takes_texts=first.facts.takes_texts,
        fitted_on_frame=first.columns is not None or first.facts.fitted_on_frame,
    )


def _before(
    one: Fitted, names: tuple[str, ...] | None, count: int | None, what: str
) -> tuple[tuple[str, ...] | None, int | None]:
    """Return the columns that a transformer needs so that what follows it gets its own."""
    given, same = one.facts.n_outputs, one.facts.one_to_one or one.facts.encodes_labels
    if one.columns is None:
        if None not in (given, count) and given != count:
            raise UserError(
                f"transformers: {_name(one.part)} gives {_columns(given)}, and {what} takes "
                f"{count}. If it is for some of the columns only, name them in a features file: "
                f"{_entry(one, SOME)}"
            )
        return (
            one.facts.feature_names or (names if same else None),
            one.facts.n_features or (count if same else None),
        )
    if same:
        if names is not None:
            for column in one.columns:
                if column not in names:
                    raise UserError(
                        f"transformers: {_name(one.part)} is for {column!r}, which is no feature"
                        f"{did_you_mean(column, names)}."
                    )
        return names, count
    names = _without_dummies(one, names)
    return names, len(names) if names is not None else None


def _without_dummies(one: Fitted, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return the names with an encoder's columns in the place of those that it makes of them."""
    if names is None or one.columns is None or one.facts.categories is None:
        return None
    made = {
        f"{column}_{label}"
        for column, labels in zip(one.columns, one.facts.categories, strict=True)
        for label in (*labels, *OTHER_DUMMIES)
    }
    if not made & set(names):
        return None
    place = next(number for number, name in enumerate(names) if name in made)
    rest = [name for name in names if name not in made]
    before = sum(name not in made for name in names[:place])
    return (*rest[:before], *one.columns, *rest[before:])


def _columns(count: int | None) -> str:
    return "1 column" if count == 1 else f"{count} columns"


def _merge(facts: ModelFacts, one: Fitted) -> ModelFacts:
    """Return what both files need. Raises WorkbenchError where they contradict each other."""
    other = one.file
    for library, version in other.libraries.items():
        mine = facts.libraries.get(library, version)
        if mine != version:
            raise UserError(
                f"transformers: {_name(one.part)} was saved with {library} {version} and the model "
                f"with {mine}; a file is only safe with the version that wrote it. Fit and save "
                "both with one version."
            )
    majors = [major for major in (facts.numpy_major, other.numpy_major) if major is not None]
    return replace(
        facts,
        libraries=dict(sorted({**facts.libraries, **other.libraries}.items())),
        formats={**facts.formats, **other.formats},
        distributions=tuple(sorted({*facts.distributions, *other.distributions})),
        # The newer numpy reads the older one's files, but not the other way round.
        numpy_major=max(majors, default=None),
        unknown_names=tuple(sorted({*facts.unknown_names, *other.unknown_names})),
        custom_names=tuple(sorted({*facts.custom_names, *other.custom_names})),
        pickled_names=tuple(sorted({*facts.pickled_names, *other.pickled_names})),
        code_pythons=_common_pythons(facts, other),
    )


def _common_pythons(one: FileFacts, other: FileFacts) -> tuple[str, ...] | None:
    """Return the Pythons that can run the code in both files."""
    if one.code_pythons is None or other.code_pythons is None:
        return one.code_pythons or other.code_pythons
    return tuple(python for python in one.code_pythons if python in other.code_pythons)


def categories_of(fitted: Iterable[Fitted]) -> dict[str, tuple[Scalar, ...]]:
    """Return the categories of the columns that encoders were fitted on."""
    found: dict[str, tuple[Scalar, ...]] = {}
    for one in fitted:
        columns = one.columns or one.facts.feature_names or ()
        if one.facts.categories is not None and len(columns) == len(one.facts.categories):
            for column, categories in zip(columns, one.facts.categories, strict=True):
                found.setdefault(column, categories)
        for column, texts in one.facts.encoded.items():
            found.setdefault(column, texts)
    return found


def files_of(fitted: Sequence[Fitted], model: Path) -> dict[Path, str]:
    """Return the project's own name, below model/, of each file that is not the model's."""
    names: dict[Path, str] = {}
    for one in fitted:
        source = one.part.path
        if source.resolve() != model.resolve() and source not in names:
            plain = re.sub(r"[^A-Za-z0-9._-]+", "-", NUMBERED.sub("", source.name))
            names[source] = f"{FOLDER}/{len(names) + 1:02}-{plain}"
    return names


def to_contract(fitted: Sequence[Fitted], names: Mapping[Path, str]) -> list[dict[str, Any]]:
    """Return the transformers as features.json has them."""
    return [
        contract.Transformer(
            names.get(one.part.path, "") + (f"#{one.part.member}" if one.part.member else ""),
            one.columns,
        ).to_json()
        for one in fitted
    ]


def to_manifest(
    fitted: Sequence[Fitted], names: Mapping[Path, str], model: str
) -> list[dict[str, Any]]:
    """Return the transformers as manifest.json has them."""
    return [
        {
            "file": names.get(one.part.path, model),
            "member": one.part.member,
            **loading(one.file),
            "sha256": one.file.sha256,
            "bytes": one.file.size,
            "source": one.part.path.name,
            "estimator": one.facts.name,
        }
        for one in fitted
    ]


def loading(file: FileFacts) -> dict[str, Any]:
    """Return how the service loads a file, as manifest.json has it."""
    if file.container == "skops":
        return {"loader": "skops", "trusted": list(file.trusted)}
    # joblib reads plain pickles, too.
    return {"loader": "joblib" if file.container == "pickle" else file.container}


def beside(path: Path, facts: ModelFacts, files: Files) -> Iterator[str]:
    """Point out fitted files in the same folder that may belong before the model."""
    for sibling in sorted(path.parent.iterdir())[:MOST_SIBLINGS]:
        suffix = sibling.suffix.lower() in SUFFIXES
        if sibling == path or not suffix or not sibling.is_file():
            continue
        if sibling.stat().st_size > LARGEST_SIBLING:
            continue
        try:
            document, _ = files.read(sibling, "transformers")
            found = describe_transformer(document.root)
        except (UserError, RefusedFile):
            continue
        same = facts.n_features in (found.n_features, found.n_outputs)
        if facts.n_features is not None and same and not found.encodes_labels:
            makes = "for" if found.n_features is not None else "that gives"
            columns = _columns(found.n_features or found.n_outputs)
            fits = f"{makes} {columns}, and the model takes {facts.n_features}"
        elif found.encodes_labels and facts.classes == tuple(
            range(len((found.categories or ((),))[0]))
        ):
            fits = f"of {len(facts.classes)} labels, as many as the model has classes"
        else:
            continue
        yield (
            f"{sibling.name} beside the model is a {found.name} {fits}. If the model was trained "
            f"on what it gives, answer transformers={sibling.name}"
        )
