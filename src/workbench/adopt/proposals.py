"""Proposals: columns that an app encodes by hand, as what people would say instead.

`Area_Semiurban` and `Area_Urban` are one category, `Married` with 0 and 1 is yes or no. That is a
guess, so the contract stays as it is, and a features file beside it waits to be accepted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from model_service.contract.contract import Contract, Feature, Row, json_text
from model_service.contract.typed_text import SAMPLE_MISSING, sample_number
from workbench import files
from workbench.adopt.sample import ColumnFacts, Sample
from workbench.errors import listing

_SEPARATOR = re.compile(r"[_=. ]+")
# What can only be a category: enough for a single column, and where there is no sample to look at.
_CATEGORY = re.compile(
    r"(?i:male|female|man|woman|yes|no|true|false|y|n|urban|semi-?urban|rural|(not |non-?)?graduate"
    r"|married|single|divorced|widowed|(self[- ]?|un)employed|retired|student|owner|renter|\d+\+)"
)
# Columns that begin with these are each a question of its own.
_QUESTIONS = frozenset("are did does had has have is no not was".split())
# What may be declared of a column that stays a guess.
_BESIDE = frozenset(("name", "description", "unit", "nullable"))


@dataclass(frozen=True)
class Group:
    """Dummy columns of one category."""

    name: str
    columns: Mapping[str, str]  # by category
    base: str | None  # the category of a row without a one, if there may be such a row

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
    """A features file to accept, and what is guessed in it."""

    document: Mapping[str, Any]
    guesses: tuple[str, ...]

    def notice(self, model: Mapping[str, Any], trust: Iterable[str]) -> str:
        """Say what is guessed, and the command that accepts it for a model of the manifest."""
        member = f"#{model['member']}" if model["member"] else ""
        command = f"make adopt MODEL={files.MODEL / model['file']}{member}"
        command += f" FEATURES={files.PROPOSED} ACCEPT=breaking"
        if names := ",".join(trust):
            command += f" TRUST={names}"
        return (
            f"{'; '.join(self.guesses)}. {files.PROPOSED} lets callers say what people say: read "
            f"its words, mend them, and accept them with {command}"
        )


@dataclass(frozen=True)
class Seen:
    """What rows of the model's own columns show."""

    columns: Mapping[str, ColumnFacts]
    rows: Callable[[], Iterable[Mapping[str, Any]]]

    @classmethod
    def in_rows(cls, rows: list[Row]) -> Seen:
        """Look at the few rows that are left of a sample."""
        columns = {name: ColumnFacts(name) for name in rows[0]}
        for row in rows:
            for name, column in columns.items():
                column.add_value(row[name])
        return cls(columns, lambda: rows)

    def codes(self, column: str) -> set[object]:
        """Return 0, 1, None for a missing value, and anything else that the column holds."""
        facts = self.columns.get(column)
        if facts is None:
            return {"unknown"}
        codes: set[object] = {_code(cell) for cell in facts.distinct}
        return codes | {None} if facts.missing else codes

    def ones(self, groups: Mapping[str, Mapping[str, str]]) -> dict[str, set[int]]:
        """Return how many ones a row has, for each group of columns."""
        marks = {
            name: {cell for cell in column.distinct if _code(cell) == 1}
            for name, column in self.columns.items()
        }
        found: dict[str, set[int]] = {name: set() for name in groups}
        for row in self.rows() if groups else ():
            for name, columns in groups.items():
                if found[name] <= {0, 1}:
                    found[name].add(
                        sum(json_text(row.get(c)) in marks[c] for c in columns.values())
                    )
        return found


def propose(
    contract: Contract, declared: Iterable[Mapping[str, Any]], seen: Seen | None, *, by_name: bool
) -> Proposal | None:
    """Return what to propose, or None where nothing looks encoded by hand.

    `declared` is what the user says of the features. A model that knows its columns `by_name`
    takes them in any order.
    """
    said = {entry["name"]: set(entry) for entry in declared}
    numbers = [
        feature
        for feature in contract.features
        if said.get(feature.name, set()) <= _BESIDE
        and not feature.encoded
        and feature.type in ("number", "integer", "boolean")
        and (seen is None or seen.codes(feature.name) <= {0, 1, None})
    ]
    groups = list(_groups(_prefixes(feature.name for feature in numbers), seen))
    names = [feature.name for feature in contract.features]
    groups = [g for g in groups if g.name not in names and (by_name or _adjacent(g, names))]
    grouped = {column: group for group in groups for column in group.columns.values()}
    flags = [
        feature.name
        for feature in numbers
        if feature.name not in grouped and feature.type != "boolean"
        if seen is not None and {0, 1} <= seen.codes(feature.name)
    ]
    if not groups and not flags:
        return None
    features: dict[str, dict[str, Any]] = {}
    for feature in contract.features:
        if (group := grouped.get(feature.name)) is not None:
            features.setdefault(group.name, group.feature())
        else:
            entry = _undecided(feature, said.get(feature.name, set()))
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


