"""Decide an adoption: inspect the model file, derive the contract, the manifest and the pins.

Standard library only, no clock, no randomness, no network: the same inputs write the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_service.contract.contract import Contract, Row, json_text
from workbench.adopt import author_code as own_code
from workbench.adopt import category_lists, features, proposals, requirements_hint, trust
from workbench.adopt import choose_versions as requirements
from workbench.adopt import expected_answers as expected
from workbench.adopt import transformer_files as transformers
from workbench.adopt.answers import Answers, Part
from workbench.adopt.author_code import Code
from workbench.adopt.case import Case, read_case
from workbench.adopt.choose_versions import written_by
from workbench.adopt.profiles import profiles
from workbench.adopt.sample import Sample, read_rows
from workbench.errors import UserError, listing
from workbench.inspect import ModelFacts
from workbench.inspect.formats.pickled_boosters import LIBRARIES
from workbench.lock.pins import NoPins, Pins, imported_as


@dataclass(frozen=True)
class Adoption:
    """All that was decided; nothing is written yet."""

    source: Path
    facts: ModelFacts
    contract: Contract
    manifest: dict[str, Any]
    pins: Pins
    code: Code | None
    transformers: Mapping[Path, str]  # names in the project, below model/, by source
    expected: Mapping[str, Any] | None
    proposed: proposals.Proposal | None
    former: frozenset[str]  # libraries of the model that is replaced
    notices: tuple[str, ...]

    def summary(self) -> str:
        """Name what was adopted, in two lines."""
        known, classes = f"{self.facts.task}", self.facts.classes
        if self.facts.binary is not None and self.contract.output.asks_for_classes:
            known, classes = "classification", self.facts.binary
        if classes:
            labels, texts = self.contract.output.labels, [json_text(c) for c in classes]
            named = [f"{text} ({labels[text]})" if text in labels else text for text in texts]
            known += f" into {listing(named)}"
        libraries = ", ".join([*written_by(self.facts), f"Python {self.pins.python}"])
        return (
            f"Adopted {describe(self.facts)} from {self.source}:\n"
            f"{known}, {len(self.contract.features)} features, {libraries}."
        )


def describe(facts: ModelFacts) -> str:
    """Name the estimator as people do: Pipeline (ColumnTransformer, LogisticRegression)."""
    module, _, root = facts.class_name.rpartition(".")
    if root == "Booster":
        root = f"{LIBRARIES[module.split('.')[0]]} Booster"
    steps = [step.class_name.rsplit(".", 1)[-1] for step in facts.steps]
    return f"{root} ({', '.join(steps)})" if steps else root


def decide(
    answers: Answers,
    previous: Mapping[str, Any] | None = None,
    *,
    reshape: bool = False,
    promised: Mapping[str, Any] | None = None,
) -> Adoption:
    """Decide everything about an adoption. Raises WorkbenchError with all problems.

    `previous` is the manifest of the model that is replaced, if there is one. `reshape` lets the
    model have other features than features.json, of which those are kept that it still has.
    `promised` are the answers that the user expected of the model that is replaced.
    """
    given = read_case(answers, previous["derived"] if previous else {}, reshape=reshape)
    facts, notices = given.facts, list(given.notices)
    problems = [
        *own_code.problems(facts, given.code),
        *trust.problems(facts, answers.trusted, given.code),
    ]
    pinned = None
    try:
        pinned = requirements.choose(facts, answers, previous, pandas=given.needs_pandas)
        notices += requirements_hint.notices(answers.model.path.absolute(), facts, pinned)
        notices += requirements.about_code(facts, pinned.python)
    except (NoPins, UserError) as error:
        problems.append(str(error))
    try:
        api = _api(given, previous, promised)
    except UserError as error:
        # Names that the model does not have may be in the file that it was trained behind.
        nameless = facts.feature_names is None and not given.answer.features
        siblings = given.siblings if nameless and given.sample is None else ()
        raise UserError([*problems, *error.problems, *siblings]) from None
    problems += category_lists.problems(facts, api.known)
    if problems or pinned is None:
        raise UserError(problems)
    manifest = _manifest(given, api, pinned, previous)
    proposed = _proposed(given, api, previous)
    if proposed is not None:
        notices.append(proposed.notice(manifest["model"], answers.trusted))
    return Adoption(
        source=answers.model.path,
        facts=facts,
        contract=api.contract,
        manifest=manifest,
        pins=pinned,
        code=given.code,
        transformers=api.transformers,
        expected=api.expected,
        proposed=proposed,
        former=frozenset(previous["libraries"] if previous else ()),
        notices=(*notices, *api.notices),
    )


@dataclass(frozen=True)
class _Api:
    """What callers send and get."""

    contract: Contract
    known: category_lists.Known
    examples: list[Row]
    expected: Mapping[str, Any] | None
    transformers: Mapping[Path, str]
    notices: tuple[str, ...]


def _api(
    given: Case, previous: Mapping[str, Any] | None, promised: Mapping[str, Any] | None
) -> _Api:
    """Decide the contract and the rows that show it. Raises WorkbenchError."""
    facts, sample, fitted = given.facts, given.sample, given.beside.fitted
    names = transformers.files_of(fitted, given.answers.model.path)
    before = features.Before(
        transformers.to_contract(fitted, names),
        {**facts.encoded, **transformers.categories_of(fitted)} if not given.prepares else {},
        given.beside.labels,
    )
    notices: list[str] = []
    contract = features.contract_of(facts, given.answer, sample, given.prepares, notices, before)
    inputs = [column.name for column in contract.columns([])]
    told = category_lists.known_categories(facts, inputs, sample) if not given.prepares else {}
    known = category_lists.completed(told, contract, previous)
    if sample is not None:
        answered = expected.given(contract, sample)
    else:
        answered = expected.kept(contract, promised if _is_same(facts, previous) else None)
    return _Api(
        contract=contract,
        known=known,
        examples=features.examples(contract, sample, previous),
        expected=answered,
        transformers=names,
        notices=(*notices, *category_lists.notices(told, known)),
    )


def _manifest(
    given: Case, api: _Api, pinned: Pins, previous: Mapping[str, Any] | None
) -> dict[str, Any]:
    answers, facts, code = given.answers, given.facts, given.code
    last = previous or {"version": 0, "sample": None, "derived": {}}
    about = _about_the_model(facts, pinned, answers.model)
    if given.beside.fitted:
        columns = given.model.feature_names
        about["model"]["columns"] = list(columns) if columns is not None else None
    known, fitted = api.known, given.beside.fitted
    derived = features.derived(
        api.contract, given.answer, last["derived"], category_lists.enforced(known)
    )
    return {
        "name": answers.project_slug,
        "title": answers.project_name,
        "description": answers.description,
        "version": last["version"] + 1,
        "verified": False,
        "plan": {"serves": "native", "reason": "It was never verified."},
        **about,
        "categories": category_lists.to_json({**category_lists.of_model(given.model), **known}),
        "code": code.to_json(own_code.own_names(facts, code)) if code is not None else None,
        "transformers": transformers.to_manifest(fitted, api.transformers, about["model"]["file"]),
        "sample": answers.sample.name if answers.sample else last["sample"],
        # A text may be empty, so there is nothing to find out about it.
        "derived": {} if facts.takes_texts else derived,
        "examples": api.examples,
        "profile": profiles(api.contract, given.sample, previous),
    }


def _proposed(
    given: Case, api: _Api, previous: Mapping[str, Any] | None
) -> proposals.Proposal | None:
    facts = given.facts
    if given.prepares or facts.takes_texts:
        return None
    declared = features.forget(given.answer, previous["derived"] if previous else {}).features
    by_name = facts.fitted_on_frame and facts.feature_names is not None
    seen = _seen(given.sample, previous)
    return proposals.propose(api.contract, declared, seen, by_name=by_name)


def _is_same(facts: ModelFacts, previous: Mapping[str, Any] | None) -> bool:
    """Tell whether the model is the one that is there already."""
    last = previous["model"] if previous is not None else {}
    return (facts.sha256, facts.member) == (last.get("sha256"), last.get("member"))


def _seen(sample: Sample | None, previous: Mapping[str, Any] | None) -> proposals.Seen | None:
    """Return what can be seen of the model's columns: in the sample, or in what is left of it."""
    if sample is not None:
        return proposals.Seen(sample.columns, lambda: read_rows(sample.path))
    if previous is not None and previous["sample"] is not None:
        return proposals.Seen.in_rows(previous["examples"])
    return None


