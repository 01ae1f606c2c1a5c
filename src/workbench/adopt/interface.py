"""Derive what callers send and get: the contract, and rows that show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_service.contract.contract import Contract
from model_service.contract.json_values import Row
from workbench.adopt.beside.shifted_input import shifted_input_notes
from workbench.adopt.beside.undone_target import undone_target_notes
from workbench.adopt.beside.unsaved_scaler import unsaved_scaler_notes
from workbench.adopt.case import Case
from workbench.adopt.chain import Chain
from workbench.adopt.csv.category_lists import (
    Known,
    category_notes,
    complete_categories,
    known_categories,
)
from workbench.adopt.csv.expected_answers import expected_for_contract, expected_in_sample
from workbench.adopt.csv.sample_rows import examples
from workbench.adopt.features import declared_features, derive_contract, without_derived
from workbench.adopt.features_answer import FeaturesAnswer
from workbench.adopt.problems import Notes


@dataclass(frozen=True)
class Interface:
    """The contract of an adoption, with the rows for its documentation and its checks."""

    contract: Contract
    declared: FeaturesAnswer  # only what the user declares about the features
    categories: Known  # of the model's columns
    examples: list[Row]
    expected: Mapping[str, Any] | None  # the content of expected.json


def derive_interface(case: Case, chain: Chain) -> tuple[Interface, Notes]:
    """Return the interface of a chain. Raises AnswerError."""
    declared = declared_features(case, chain)
    contract, notes = derive_contract(case, chain, declared)
    columns = list(contract.column_kinds)
    in_file: Known = {}
    if not chain.prepares:
        in_file = known_categories(chain.facts, columns, case.sample)
    previous = case.previous
    categories = complete_categories(in_file, contract, previous.categories if previous else {})
    interface = Interface(
        contract=contract,
        declared=without_derived(case, declared),
        categories=categories,
        expected=_expected(case, contract),
        examples=examples(contract, case.sample, previous.examples if previous else ()),
    )
    of_code = (
        *undone_target_notes(case, contract),
        *unsaved_scaler_notes(case, chain),
        *shifted_input_notes(case),
    )
    return interface, (*notes, *category_notes(in_file, categories), *of_code)


def _expected(case: Case, contract: Contract) -> Mapping[str, Any] | None:
    """Return the expected answers of the sample, else those that the same model already had."""
    if case.sample is not None:
        return expected_in_sample(contract, case.sample)
    kept = case.previous_expected if case.is_same_file else None
    return expected_for_contract(contract, kept)
