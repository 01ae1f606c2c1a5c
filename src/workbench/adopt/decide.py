"""Decide an adoption: the contract, the versions, and every file to write. Nothing is written here.

Standard library only, no clock, no randomness, no network: the same inputs give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_service.contract.contract import Contract, json_text
from model_service.model.manifest import Manifest
from workbench.adopt.answers import Answers
from workbench.adopt.author_code import AuthorCode
from workbench.adopt.build_manifest import build_manifest, describe
from workbench.adopt.case import Case, read_case
from workbench.adopt.category_lists import check_category_lists
from workbench.adopt.chain import Chain, build_chain, neighbour_hints
from workbench.adopt.choose_versions import choose_versions, written_by
from workbench.adopt.interface import derive_interface
from workbench.adopt.mlflow_folder import with_mlflow_folder
from workbench.adopt.problems import AnswerError, Notes, Problem
from workbench.adopt.proposals import Proposal, propose
from workbench.adopt.trust import check_names
from workbench.errors import listing
from workbench.inspect import ModelFacts
from workbench.lock.pins import Pins


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
    former: frozenset[str]  # libraries of the model that is replaced
    notes: Notes

    def summary(self) -> str:
        """Name what was adopted, in two lines."""
        task, classes = f"{self.facts.task}", self.facts.classes
        if self.facts.binary is not None and self.contract.output.asks_for_classes:
            task, classes = "classification", self.facts.binary
        if classes:
            labels, texts = self.contract.output.labels, [json_text(c) for c in classes]
            named = [f"{text} ({labels[text]})" if text in labels else text for text in texts]
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

    `previous` is the manifest of the model that is replaced, if there is one, and
    `previous_expected` the content of its expected.json.
    """
    return derive(read_case(with_mlflow_folder(answers), previous, previous_expected))


def derive(case: Case) -> Adoption:
    """Derive an adoption from a case. Raises AnswerError with all problems."""
    chain, notes = build_chain(case)
    answers = case.answers
    problems = list(check_names(chain.facts, chain.code, answers.trusted, answers.names))
    try:
        pinned, version_notes = choose_versions(case, chain)
    except AnswerError as error:
        problems += error.found  # raised below, together with the problems of the interface
    try:
        interface, interface_notes = derive_interface(case, chain)
    except AnswerError as error:
        raise AnswerError([*problems, *error.found, *_hints_at_names(case, chain)]) from None
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
        former=frozenset(case.previous.environment.libraries if case.previous else ()),
        notes=(*notes, *version_notes, *proposal_notes, *interface_notes),
    )


def _hints_at_names(case: Case, chain: Chain) -> list[Problem]:
    """Return hints at fitted files that can have the names that the model lacks."""
    if chain.facts.feature_names is not None or case.declared.features or case.sample is not None:
        return []
    hints = neighbour_hints(chain.facts, case.neighbours, case.answers)
    return [Problem(None, hint) for hint in hints]
