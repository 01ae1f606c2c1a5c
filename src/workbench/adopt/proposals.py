"""Propose features in people's words for columns that the author's app encodes by hand.

`Area_Semiurban` and `Area_Urban` are one category; `Married` with 0 and 1 is yes or no. This is a
guess, so the contract stays as it is, and the proposal is a features file to be accepted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model_service.contract.contract import Contract, Feature
from model_service.contract.json_values import json_text
from model_service.contract.typed_text import SAMPLE_MISSING, sample_number
from workbench import files
from workbench.adopt.case import Case
from workbench.adopt.chain import Chain
from workbench.adopt.csv.sample import ColumnFacts
from workbench.adopt.features_answer import FeaturesAnswer
from workbench.adopt.problems import MAKE_ADOPT
from workbench.adopt.refusal import Command
from workbench.errors import listing

_SEPARATOR = re.compile(r"[_=. ]+")
# Names that can only be categories: one is enough for a single column, or without a sample.
_CATEGORY = re.compile(
    r"(?i:male|female|man|woman|yes|no|true|false|y|n|urban|semi-?urban|rural|(not |non-?)?graduate"
    r"|married|single|divorced|widowed|(self[- ]?|un)employed|retired|student|owner|renter|\d+\+)"
)
# Columns that begin with these words are separate questions.
_QUESTIONS = frozenset("are did does had has have is no not was".split())
# Fields that leave the encoding of a column open.
_NEUTRAL = frozenset(("name", "title", "group", "description", "unit", "nullable"))


@dataclass(frozen=True)
class Group:
    """Dummy columns of one categorical feature."""

    name: str
    columns: Mapping[str, str]  # by category
    base: str | None  # the category of rows without a one, if there can be such rows

    def feature(self) -> dict[str, Any]:
        categories = [*self.columns, *([self.base] if self.base else [])]
        return {
            "name": self.name,
            "type": "category",
            "categories": categories,
            "one_hot": dict(self.columns),
        }


@dataclass(frozen=True)
class Proposal:
    """A features file to accept, and the guesses in it."""

    document: Mapping[str, Any]
    guesses: tuple[str, ...]

    def note(self, model: str, trust: Iterable[str]) -> str:
        """Return the guesses, and the command that accepts them for a model file below model/."""
        given = {
            "MODEL": str(files.MODEL / model),
            "FEATURES": str(files.PROPOSED),
            "ACCEPT": "breaking",
            "TRUST": ",".join(trust),
        }
        command = Command(("make", "adopt"), given, MAKE_ADOPT, under_make=True)
        return (
            f"{'; '.join(self.guesses)}. {files.PROPOSED} describes them in people's words: "
            f"check and edit it, then accept it with {command.line()}"
        )


@dataclass(frozen=True)
class ColumnValues:
    """Values of the model's own columns, from the sample or from the rows that were kept of it."""

    columns: Mapping[str, ColumnFacts]
    rows: Callable[[], Iterable[Mapping[str, Any]]]

    @classmethod
    def of_rows(cls, rows: Sequence[Mapping[str, Any]]) -> ColumnValues:
        """Collect the values of a few rows."""
        columns = {name: ColumnFacts(name) for name in rows[0]}
        for row in rows:
            for name, column in columns.items():
                column.add_value(row[name])
        return cls(columns, lambda: rows)

    def codes(self, column: str) -> set[object]:
        """Return 0, 1, None for a missing value, and a text for any other value of the column."""
        facts = self.columns.get(column)
        if facts is None:
            return {"unknown"}
        if facts.numeric and not (facts.minimum >= 0 and facts.maximum <= 1) and facts.distinct:
            return {"anything else"}
        codes: set[object] = {_code(cell) for cell in facts.distinct}
        return codes | {None} if facts.missing else codes

    def ones(self, groups: Mapping[str, Mapping[str, str]]) -> dict[str, set[int]]:
        """Return how many ones a row can have in each group of columns."""
        grouped = {column for columns in groups.values() for column in columns.values()}
        one_cells = {
            name: {cell for cell in self.columns[name].distinct if _code(cell) == 1}
            for name in grouped
        }
        found: dict[str, set[int]] = {name: set() for name in groups}
        for row in self.rows() if groups else ():
            for name, columns in groups.items():
                if found[name] <= {0, 1}:
                    found[name].add(
                        sum(json_text(row.get(c)) in one_cells[c] for c in columns.values())
                    )
        return found


def propose(
    case: Case, chain: Chain, declared: FeaturesAnswer, contract: Contract
) -> Proposal | None:
    """Return a proposal, or None if no column looks encoded by hand.

    `declared` holds only what the user declares about the features.
    """
    facts = chain.facts
    if chain.prepares or facts.takes_texts:
        return None
    # A model that knows its columns by name takes them in any order.
    by_name = facts.fitted_on_frame and facts.feature_names is not None
    return _propose(contract, declared, _column_values(case), by_name=by_name)


