"""Join the author's code, the transformers and the model into the chain that predicts a row."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model_service.contract.contract import Scalar, Transformer, json_text
from model_service.contract.parsing import did_you_mean
from workbench.adopt.answers import Answers
from workbench.adopt.author_code import AuthorCode
from workbench.adopt.case import Case
from workbench.adopt.category_lists import untransformed_categories
from workbench.adopt.problems import AnswerError, Notes, Problem
from workbench.adopt.transformer_columns import (
    MAX_LABELS,
    features_file,
    place_transformer,
    show_count,
    without_dummies,
)
from workbench.adopt.transformer_files import FOLDER, NUMBERED, Fitted, Neighbour
from workbench.errors import listing
from workbench.inspect import Bundle, FileFacts, ModelFacts

SOME_COLUMNS = "[…]"  # columns to fill in, in the example of a features file


@dataclass(frozen=True)
class Chain:
    """What predicts a row: the author's code, then the transformers in order, then the model."""

    facts: ModelFacts  # of the transformers and the model as if they were one
    model: ModelFacts  # of the model alone
    fitted: tuple[Fitted, ...] = ()
    labels: Mapping[str, str] | None = None  # of the classes, from an encoder of the target
    code: AuthorCode | None = None  # only if the chain needs it

    @property
    def task(self) -> str:
        """The task of the model, which `build_chain` always sets."""
        assert self.facts.task is not None
        return self.facts.task

    @property
    def prepares(self) -> bool:
        """Whether the author's `prepare` makes the model's columns."""
        return self.code is not None and self.code.prepares

    @property
    def needs_pandas(self) -> bool:
        """Whether the model, the transformers or the author's code take frames."""
        in_code = self.code is not None and (self.prepares or "pandas" in self.code.imports)
        between = bool(self.fitted) and self.model.feature_names is not None
        in_file = "pandas" in self.facts.distributions
        return self.facts.fitted_on_frame or between or in_file or in_code

    @property
    def encoded_categories(self) -> dict[str, tuple[Scalar, ...]]:
        """The categories that encoders were fitted on, by column."""
        if self.prepares:
            return {}
        found: dict[str, tuple[Scalar, ...]] = {}
        for one in self.fitted:
            columns = one.columns or one.facts.feature_names or ()
            if one.facts.categories is not None and len(columns) == len(one.facts.categories):
                for column, categories in zip(columns, one.facts.categories, strict=True):
                    found.setdefault(column, categories)
            for column, texts in one.facts.encoded.items():
                found.setdefault(column, texts)
        return {**self.facts.encoded, **found}

    def copied_files(self, model: Path) -> dict[Path, str]:
        """Return the files to copy, with their names below model/; not the model's own file."""
        names: dict[Path, str] = {}
        for one in self.fitted:
            source = one.part.path
            if source.resolve() != model.resolve() and source not in names:
                plain = re.sub(r"[^A-Za-z0-9._-]+", "-", NUMBERED.sub("", source.name))
                names[source] = f"{FOLDER}/{len(names) + 1:02}-{plain}"
        return names

    def contract_transformers(self, model: Path) -> list[dict[str, Any]]:
        """Return the transformers as features.json has them."""
        names = self.copied_files(model)
        found = []
        for one in self.fitted:
            member = f"#{one.part.member}" if one.part.member else ""
            file = names.get(one.part.path, "") + member
            found.append(Transformer(file, one.columns).to_json())
        return found


def build_chain(case: Case) -> tuple[Chain, Notes]:
    """Return the chain of a case. Raises AnswerError with all problems of its transformers."""
    fitted, labels, notes = _order(case)
    joined, task_notes = _with_task(_join(case.model, fitted))
    columns = [one.columns for one in fitted]
    facts = replace(joined, categories=untransformed_categories(case.model, joined, columns))
    facts, bundle_notes = _with_names_of_bundle(facts, case.bundle)
    code, code_notes = _needed_code(facts, case.code)
    hints = neighbour_hints(facts, case.neighbours, case.answers)
    return (
        Chain(facts, case.model, fitted, labels, code),
        (*case.model.notices, *task_notes, *notes, *bundle_notes, *hints, *code_notes),
    )


