"""Join the author's code, the transformers and the model into the chain that predicts a row."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from model_service.contract.contract import Transformer
from model_service.contract.json_values import Scalar, json_text
from model_service.contract.parsing import did_you_mean
from workbench.adopt.answers import joined
from workbench.adopt.beside.arrange import is_imputer, longest_paths
from workbench.adopt.beside.transformer_columns import (
    MAX_LABELS,
    features_file,
    place_transformer,
    show_count,
    without_dummies,
)
from workbench.adopt.beside.transformer_files import FOLDER, NUMBERED, Fitted
from workbench.adopt.case import Case
from workbench.adopt.code.author_code import AuthorCode
from workbench.adopt.csv.category_lists import untransformed_categories
from workbench.adopt.problems import AnswerError, Notes, Problem, Repair
from workbench.errors import listing
from workbench.inspect import Bundle, FileFacts, ModelFacts

SOME_COLUMNS = "[…]"  # columns to fill in, in the example of a features file


@dataclass(frozen=True)
class Target:
    """What an encoder of the target says about the predictions."""

    labels: Mapping[str, str] | None = None  # by class
    names: tuple[str, ...] | None = None  # of several targets
    transform: Mapping[str, float] | None = None  # that undoes the scaling of a number
    note: str = ""


@dataclass(frozen=True)
class Chain:
    """What predicts a row: the author's code, then the transformers in order, then the model."""

    facts: ModelFacts  # of the transformers and the model as if they were one
    model: ModelFacts  # of the model alone
    fitted: tuple[Fitted, ...] = ()
    target: Target = Target()
    code: AuthorCode | None = None  # only if the chain needs it
    # Columns that the first of them drops, by place among all that it was given: no features.
    unused: Mapping[int, str] = field(default_factory=dict)

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
    def numbers(self) -> frozenset[str]:
        """The columns of which transformers before an estimator take numbers only."""
        if self.prepares:
            return frozenset()
        return self.facts.numbers.union(*(one.facts.numbers for one in self.fitted))

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
    fitted, target, notes = _order(case)
    joined_facts, task_notes = _with_task(_join(case.model, fitted))
    columns = [one.columns for one in fitted]
    facts = replace(
        joined_facts, categories=untransformed_categories(case.model, joined_facts, columns)
    )
    facts, bundle_notes = _with_names_of_bundle(facts, case.bundle)
    code, code_notes = _needed_code(facts, case.code)
    unused: Mapping[int, str] = {}
    if code is None or not code.prepares:
        facts, unused = _without_unused(facts, case.declared.names)
    return (
        Chain(facts, case.model, tuple(fitted), target, code, unused),
        (
            *case.model.notices,
            *task_notes,
            *notes,
            *_notes_on_versions(facts, fitted),
            *bundle_notes,
            *code_notes,
        ),
    )


def _order(case: Case) -> tuple[list[Fitted], Target, Notes]:
    """Return the transformers in order with their columns, and what encodes the target."""
    features, all_columns = _feature_names(case)
    problems = list(case.transformers.problems)
    placed: list[Fitted] = []
    target, notes = Target(), []
    in_model_file = case.transformers.in_model_file
    # What only fills in missing values was for the training: the app seldom does that.
    left = [one for one in case.transformers.fitted if in_model_file and is_imputer(one)]
    for one in case.transformers.fitted:
        if one in left:
            continue
        try:
            found = place_transformer(one, case, features or all_columns)
        except AnswerError as error:
            problems += error.found
            continue
        if found is not None:
            placed.append(found)
            continue
        target = _target(one, case.model)
        notes.append(target.note)
    if problems:
        raise AnswerError(problems)
    if in_model_file:
        placed, order_notes = _order_in_file(case, placed, left)
        notes += order_notes
    return placed, target, tuple(notes)


def _target(one: Fitted, model: ModelFacts) -> Target:
    """Return what a label encoder or a scaler of the target says about the predictions."""
    if one.facts.scalings:
        (scaling,) = one.facts.scalings
        multiply, add = scaling.inverse
        transform = {"multiply": multiply, "add": add}
        note = f"{one.name} scaled what the model predicts; the service scales it back."
        return Target(transform=transform, note=note)
    labels = [json_text(label) for label in (one.facts.categories or ((),))[0]]
    if model.n_outputs > 1:
        return Target(
            names=tuple(labels), note=f"{one.name} names what is predicted: {listing(labels)}."
        )
    codes = model.classes or model.binary or ()
    by_code = {json_text(code): label for code, label in zip(codes, labels, strict=True)}
    shown = listing([f"{code} is {label}" for code, label in by_code.items()], MAX_LABELS)
    return Target(by_code, note=f"{one.name} gives the classes of the model their labels: {shown}.")


