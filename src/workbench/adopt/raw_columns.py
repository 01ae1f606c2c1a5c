"""Relate the sample's columns, as people fill them in, to the columns of the training.

`pandas.get_dummies` makes `country_DE` and `country_FR` of a column country; yes and no become 1
and 0. What is certain becomes `one_hot` and `encode` of the contract; what is not is proposed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from model_service.contract.contract import Scalar, json_text
from model_service.contract.typed_text import SAMPLE_MISSING
from workbench.adopt.problems import Notes
from workbench.adopt.sample import ColumnFacts, Sample
from workbench.errors import listing

Entry = Mapping[str, Any]  # a feature as features.json has it
SEPARATORS = ("_", "=", ".", " ", "-", ": ", ":", "__")
MAX_VALUES = 10_000  # of a column of which dummy columns are made
# The two texts for no and yes: every convention makes 0 and 1 of them.
NO_AND_YES = (("no", "yes"), ("n", "y"), ("false", "true"), ("f", "t"))
_NEUTRAL = frozenset(("name", "title", "description", "unit", "nullable"))
_ENDS = re.compile("|".join(re.escape(one) for one in sorted(SEPARATORS, key=len, reverse=True)))


@dataclass(frozen=True)
class Dummies:
    """The dummy columns that are made of one column of the sample."""

    column: str
    categories: tuple[Scalar, ...]  # sorted
    columns: Mapping[str, str]  # by the JSON text of the category
    is_named: bool  # the dummy columns begin with the column's name

    @property
    def without(self) -> tuple[Scalar, ...]:
        """The categories without a dummy column."""
        return tuple(c for c in self.categories if json_text(c) not in self.columns)

    @property
    def base(self) -> tuple[Scalar, ...]:
        """The category for which all columns are 0, if there is one: drop_first leaves one out."""
        return self.without if len(self.without) == 1 else ()

    @property
    def is_certain(self) -> bool:
        """Whether it is known what all zeros mean, and that the columns are made of this one."""
        # More categories than the training had are no reason for doubt, unless one of them can be
        # the one that drop_first has left out.
        return len(self.without) < 2 or (self.is_named and self.categories[0] not in self.without)

    def in_order(self, position: Mapping[str, int]) -> Dummies:
        """Return the same with the columns in the order of the model's."""
        ordered = sorted(self.columns.items(), key=lambda pair: position[pair[1]])
        return replace(self, columns=dict(ordered))

    @property
    def feature(self) -> dict[str, Any]:
        kept = [c for c in self.categories if json_text(c) in self.columns or c in self.base]
        return {
            "name": self.column,
            "type": "category",
            "categories": kept,
            "one_hot": dict(self.columns),
        }


def with_dummies(
    entries: Sequence[Entry], sample: Sample, *, by_name: bool
) -> tuple[list[Entry], Notes]:
    """Return the entries with the sample's columns in place of the dummy columns made of them.

    Nothing changes where it is not certain which column they are made of. A model that does not
    know its columns `by_name` needs them side by side.
    """
    position = {entry["name"]: number for number, entry in enumerate(entries)}
    absent = [e["name"] for e in entries if e["name"] not in sample.columns and _is_open(e)]
    present = {column for entry in entries for column in _columns_of(entry)}
    unused = [column for name, column in sample.columns.items() if name not in present]
    found = find_dummies(absent, unused, sample) if absent else []
    found = [dummies.in_order(position) for dummies in found if dummies.is_certain]
    certain = [d for d in found if by_name or _are_adjacent(d, position)]
    by_column = {name: dummies for dummies in certain for name in dummies.columns.values()}
    made: dict[str, Entry] = {}
    for entry in entries:
        dummies = by_column.get(entry["name"])
        feature = dummies.feature if dummies is not None else entry
        made.setdefault(feature["name"], feature)
    return list(made.values()), tuple(_notes(certain))