def _order(case: Case) -> tuple[tuple[Fitted, ...], Mapping[str, str] | None, Notes]:
    """Return the transformers in order with their columns, and the labels of the classes."""
    names = case.answers.names
    features, all_columns = _feature_names(case)
    problems = list(case.transformers.problems)
    found: list[Fitted] = []
    labels: dict[str, str] | None = None
    notes: list[str] = []
    for one in case.transformers.fitted:
        try:
            placed = place_transformer(one, case, features or all_columns)
        except AnswerError as error:
            problems += error.found
            continue
        if placed is not None:
            found.append(placed)
            continue
        (classes,) = one.facts.categories or ((),)
        labels = {str(code): json_text(label) for code, label in enumerate(classes)}
        shown = [f"{code} is {label}" for code, label in labels.items()][:MAX_LABELS]
        notes.append(f"{one.name} gives the classes of the model their labels: {', '.join(shown)}.")
    in_model_file = case.transformers.in_model_file
    if in_model_file and len([one for one in found if one.columns is None]) > 1:
        members = ",".join(f"{case.answers.model_path}#{one.part.member}" for one in found)
        message = (
            f"{case.answers.model.path.name} holds {len(found)} transformers besides the model; "
            f"in which order are they applied? Answer {names.transformers}={members}, or "
            f"{names.model_path} with the # of the model if it needs none of them."
        )
        problems.append(Problem("model_path", message))
    if problems:
        raise AnswerError(problems)
    if in_model_file and found:
        # Encoders of single columns come before a scaler of all columns.
        found.sort(key=lambda one: one.columns is None)
        notes.append(
            f"{listing([one.name for one in found])} in the same file "
            f"{'is' if len(found) == 1 else 'are'} applied before the model."
        )
    return tuple(found), labels, tuple(notes)


def _feature_names(case: Case) -> tuple[Sequence[str], Sequence[str]]:
    """Return the names of the features, if they are known, and else the sample's columns."""
    known = case.declared.names or case.model.feature_names
    of_all = [
        one.facts.feature_names
        for one in case.transformers.fitted
        if one.columns is None and one.facts.feature_names
    ]
    return known or max(of_all, key=len, default=()), known or case.sample_columns


def _join(model: ModelFacts, fitted: Sequence[Fitted]) -> ModelFacts:
    """Return the facts of the transformers and the model as if they were one.

    Raises AnswerError if one does not fit the next.
    """
    if not fitted:
        return model
    names, count, following, joined = model.feature_names, model.n_features, "the model", model
    for one in reversed(fitted):
        names, count = _input_columns(one, names, count, following)
        following = one.name
        joined = _add_file(joined, one)
    first = fitted[0]
    return replace(
        joined,
        feature_names=names,
        n_features=count,
        takes_texts=first.facts.takes_texts,
        fitted_on_frame=first.columns is not None or first.facts.fitted_on_frame,
    )


def _input_columns(
    one: Fitted, names: tuple[str, ...] | None, count: int | None, following: str
) -> tuple[tuple[str, ...] | None, int | None]:
    """Return the columns that a transformer needs, so that the following step gets its own."""
    outputs, same = one.facts.n_outputs, one.facts.one_to_one or one.facts.encodes_labels
    if one.columns is None:
        if None not in (outputs, count) and outputs != count:
            message = (
                f"{one.name} gives {show_count(outputs)}, and {following} takes {count}. If it is "
                "for some of the columns only, name them in a features file: "
                f"{features_file(one, SOME_COLUMNS)}"
            )
            raise AnswerError(Problem("transformers", message))
        return (
            one.facts.feature_names or (names if same else None),
            one.facts.n_features or (count if same else None),
        )
    if same:
        if names is not None:
            for column in one.columns:
                if column not in names:
                    message = (
                        f"{one.name} is for {column!r}, which is no feature"
                        f"{did_you_mean(column, names)}."
                    )
                    raise AnswerError(Problem("transformers", message))
        return names, count
    names = without_dummies(one, names)
    return names, len(names) if names is not None else None


