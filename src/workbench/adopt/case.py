"""The case of an adoption: the answers, and everything that their files hold, read once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from model_service.contract.json_values import json_text
from model_service.model.manifest import Manifest
from workbench.adopt.answers import Answers, Part
from workbench.adopt.beside.find_code import sources_near
from workbench.adopt.beside.transformer_files import (
    FileReader,
    Neighbour,
    TransformerFiles,
    models_beside,
    read_neighbours,
    read_transformers,
)
from workbench.adopt.beside.whole_models import WholeModel, whole_models
from workbench.adopt.code.author_code import AuthorCode, read_code
from workbench.adopt.code.source_files import SourceFile
from workbench.adopt.csv.sample import Sample, read_sample
from workbench.adopt.features_answer import FeaturesAnswer, read_features
from workbench.adopt.problems import AnswerError, Changes, Problem, Repair, concerning
from workbench.inspect import (
    Bundle,
    ModelFacts,
    RefusedFile,
    UserClasses,
    bundle_of,
    find_member,
    model_facts,
)

MAX_CHOICES = 4  # models of one file, each with its command


@dataclass(frozen=True)
class Case:
    """Everything that an adoption is decided from. Nothing in it is a decision."""

    answers: Answers
    declared: FeaturesAnswer
    model: ModelFacts
    bundle: Bundle | None  # the other members of the model's file
    transformers: TransformerFiles
    neighbours: tuple[Neighbour, ...]  # beside the model, neither answered nor left out
    other_models: Mapping[str, int]  # beside the model, by file name: how many columns they take
    wholes: tuple[WholeModel, ...]  # beside a bare model: the same one behind its transformers
    model_root: object  # what the model is, as inspection reads it
    code: AuthorCode | None
    sample: Sample | None
    previous: Manifest | None  # of the model that is replaced
    previous_expected: Mapping[str, Any] | None  # its expected.json

    @cached_property
    def sources(self) -> tuple[SourceFile, ...]:
        """The author's code near the model, parsed once: many questions are asked of it."""
        return tuple(sources_near(self.answers))

    @property
    def columns_of_others(self) -> frozenset[int]:
        """How many columns other models beside the model take."""
        return frozenset(self.other_models.values())

    @property
    def sample_columns(self) -> tuple[str, ...]:
        return tuple(self.sample.columns) if self.sample is not None else ()

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features as far as the answers, the model or the sample know them."""
        return self.declared.names or self.model.feature_names or self.sample_columns

    @property
    def is_same_file(self) -> bool:
        """Whether the model that is replaced is the same member of the same file."""
        if self.previous is None:
            return False
        last = self.previous.model
        return (self.model.sha256, self.model.member) == (last.sha256, last.member)


def read_case(
    answers: Answers,
    previous: Manifest | None,
    previous_expected: Mapping[str, Any] | None,
    reader: FileReader | None = None,
) -> Case:
    """Read every file that the answers name, and those beside the model. Raises AnswerError."""
    reader = (reader or FileReader()).with_answers(answers)
    code = read_code(answers.code, answers.folder) if answers.code else None
    user_classes = code.classes if code is not None else {}
    model, root, bundle = _read_model(answers, reader, user_classes)
    sample = _read_sample(answers.sample) if answers.sample is not None else None
    declared = _with_classes(read_features(answers), answers, model)
    columns = tuple(sample.columns) if sample is not None else ()
    model = _with_original_names(model, declared.names or columns)
    if sample is not None:
        names = declared.names or model.feature_names or ()
        sample = sample.with_names_of(names, of_model=not declared.names)
        columns = tuple(sample.columns)
    features = declared.names or model.feature_names or columns
    transformers = read_transformers(answers, declared, bundle, features, reader, user_classes)
    others = [*(one.answer for one in transformers.fitted), *answers.left_out]
    others += [Part(answers.model.path, name) for name in transformers.left_in_file]
    if previous is not None:
        beside = replace(answers, folder=answers.model.path.absolute().parent)
        others += [beside.part(name) for name in previous.left_out]
    return Case(
        answers=answers,
        declared=declared,
        model=model,
        bundle=bundle,
        transformers=transformers,
        neighbours=tuple(read_neighbours(answers.model, others, reader, user_classes)),
        other_models=dict(models_beside(answers.model, reader)),
        wholes=tuple(whole_models(answers.model, root, others, reader)),
        model_root=root,
        code=code,
        sample=sample,
        previous=previous,
        previous_expected=previous_expected,
    )


def _with_classes(declared: FeaturesAnswer, answers: Answers, model: ModelFacts) -> FeaturesAnswer:
    """Return the features answer with labels for the classes if the signature asks for them.

    The own file of a booster holds a number; XGBClassifier makes one of two classes of it.
    """
    asks = answers.signature is not None and answers.signature.of_classifier
    if not asks or model.binary is None or declared.output is not None:
        return declared
    labels = {json_text(label): json_text(label) for label in model.binary}
    return replace(declared, output={"labels": labels})


def _read_sample(path: Path) -> Sample:
    with concerning("sample_data"):
        return read_sample(path)


def _read_model(
    answers: Answers, reader: FileReader, user_classes: UserClasses
) -> tuple[ModelFacts, object, Bundle | None]:
    """Return the facts of the model, what it is, and the other members of its file.

    `user_classes` are those of the author's code. Raises AnswerError if the file holds
    several models and the answer names none of them.
    """
    part = answers.model
    document, file = reader.inspect(part.path, "model_path")
    bundle = bundle_of(document.root) if part.member is None else None
    member = part.member
    if bundle is not None and len(bundle.models) == 1:
        member = bundle.models[0].name
    elif bundle is not None and bundle.models:
        choices = [
            f"{answers.names.model_path}={answers.model_path}#{m.name}" for m in bundle.models
        ]
        message = (
            f"{part.path.name} holds {len(bundle.models)} models; which one? Answer "
            f"{' or '.join(choices)}."
        )
        first: Changes = {"model_path": f"{answers.model_path}#{bundle.models[0].name}"}
        others: list[tuple[str, Changes]] = [
            (f"If it is {m.name}:", {"model_path": f"{answers.model_path}#{m.name}"})
            for m in bundle.models[1:MAX_CHOICES]
        ]
        raise AnswerError(Problem("model_path", message, Repair(first, otherwise=tuple(others))))
    try:
        facts = model_facts(document, file, member, user_classes)
    except RefusedFile as error:
        raise AnswerError(Problem("model_path", f"{part}: {error}")) from None
    root = document.root if member is None else find_member(document.root, member)
    return facts, root, bundle


def _with_original_names(model: ModelFacts, originals: Sequence[str]) -> ModelFacts:
    """Return the facts with the original feature names: LightGBM changes "a b" to "a_b"."""
    if model.feature_names is None or "lightgbm" not in model.distributions:
        return model
    by_changed = {re.sub(r"\s", "_", name): name for name in originals}
    names = (
        name if name in originals else by_changed.get(name, name) for name in model.feature_names
    )
    return replace(model, feature_names=tuple(names))
