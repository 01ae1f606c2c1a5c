"""What an adoption is decided from: the files that were answered, read and brought together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from workbench.adopt import author_code as own_code
from workbench.adopt import category_lists, features, transformer_files
from workbench.adopt.answers import Answers, FeaturesAnswer, read_features
from workbench.adopt.author_code import Code, read_code
from workbench.adopt.sample import Sample, read_sample
from workbench.errors import UserError, listing
from workbench.inspect import Bundle, ModelFacts, RefusedFile, UserClasses, bundle_of, model_facts


@dataclass(frozen=True)
class Case:
    """The answers and what their files say; nothing is decided yet."""

    answers: Answers
    model: ModelFacts  # of the model alone
    facts: ModelFacts  # of the model and the transformers before it, as if they were one
    beside: transformer_files.Beside
    code: Code | None  # only if it is needed
    answer: FeaturesAnswer
    sample: Sample | None
    siblings: tuple[str, ...]  # what is said of the fitted files beside the model
    notices: tuple[str, ...]

    @property
    def prepares(self) -> bool:
        """Whether a function of the author's makes the model's columns."""
        return self.code is not None and self.code.prepares

    @property
    def needs_pandas(self) -> bool:
        """Whether the model, the transformers or the author's code want frames."""
        code_wants = self.code is not None and (self.prepares or "pandas" in self.code.imports)
        between = bool(self.beside.fitted) and self.model.feature_names is not None
        in_file = "pandas" in self.facts.distributions
        return self.facts.fitted_on_frame or between or in_file or code_wants


def read_case(answers: Answers, own: Mapping[str, Mapping[str, Any]], *, reshape: bool) -> Case:
    """Read all that was answered. Raises WorkbenchError.

    `own` is what the workbench itself wrote into features.json for the model that is replaced: no
    declaration of the user's. `reshape` lets the model have other features than the answer.
    """
    read = transformer_files.Files()
    code = read_code(answers.path(answers.model_code)) if answers.model_code.strip() else None
    model, bundle = _model(answers, read, code.outlines if code is not None else {})
    sample, answer = _sample(answers), read_features(answers)
    model = features.with_names_of_training(model, answer, sample)
    notices = list(model.notices)
    model = _with_task(model, notices)
    beside = transformer_files.transformers_of(
        answers, answer, bundle, model, sample, read, notices
    )
    facts = transformer_files.with_transformers(model, beside.fitted)
    facts = category_lists.before_transformers(model, facts, [t.columns for t in beside.fitted])
    if bundle is not None:
        facts = _named_by_bundle(facts, bundle, notices)
    if reshape and facts.feature_names is not None:
        answer = features.reshaped(answer, facts)
    if sample is not None:
        answer = features.forget(answer, own)
    answer = features.forget_categories(answer, facts, own)
    siblings: tuple[str, ...] = ()
    if not beside.fitted and beside.labels is None:
        siblings = tuple(transformer_files.beside(answers.model.path, facts, read))
        notices += siblings
    if code is not None and not code.prepares and not own_code.own_names(facts, code):
        notices.append(f"The model does not need {code.path.name}, so it was left out.")
        code = None
    return Case(answers, model, facts, beside, code, answer, sample, siblings, tuple(notices))


def _sample(answers: Answers) -> Sample | None:
    try:
        return read_sample(answers.sample) if answers.sample else None
    except UserError as error:
        raise UserError([f"sample_data: {problem}" for problem in error.problems]) from None


def _model(
    answers: Answers, read: transformer_files.Files, outlines: UserClasses
) -> tuple[ModelFacts, Bundle | None]:
    """Return the facts of the model that was named, and of what else lies in its file.

    `outlines` are those of the user's own classes. Raises WorkbenchError where the file holds
    several models and none is named.
    """
    part = answers.model
    document, file = read.read(part.path, "model_path")
    bundle = bundle_of(document.root) if part.member is None else None
    member = part.member
    if bundle is not None and len(bundle.models) == 1:
        member = bundle.models[0].name
    elif bundle is not None and bundle.models:
        raise UserError(
            f"model_path: {part.path.name} holds {len(bundle.models)} models; which one? Answer "
            f"{' or '.join(f'model_path={answers.model_path}#{m.name}' for m in bundle.models)}."
        )
    try:
        facts = model_facts(document, file, member, outlines)
    except RefusedFile as error:
        raise UserError(f"model_path: {part}: {error}") from None
    return facts, bundle


def _with_task(facts: ModelFacts, notices: list[str]) -> ModelFacts:
    """Return the facts with a task: a model of which nothing tells one answers as it is."""
    if facts.task is not None:
        return facts
    notices.append(
        f"It is not known what {facts.estimator} predicts, so its answers are given as they are, "
        "like those of a regression. If it is a classifier, let its class descend from "
        "ClassifierMixin and set classes_ in fit."
    )
    return replace(facts, task="regression")


def _named_by_bundle(facts: ModelFacts, bundle: Bundle, notices: list[str]) -> ModelFacts:
    """Return the facts with the names that lie beside the model in its file, if it has none."""
    if bundle.threshold is not None and facts.classes is not None and len(facts.classes) == 2:
        positive = json.dumps(facts.classes[1], ensure_ascii=False)
        notices.append(
            f"The model's file holds a threshold, {bundle.threshold}. If your app decides by it, "
            f'put "positive": {positive}, "threshold": {bundle.threshold} into the output of the '
            "features file."
        )
    names = bundle.names(facts.n_features)
    if facts.feature_names is not None or names is None:
        return facts
    notices.append(f"The features are named as in the model's file: {listing(names)}.")
    return replace(facts, feature_names=names)