def _column_values(case: Case) -> ColumnValues | None:
    if case.sample is not None:
        return ColumnValues(case.sample.columns, case.sample.all_rows)
    # Not the manifest's examples: their values come from different rows.
    return ColumnValues.of_rows(case.answers.kept_rows) if case.answers.kept_rows else None


def _propose(
    contract: Contract, declared: FeaturesAnswer, values: ColumnValues | None, *, by_name: bool
) -> Proposal | None:
    fields = {entry["name"]: set(entry) for entry in declared.features}
    numbers = [
        feature
        for feature in contract.features
        if fields.get(feature.name, set()) <= _NEUTRAL
        and not feature.encoded
        and feature.type in ("number", "integer", "boolean")
        and (values is None or values.codes(feature.name) <= {0, 1, None})
    ]
    groups = list(_groups(_prefixes(feature.name for feature in numbers), values))
    names = [feature.name for feature in contract.features]
    groups = [g for g in groups if g.name not in names and (by_name or _adjacent(g, names))]
    grouped = {column: group for group in groups for column in group.columns.values()}
    flags = [
        feature.name
        for feature in numbers
        if feature.name not in grouped and feature.type != "boolean"
        if values is not None and {0, 1} <= values.codes(feature.name)
    ]
    if not groups and not flags:
        return None
    features: dict[str, dict[str, Any]] = {}
    for feature in contract.features:
        if (group := grouped.get(feature.name)) is not None:
            features.setdefault(group.name, group.feature())
        else:
            entry = _undecided(feature, fields.get(feature.name, set()))
            features[feature.name] = _yes_or_no(entry) if feature.name in flags else entry
    guesses = [
        f"{listing(list(group.columns.values()))} {_many(group.columns, 'looks', 'look')} like the "
        f"category {group.name}"
        for group in groups
    ]
    if flags:
        guesses.append(f"{listing(flags)} {_many(flags, 'is', 'are')} only 0 or 1")
    document = {**contract.to_json(), "features": list(features.values())}
    return Proposal(document, tuple(guesses))


def _many(things: Collection[object], one: str, several: str) -> str:
    return one if len(things) == 1 else several


def _undecided(feature: Feature, declared: Collection[str]) -> dict[str, Any]:
    """Return a feature without the undeclared fields that verify completes."""
    left_out = {"nullable", "strict"} - set(declared)
    return {key: value for key, value in feature.to_json().items() if key not in left_out}


def _yes_or_no(entry: Mapping[str, Any]) -> dict[str, Any]:
    codes = {"no": 0, "yes": 1}
    kept = {key: value for key, value in entry.items() if key in _NEUTRAL}
    return {**kept, "type": "category", "categories": list(codes), "encode": codes}


def _prefixes(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return columns by common prefix and rest of the name, the shortest prefix first."""
    found: dict[str, dict[str, str]] = {}
    for name in names:
        for separator in _SEPARATOR.finditer(name):
            prefix, rest = name[: separator.start()], name[separator.end() :]
            if prefix and rest and prefix.casefold() not in _QUESTIONS:
                found.setdefault(prefix, {})[rest] = name
    ordered = sorted(found, key=len)
    # Property_Area_Rural and Property_Area_Urban share Property too; the longer prefix is meant.
    longest = {frozenset(found[prefix].values()): prefix for prefix in ordered}
    return {
        prefix: found[prefix]
        for prefix in ordered
        if len(found[prefix]) == 1 or prefix in longest.values()
    }


def _groups(
    prefixes: Mapping[str, Mapping[str, str]], values: ColumnValues | None
) -> Iterator[Group]:
    ones = values.ones(prefixes) if values is not None else {}
    used: set[str] = set()
    for prefix, columns in prefixes.items():
        known = [rest for rest in columns if _CATEGORY.fullmatch(rest)]
        if values is None:
            likely = bool(known) and all(r in known or r.isdecimal() for r in columns)
        else:
            with_ones = [column for column in columns.values() if 1 in values.codes(column)]
            missing = [column for column in columns.values() if None in values.codes(column)]
            several = len(with_ones) > 1 or bool(known and with_ones)
            likely = several and not missing and ones[prefix] <= {0, 1}
        if likely and not used & set(columns.values()):
            used |= set(columns.values())
            base = _base(columns) if values is None or 0 in ones[prefix] else None
            yield Group(prefix, columns, base)


def _base(categories: Collection[str]) -> str:
    names = {name.casefold() for name in categories}
    return next(name for name in ("other", "none of these", "rest") if name not in names)


def _adjacent(group: Group, names: list[str]) -> bool:
    """Return whether the columns stand side by side, as a model without names needs them."""
    positions = [names.index(column) for column in group.columns.values()]
    return positions == list(range(positions[0], positions[0] + len(positions)))


def _code(value: object) -> object:
    code = sample_number(value)
    if code in (0, 1):
        return int(code)
    return None if value is None or value in SAMPLE_MISSING else "anything else"