def _add_file(facts: ModelFacts, one: Fitted) -> ModelFacts:
    """Return what both files need. Raises AnswerError if they contradict each other."""
    other = one.file
    for library, version in other.libraries.items():
        model_version = facts.libraries.get(library, version)
        if model_version != version:
            message = (
                f"{one.name} was saved with {library} {version} and the model with "
                f"{model_version}; a file is only safe with the version that wrote it. Fit and "
                "save both with one version."
            )
            raise AnswerError(Problem("transformers", message))
    majors = [major for major in (facts.numpy_major, other.numpy_major) if major is not None]
    return replace(
        facts,
        libraries=dict(sorted({**facts.libraries, **other.libraries}.items())),
        formats={**facts.formats, **other.formats},
        distributions=_union(facts.distributions, other.distributions),
        # A newer numpy reads files of an older one; the reverse fails.
        numpy_major=max(majors, default=None),
        unknown_names=_union(facts.unknown_names, other.unknown_names),
        custom_names=_union(facts.custom_names, other.custom_names),
        pickled_names=_union(facts.pickled_names, other.pickled_names),
        code_pythons=_common_pythons(facts, other),
    )


def _union(one: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({*one, *other}))


def _common_pythons(one: FileFacts, other: FileFacts) -> tuple[str, ...] | None:
    """Return the Python versions that can run the pickled code of both files."""
    if one.code_pythons is None or other.code_pythons is None:
        return one.code_pythons or other.code_pythons
    return tuple(python for python in one.code_pythons if python in other.code_pythons)


def _with_task(facts: ModelFacts) -> tuple[ModelFacts, Notes]:
    """Return the facts with a task: regression, if the file does not say what is predicted."""
    if facts.task is not None:
        return facts, ()
    note = (
        f"It is not known what {facts.estimator} predicts, so its predictions are returned as "
        "they are, like those of a regression. If it is a classifier, let its class descend from "
        "ClassifierMixin and set classes_ in fit."
    )
    return replace(facts, task="regression"), (note,)


def _with_names_of_bundle(facts: ModelFacts, bundle: Bundle | None) -> tuple[ModelFacts, Notes]:
    """Return the facts with the feature names of a list in the model's file, if it has no other."""
    notes: list[str] = []
    if bundle is None:
        return facts, ()
    if bundle.threshold is not None and facts.classes is not None and len(facts.classes) == 2:
        positive = json.dumps(facts.classes[1], ensure_ascii=False)
        notes.append(
            f"The model's file holds a threshold, {bundle.threshold}. If your app decides by it, "
            f'put "positive": {positive}, "threshold": {bundle.threshold} into the output of the '
            "features file."
        )
    names = bundle.names(facts.n_features)
    if facts.feature_names is not None or names is None:
        return facts, tuple(notes)
    notes.append(f"The features are named as in the model's file: {listing(names)}.")
    return replace(facts, feature_names=names), tuple(notes)


def _needed_code(facts: ModelFacts, code: AuthorCode | None) -> tuple[AuthorCode | None, Notes]:
    """Return the author's code if the model file refers to it or it prepares the columns."""
    if code is None or code.prepares or code.needed_names(facts):
        return code, ()
    return None, (f"The model does not need {code.name}, so it was left out.",)


def neighbour_hints(
    facts: ModelFacts, neighbours: Sequence[Neighbour], answers: Answers
) -> Iterator[str]:
    """Yield a note for each fitted file in the model's folder that fits before the model."""
    for neighbour in neighbours:
        found = neighbour.facts
        same_count = facts.n_features in (found.n_features, found.n_outputs)
        if facts.n_features is not None and same_count and not found.encodes_labels:
            relation = "for" if found.n_features is not None else "that gives"
            columns = show_count(found.n_features or found.n_outputs)
            fits = f"{relation} {columns}, and the model takes {facts.n_features}"
        elif found.encodes_labels and facts.classes == tuple(
            range(len((found.categories or ((),))[0]))
        ):
            fits = f"of {len(facts.classes)} labels, as many as the model has classes"
        else:
            continue
        yield (
            f"{neighbour.name} in the model's folder is a {found.name} {fits}. If the model was "
            f"trained on its output, answer {answers.names.transformers}={neighbour.name}"
        )