def _about_the_model(facts: ModelFacts, pinned: Pins, source: Part) -> dict[str, Any]:
    return {
        "task": facts.task,
        "classes": list(facts.classes) if facts.classes is not None else None,
        "estimator": describe(facts),
        # The classes of a raw booster that answers a number: the contract may ask for them.
        "binary": list(facts.binary) if facts.binary is not None else None,
        "outputs": facts.n_outputs,
        "probabilities": facts.has_probabilities,
        "input": _input(facts),
        "columns": list(facts.feature_names) if facts.feature_names is not None else None,
        "python": pinned.python,
        # Where the version is not known yet, verify writes that of the lock.
        "libraries": {
            **{imported_as(name): version for name, version in pinned.model.items()},
            **dict.fromkeys(pinned.unpinned),
        },
        "model": {
            "file": f"model{_suffix(source.path, facts)}",
            "member": facts.member,
            **transformers.loading(facts),
            "constant": facts.constant,
            "sha256": facts.sha256,
            "bytes": facts.size,
            "source": source.path.name,
        },
    }


def _input(facts: ModelFacts) -> str:
    if facts.takes_texts:
        return "texts"
    return "frame" if facts.fitted_on_frame else "array"


def _suffix(path: Path, facts: ModelFacts) -> str:
    suffix = path.suffix.lower()
    if re.fullmatch(r"\.[a-z0-9]{1,12}", suffix):
        return suffix
    return facts.suffix