def find_dummies(
    absent: Iterable[str], unused: Iterable[ColumnFacts], sample: Sample
) -> list[Dummies]:
    """Return which columns of the sample the absent columns are made of, each of one only."""
    rests: dict[str, list[tuple[str, str]]] = {}
    for name in absent:
        for prefix, rest in _splits(name):
            rests.setdefault(rest, []).append((prefix, name))
    candidates = [
        dummies for column in _with_values(unused, sample) for dummies in _candidates(column, rests)
    ]
    # The name of a column says more than values that two columns can share.
    candidates.sort(key=lambda one: (not one.is_named, not one.is_certain, -len(one.columns)))
    claims: dict[str, list[Dummies]] = {}
    chosen: list[Dummies] = []
    for one in candidates:
        rivals = [r for name in one.columns.values() for r in claims.get(name, ())]
        if any(r.is_named > one.is_named or r.is_certain > one.is_certain for r in rivals):
            continue
        for name in one.columns.values():
            claims.setdefault(name, []).append(one)
        chosen.append(one)
    return [o for o in chosen if all(len(claims[name]) == 1 for name in o.columns.values())]


def _are_adjacent(dummies: Dummies, position: Mapping[str, int]) -> bool:
    places = [position[column] for column in dummies.columns.values()]
    return places == list(range(places[0], places[0] + len(places)))


@dataclass(frozen=True)
class _Values:
    name: str
    values: tuple[Scalar, ...]


def _with_values(columns: Iterable[ColumnFacts], sample: Sample) -> Iterator[_Values]:
    """Yield the columns with all of their values; for more than can be listed, read them again."""
    wide: dict[str, set[str]] = {}
    for column in columns:
        if column.categories is not None:
            yield _Values(column.name, tuple(column.categories))
        elif not column.numeric and not sample.typed:
            wide[column.name] = set()
    for row in sample.all_rows() if wide else ():
        for name, values in wide.items():
            if len(values) <= MAX_VALUES:
                values.add(row[name])
    for name, values in wide.items():
        if len(values) <= MAX_VALUES:
            yield _Values(name, tuple(sorted(v for v in values if v not in SAMPLE_MISSING)))


def _candidates(
    column: _Values, rests: Mapping[str, Sequence[tuple[str, str]]]
) -> Iterator[Dummies]:
    """Yield the dummy columns with the same prefix whose names end in a column's values."""
    by_prefix: dict[str, dict[str, str]] = {}
    for value in column.values:
        for text in _texts(value):
            for prefix, name in rests.get(text, ()):
                by_prefix.setdefault(prefix, {}).setdefault(json_text(value), name)
    named = [f"{column.name}{separator}" for separator in SEPARATORS]
    for prefix, columns in by_prefix.items():
        dummies = Dummies(column.name, column.values, columns, prefix in named)
        # Short texts such as Q and S without a prefix are a coincidence unless all are there.
        if dummies.is_named or dummies.is_certain:
            yield dummies


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """Yield the name as a value, and each prefix that ends in a separator with the rest."""
    yield "", name
    for separator in _ENDS.finditer(name):
        if separator.start() > 0 and separator.end() < len(name):
            yield name[: separator.end()], name[separator.end() :]


def _texts(value: Scalar) -> tuple[str, ...]:
    """Return how pandas can write a value in the name of a column: 1, 1.0, True."""
    if isinstance(value, bool):
        return str(value), str(int(value))
    if isinstance(value, (int, float)):
        return json_text(value), str(float(value))
    return (value,)


def _notes(found: Sequence[Dummies]) -> Iterator[str]:
    for dummies in found:
        columns = list(dummies.columns.values())
        base = [json_text(c) for c in dummies.base]
        others = [json_text(c) for c in dummies.without if c not in dummies.base]
        note = f"{listing(columns, 3)} are made of {dummies.column}"
        if len(columns) == 1:
            note = note.replace(" are made", " is made")
        if base:
            note += f"; all of them are 0 for {base[0]}"
        if others:
            note += f". The model has no column for {listing(others, 5)}: these are refused"
        yield f"{note}."


def yes_or_no(column: ColumnFacts) -> dict[str, int] | None:
    """Return the codes of a column of yes and no, or None for any other column."""
    values = column.categories or ()
    if len(values) != 2 or not all(isinstance(value, str) for value in values):
        return None
    by_text = {str(value).strip().casefold(): str(value) for value in values}
    for no, yes in NO_AND_YES:
        if set(by_text) == {no, yes}:
            return {by_text[no]: 0, by_text[yes]: 1}
    return None


def _is_open(entry: Entry) -> bool:
    """Return whether nothing is declared about how a column is made."""
    return set(entry) <= _NEUTRAL


def _columns_of(entry: Entry) -> Sequence[str]:
    return list(entry["one_hot"].values()) if entry.get("one_hot") else [entry["name"]]