def in_words(
    given: Iterable[Mapping[str, Any]], absent: Collection[str], sample: Sample
) -> str | None:
    """Say how the dummy columns that a sample lacks are made of its own; None if they are not."""
    groups: dict[str, dict[str, Any]] = {}
    for prefix, dummies in _prefixes(absent).items():
        column = sample.columns.get(prefix)
        categories = column.categories if column is not None else None
        if categories and set(dummies) <= {json_text(category) for category in categories}:
            entry = {"name": prefix, "categories": categories, "one_hot": dummies}
            groups.update(dict.fromkeys(dummies.values(), entry))
    if set(groups) != set(absent):
        return None
    entries = {e["name"]: e for e in (groups.get(entry["name"], entry) for entry in given)}
    names = list(dict.fromkeys(entry["name"] for entry in groups.values()))
    document = json.dumps(list(entries.values()), ensure_ascii=False)
    return (
        f"sample_data: {sample.path.name} has no column {listing(list(absent))}, but "
        f"{listing(names)}, of which the model's columns are made. Answer features= with a file "
        f"that says so: {document}"
    )


def _many(things: Collection[object], one: str, several: str) -> str:
    return one if len(things) == 1 else several


def _undecided(feature: Feature, said: Collection[str]) -> dict[str, Any]:
    """Return a feature without what the proof finds out and nobody declared."""
    open_ = {"nullable", "strict"} - set(said)
    return {key: value for key, value in feature.to_json().items() if key not in open_}


def _yes_or_no(entry: Mapping[str, Any]) -> dict[str, Any]:
    codes = {"no": 0, "yes": 1}
    kept = {key: value for key, value in entry.items() if key in _BESIDE}
    return {**kept, "type": "category", "categories": list(codes), "encode": codes}


def _prefixes(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the columns by what they may share, each by the rest of its name; short ones first."""
    found: dict[str, dict[str, str]] = {}
    for name in names:
        for separator in _SEPARATOR.finditer(name):
            prefix, rest = name[: separator.start()], name[separator.end() :]
            if prefix and rest and prefix.casefold() not in _QUESTIONS:
                found.setdefault(prefix, {})[rest] = name
    ordered = sorted(found, key=len)
    # Property_Area_Rural and Property_Area_Urban share Property too, which says less.
    longest = {frozenset(found[prefix].values()): prefix for prefix in ordered}
    return {
        prefix: found[prefix]
        for prefix in ordered
        if len(found[prefix]) == 1 or prefix in longest.values()
    }


def _groups(prefixes: Mapping[str, Mapping[str, str]], seen: Seen | None) -> Iterator[Group]:
    ones = seen.ones(prefixes) if seen is not None else {}
    used: set[str] = set()
    for prefix, columns in prefixes.items():
        known = [rest for rest in columns if _CATEGORY.fullmatch(rest)]
        if seen is None:
            likely = bool(known) and all(r in known or r.isdecimal() for r in columns)
        else:
            with_ones = [column for column in columns.values() if 1 in seen.codes(column)]
            missing = [column for column in columns.values() if None in seen.codes(column)]
            several = len(with_ones) > 1 or bool(known and with_ones)
            likely = several and not missing and ones[prefix] <= {0, 1}
        if likely and not used & set(columns.values()):
            used |= set(columns.values())
            base = _base(columns) if seen is None or 0 in ones[prefix] else None
            yield Group(prefix, columns, base)


def _base(categories: Collection[str]) -> str:
    names = {name.casefold() for name in categories}
    return next(name for name in ("other", "none of these", "rest") if name not in names)


def _adjacent(group: Group, names: list[str]) -> bool:
    """Tell whether the columns are beside each other, where only places say which is which."""
    places = [names.index(column) for column in group.columns.values()]
    return places == list(range(places[0], places[0] + len(places)))


def _code(value: object) -> object:
    code = sample_number(value)
    if code in (0, 1):
        return int(code)
    return None if value is None or value in SAMPLE_MISSING else "anything else"
