"""Decide an adoption: the contract, the versions, and every file to write. Nothing is written here.

Standard library only, no clock, no randomness, no network: the same inputs give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import shorten
from typing import Any

from model_service.contract.contract import Contract
from model_service.contract.json_values import json_text
from model_service.contract.snippets import csv_text
from model_service.model.manifest import Manifest
from workbench.adopt.answers import Answers
from workbench.adopt.beside.look_around import look_around
from workbench.adopt.beside.transformer_files import FileReader
from workbench.adopt.build_manifest import build_manifest, describe
from workbench.adopt.case import Case, read_case
from workbench.adopt.chain import build_chain
from workbench.adopt.choose_versions import choose_versions, written_by
from workbench.adopt.code.author_code import AuthorCode, check_code
from workbench.adopt.csv.category_lists import check_category_lists
from workbench.adopt.csv.kept_sample import rows_to_keep
from workbench.adopt.csv.target_column import target_beside
from workbench.adopt.features_answer import FeaturesAnswer
from workbench.adopt.interface import derive_interface
from workbench.adopt.mlflow_folder import with_mlflow_folder
from workbench.adopt.problems import (
    AnswerError,
    Notes,
    Problem,
    Repair,
    merged_answers,
    proposed_features,
)
from workbench.adopt.proposals import Proposal, propose
from workbench.adopt.trust import check_names
from workbench.errors import listing
from workbench.inspect import ModelFacts
from workbench.lock.pins import Pins

MAX_ROUNDS = 4  # of repairs, each of which can show the next problem
MAX_CLASS_LETTERS = 60  # a chatbot predicts whole paragraphs


@dataclass(frozen=True)
class Adoption:
    """Everything that was decided; nothing is written yet."""

    source: Path
    facts: ModelFacts
    contract: Contract
    manifest: Manifest
    pins: Pins
    code: AuthorCode | None
    transformers: Mapping[Path, str]  # names in the project, below model/, by source
    expected: Mapping[str, Any] | None
    proposed: Proposal | None
    kept_sample: str | None  # the content of .sample.csv, if there is a sample
    former: frozenset[str]  # libraries of the model that is replaced
    declared: FeaturesAnswer  # what the user said about the features
    notes: Notes
    taken: tuple[Problem, ...] = ()  # whose repairs were taken unasked

    @property
    def taken_answers(self) -> dict[str, str]:
        """The answers that were taken unasked."""
        return merged_answers(self.taken)

    def declared_with(self, output: Mapping[str, Any]) -> dict[str, Any]:
        """Return a features file that declares the same, and other members of the output."""
        features = self.declared.features or [{"name": f.name} for f in self.contract.features]
        transformers = [transformer.to_json() for transformer in self.declared.transformers]
        return {
            "features": [dict(feature) for feature in features],
            "output": {**(self.declared.output or {}), **output},
            **({"transformers": transformers} if transformers else {}),
        }

    def summary(self) -> str:
        """Name what was adopted, in two lines."""
        task, classes = f"{self.facts.task}", self.facts.classes
        if self.facts.binary is not None and self.contract.output.asks_for_classes:
            task, classes = "classification", self.facts.binary
        if classes:
            labels, texts = self.contract.output.labels, [json_text(c) for c in classes]
            named = [f"{text} ({labels[text]})" if text in labels else text for text in texts]
            named = [shorten(text, MAX_CLASS_LETTERS, placeholder="…") for text in named]
            task += f" into {listing(named)}"
        libraries = ", ".join([*written_by(self.facts), f"Python {self.pins.python}"])
        return (
            f"Adopted {describe(self.facts)} from {self.source}:\n"
            f"{task}, {len(self.contract.features)} features, {libraries}."
        )


def decide(
    answers: Answers,
    previous: Manifest | None = None,
    previous_expected: Mapping[str, Any] | None = None,
) -> Adoption:
    """Decide everything about an adoption. Raises AnswerError with all problems.

    If the repairs of all problems are certain, they are taken and nothing is asked.
    `previous` is the manifest of the model that is replaced, if there is one, and
    `previous_expected` the content of its expected.json.
    """
    found: list[Problem] = []
    reader, (given, folder_notes) = FileReader(), with_mlflow_folder(answers)
    for _ in range(MAX_ROUNDS):
        try:
            case = read_case(given, previous, previous_expected, reader)
            beside = look_around(case)
            if beside.problem is not None:
                raise AnswerError(beside.problem)
            adoption = derive(case, (*folder_notes, *beside.notes))
        except AnswerError as error:
            found += [problem for problem in error.found if problem not in found]
            repaired = _repaired(given, error.found)
            if repaired is None:
                break
            given = repaired
        else:
            if all(problem.repair is not None and problem.repair.certain for problem in found):
                return replace(adoption, taken=tuple(found))
            break
    raise AnswerError(found)


def _repaired(answers: Answers, problems: Sequence[Problem]) -> Answers | None:
    """Return the answers with the repairs of the problems, None if that solves none of them.

    With them the next round finds the problems that stand behind these.
    """
    repairs = [problem.repair for problem in problems]
    if any(r is None or not _is_applicable(r) for r in repairs):
        return None
    changes = merged_answers(problems)
    repaired = replace(answers, **changes)  # type: ignore[arg-type]
    if "features" in changes and not answers.features.strip():
        repaired = replace(repaired, found_features=True)
    if (document := proposed_features(problems)) is not None:
        repaired = replace(repaired, features_document=document)
    # A converted file or a download is not there before its line was pasted.
    parts = (repaired.model, *repaired.transformer_parts)
    exist = all(path.exists() for path in (*(part.path for part in parts), *repaired.code))
    return repaired if repaired != answers and exist else None


def _is_applicable(repair: Repair) -> bool:
    """Return whether a repair needs no file that the user has to check first."""
    return repair.code is None and (repair.features is None or repair.certain)


def derive(case: Case, beside: Notes = ()) -> Adoption:
    """Derive an adoption from a case. Raises AnswerError with all problems.

    `beside` are the notes on what is beside the model.
    """
    chain, notes = build_chain(case)
    answers = case.answers
    problems = list(check_names(chain.facts, chain.code, answers))
    if chain.code is not None:
        needed = chain.code.needed_names(chain.facts)
        problems += check_code(
            chain.code, needed, answers.model_code, answers.trusted, answers.names
        )
    try:
        pinned, version_notes = choose_versions(case, chain)
    except AnswerError as error:
        problems += error.found  # raised below, together with the problems of the interface
    try:
        interface, interface_notes = derive_interface(case, chain)
    except AnswerError as error:
        raise AnswerError([*problems, *error.found]) from None
    problems += check_category_lists(chain.facts, interface.categories, answers.names)
    if problems:
        raise AnswerError(problems)
    manifest = build_manifest(case, chain, interface, pinned)
    proposed = propose(case, chain, interface.declared, interface.contract)
    proposal_notes: Notes = ()
    if proposed is not None:
        proposal_notes = (proposed.note(manifest.model.reference, answers.trusted),)
    return Adoption(
        source=answers.model.path,
        facts=chain.facts,
        contract=interface.contract,
        manifest=manifest,
        pins=pinned,
        code=chain.code,
        transformers=chain.copied_files(answers.model.path),
        expected=interface.expected,
        proposed=proposed,
        kept_sample=_kept_sample(case, chain.facts, interface.contract),
        former=frozenset(case.previous.environment.libraries if case.previous else ()),
        declared=case.declared,
        notes=(*notes, *version_notes, *proposal_notes, *interface_notes, *beside),
    )


def _kept_sample(case: Case, facts: ModelFacts, contract: Contract) -> str | None:
    if case.sample is None:
        return None
    target = target_beside(facts, case.sample, contract)
    rows = rows_to_keep(contract, case.sample, target)
    return csv_text(rows) if rows else None