def _order_in_file(
    case: Case, placed: Sequence[Fitted], left: Sequence[Fitted]
) -> tuple[list[Fitted], list[str]]:
    """Return the transformers in the model's own file in order. Raises AnswerError if unclear.

    `left` are those that only fill in missing values.
    """
    answers, name = case.answers, case.answers.model.path.name
    some = [one for one in placed if one.columns is not None]
    every = [one for one in placed if one.columns is None]
    order = list(every)
    if len(every) > 1:
        paths = longest_paths(every, case.model.n_features)
        if len(paths) != 1 or len(paths[0]) != len(every):
            found = [*some, *every]
            members = joined([answers.shown_path(one.part) for one in found])
            out = joined([f"-{answers.shown_path(one.part)}" for one in every])
            message = (
                f"{name} holds {len(found)} transformers besides the model; in which order are "
                f"they applied? Answer {answers.names.transformers}={members}, with a dash before "
                f"those that are not: {out}"
            )
            repair = Repair(
                {"transformers": members},
                otherwise=(("If none of them is applied:", {"transformers": out}),),
            )
            raise AnswerError(Problem("model_path", message, repair))
        order = list(paths[0])
    found, notes = [*some, *order], []
    if found:
        verb = "is" if len(found) == 1 else "are"
        shown = listing([one.name for one in found])
        notes.append(f"{shown} in the same file {verb} applied before the model.")
    if left:
        answer = joined([answers.shown_path(one.part) for one in [*left, *found]])
        notes.append(
            f"Not applied, because only missing values need it: "
            f"{listing([one.name for one in left])} in the same file. If your app applies it, "
            f"answer {answers.names.transformers}={answer}"
        )
    return found, notes


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
    names, count, following, result = model.feature_names, model.n_features, "the model", model
    for one in reversed(fitted):
        names, count = _input_columns(one, names, count, following)
        following = one.name
        result = _add_file(result, one)
    first = fitted[0]
    return replace(
        result,
        feature_names=names,
        n_features=count,
        unused=first.facts.unused if first.columns is None else (),
        takes_texts=first.facts.takes_texts,
        fitted_on_frame=first.columns is not None or first.facts.fitted_on_frame,
    )


def _input_columns(
    one: Fitted, names: tuple[str, ...] | None, count: int | None, following: str
) -> tuple[tuple[str, ...] | None, int | None]:
    """Return the columns that a transformer needs, so that the following step gets its own."""
    outputs = one.facts.n_outputs
    # A class of the user's own most often changes values and leaves the columns.
    same = one.facts.one_to_one or one.facts.encodes_labels or one.facts.of_user
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
        if model_version != version and not _is_alike(one, library, version, model_version):
            message = (
                f"{one.name} was saved with {library} {version} and the model with "
                f"{model_version}; a file is only safe with the version that wrote it. Fit and "
                "save both with one version."
            )
            raise AnswerError(Problem("transformers", message))
    majors = [major for major in (facts.numpy_major, other.numpy_major) if major is not None]
    return replace(
        facts,
        libraries=dict(sorted({**other.libraries, **facts.libraries}.items())),
        formats={**facts.formats, **other.formats},
        distributions=_union(facts.distributions, other.distributions),
        # A newer numpy reads files of an older one; the reverse fails.
        numpy_major=max(majors, default=None),
        unknown_names=_union(facts.unknown_names, other.unknown_names),
        custom_names=_union(facts.custom_names, other.custom_names),
        pickled_names=_union(facts.pickled_names, other.pickled_names),
        code_uses=_union(facts.code_uses, other.code_uses),
        code_pythons=_common_pythons(facts, other),
    )


def _is_alike(one: Fitted, library: str, version: str, other: str) -> bool:
    """Return whether what a transformer holds is the same in two versions of its library.

    A scaler holds its statistics and a label encoder its classes, in every scikit-learn from 1.0.
    """
    is_simple = bool(one.facts.scalings) or one.facts.encodes_labels
    majors = {text.partition(".")[0] for text in (version, other)}
    return is_simple and library == "scikit-learn" and len(majors) == 1 and "0" not in majors


def _notes_on_versions(facts: ModelFacts, fitted: Sequence[Fitted]) -> Iterator[str]:
    """Yield a note for each transformer that another version of its library wrote."""
    for one in fitted:
        for library, version in one.file.libraries.items():
            if (installed := facts.libraries.get(library, version)) != version:
                article = "an" if one.facts.name[:1] in "AEIOU" else "a"
                yield (
                    f"{one.name} was saved with {library} {version}, and {installed} is installed "
                    f"for the model; {article} {one.facts.name} holds the same in both."
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


def _without_unused(
    model: ModelFacts, declared: Collection[str]
) -> tuple[ModelFacts, Mapping[int, str]]:
    """Return the facts without the columns that are dropped, and these by their places.

    Those that the answers name as features stay features.
    """
    names = model.feature_names or ()
    unused = {
        place: name
        for place, name in enumerate(names)
        if name in model.unused and name not in declared
    }
    if not unused:
        return model, {}
    kept = [place for place in range(len(names)) if place not in unused]
    new_places = {place: number for number, place in enumerate(kept)}
    facts = replace(
        model,
        feature_names=tuple(names[place] for place in kept),
        n_features=len(kept),
        categories={new_places[p]: c for p, c in model.categories.items() if p in new_places},
        unused=(),
    )
    return facts, unused


def _needed_code(facts: ModelFacts, code: AuthorCode | None) -> tuple[AuthorCode | None, Notes]:
    """Return the author's code if the model file refers to it or it prepares the columns."""
    if code is None or code.prepares or code.needed_names(facts):
        return code, ()
    return None, (f"The model does not need {code.name}, so it was left out.",)
