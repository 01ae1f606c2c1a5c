"""Relate the sample's columns, as people fill them in, to the columns of the training.

`pandas.get_dummies` makes `country_DE` and `country_FR` of a column country; yes and no become 1
and 0. What is certain becomes `one_hot` and `encode` of the contract; what is not is proposed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from model_service.contract.json_values import Scalar, json_text
from model_service.contract.typed_text import SAMPLE_MISSING
from workbench.adopt.csv.sample import ColumnFacts, Sample
from workbench.adopt.problems import Notes
from workbench.errors import listing

Entry = Mapping[str, Any]  # a feature as features.json has it
SEPARATORS = ("_", "=", ".", " ", "-", ": ", ":", "__")
MAX_VALUES = 10_000  # of a column of which dummy columns are made
MAX_USUAL_NOTES = 3  # more would bury those that matter
# The two texts for no and yes: every convention makes 0 and 1 of them.
NO_AND_YES = (("no", "yes"), ("n", "y"), ("false", "true"), ("f", "t"))
_NEUTRAL = frozenset(("name", "title", "description", "unit", "nullable"))
_ENDS = re.compile("|".join(re.escape(one) for one in sorted(SEPARATORS, key=len, reverse=True)))


@dataclass(frozen=True, eq=False)
class Dummies:
    """The dummy columns that are made of one column of the sample."""

    column: str
    categories: tuple[Scalar, ...]  # sorted
    columns: Mapping[str, str]  # by the JSON text of the category
    is_named: bool  # the dummy columns begin with the column's name
    is_complete: bool = True  # no two values are spellings of one category
    prefix: str = ""  # before the category in the names of the columns

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
        known = self.is_named and self.categories[0] not in self.without
        # Short texts such as Q and S without a prefix are a coincidence unless all are there.
        return self.is_complete and (len(self.without) < 2 or known)

    @property
    def is_coincidence(self) -> bool:
        """Whether only one of many values is the end of some column's name."""
        return not self.is_named and len(self.columns) == 1 and len(self.categories) > 2

    def in_order(self, position: Mapping[str, int]) -> Dummies:
        """Return the same with the columns in the order of the model's."""
        ordered = sorted(self.columns.items(), key=lambda pair: position[pair[1]])
        return replace(self, columns=dict(ordered))

    @property
    def feature(self) -> dict[str, Any]:
        kept = [c for c in self.categories if json_text(c) in self.columns or c in self.base]
        return self._feature(kept)

    @property
    def feature_of_all(self) -> dict[str, Any]:
        """The feature with all categories: all columns are 0 for those without one."""
        return self._feature(self.categories)

    def _feature(self, categories: Sequence[Scalar]) -> dict[str, Any]:
        return {
            "name": self.column,
            "type": "category",
            "categories": list(categories),
            "one_hot": dict(self.columns),
        }


def with_dummies(
    entries: Sequence[Entry], sample: Sample, *, by_name: bool
) -> tuple[list[Entry], Notes]:
    """Return the entries with the sample's columns in place of the dummy columns made of them.

    Nothing changes where it is not certain which column they are made of. A model that does not
    know its columns `by_name` needs them side by side.
    """
    certain = [d for d in _dummies_among(entries, sample, by_name=by_name) if d.is_certain]
    return _in_place(entries, {d: d.feature for d in certain}), tuple(_notes(certain))


def with_likely_dummies(
    entries: Sequence[Entry], sample: Sample, *, by_name: bool
) -> tuple[list[Entry], list[Dummies]]:
    """Return the same with what is uncertain: of which column, and what all zeros mean."""
    likely = _dummies_among(entries, sample, by_name=by_name)
    return _in_place(entries, {d: d.feature_of_all for d in likely}), likely


def _dummies_among(entries: Sequence[Entry], sample: Sample, *, by_name: bool) -> list[Dummies]:
    position = {entry["name"]: number for number, entry in enumerate(entries)}
    absent = [e["name"] for e in entries if e["name"] not in sample.columns and _is_open(e)]
    present = {column for entry in entries for column in _columns_of(entry)}
    unused = [column for name, column in sample.columns.items() if name not in present]
    found = find_dummies(absent, unused, sample) if absent else []
    found = [dummies.in_order(position) for dummies in found]
    return [dummies for dummies in found if by_name or _are_adjacent(dummies, position)]


def _in_place(entries: Sequence[Entry], features: Mapping[Dummies, Entry]) -> list[Entry]:
    """Return the entries with features in place of the dummy columns that are made of them."""
    by_column = {name: feature for d, feature in features.items() for name in d.columns.values()}
    made: dict[str, Entry] = {}
    for entry in entries:
        feature = by_column.get(entry["name"], entry)
        made.setdefault(feature["name"], feature)
    return list(made.values())


def find_dummies(
    absent: Iterable[str], unused: Iterable[ColumnFacts], sample: Sample
) -> list[Dummies]:
    """Return which columns of the sample the absent columns are made of, each of one only."""
    rests: dict[str, list[tuple[str, str]]] = {}
    for name in absent:
        for prefix, rest in _splits(name):
            rests.setdefault(rest, []).append((prefix, name))
    folded: dict[str, list[tuple[str, str]]] = {}
    for rest, names in rests.items():
        folded.setdefault(_folded(rest), []).extend(names)
    candidates = [
        dummies
        for column in _with_values(unused, sample)
        for dummies in _candidates(column, rests, folded)
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
    alone = [o for o in chosen if all(len(claims[name]) == 1 for name in o.columns.values())]
    return list(_one_each(alone))


def _one_each(found: Iterable[Dummies]) -> Iterator[Dummies]:
    """Yield the first dummies of each column, and of each prefix: fuel.Other is of no colour."""
    columns: set[str] = set()
    prefixes: set[str] = set()
    for one in found:
        if one.column not in columns and one.prefix not in prefixes and not one.is_coincidence:
            columns.add(one.column)
            prefixes |= {one.prefix} - {""}
            yield one


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
    column: _Values,
    rests: Mapping[str, Sequence[tuple[str, str]]],
    folded: Mapping[str, Sequence[tuple[str, str]]],
) -> Iterator[Dummies]:
    """Yield the dummy columns with the same prefix whose names end in a column's values.

    `rests` are the ends of the names, and `folded` the same as somebody else can spell them.
    """
    by_prefix: dict[str, dict[str, str]] = {}
    for value in column.values:
        for text in _texts(value):
            for prefix, name in rests.get(text) or folded.get(_folded(text), ()):
                by_prefix.setdefault(prefix, {}).setdefault(json_text(value), name)
    named = [_folded(f"{column.name}{separator}") for separator in SEPARATORS]
    for prefix, columns in by_prefix.items():
        # Other spellings of the same category: a column stands for one of them only.
        first = {columns[value]: value for value in sorted(columns, key=_is_stripped)}
        others = columns.keys() - first.values()
        values = tuple(value for value in column.values if json_text(value) not in others)
        kept = {value: name for value, name in columns.items() if value not in others}
        is_named = _folded(prefix) in named
        yield Dummies(column.name, values, kept, is_named, not others, prefix)


def _is_stripped(text: str) -> bool:
    return text == text.strip()


def _folded(text: str) -> str:
    """Return a text without the differences of case and spaces that scripts make."""
    return " ".join(text.split()).casefold()


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
    """Yield what callers have to know; what is usual, once for many columns."""
    usual = [dummies for dummies in found if not _refused(dummies)]
    if len(usual) > MAX_USUAL_NOTES:
        count = sum(len(dummies.columns) for dummies in usual)
        names = listing([dummies.column for dummies in usual], 5)
        yield f"{count} columns of the model are made of {names}."
    for dummies in found:
        others = _refused(dummies)
        if len(usual) > MAX_USUAL_NOTES and not others:
            continue
        columns = list(dummies.columns.values())
        verb = "is" if len(columns) == 1 else "are"
        note = f"{listing(columns, 3)} {verb} made of {dummies.column}"
        if dummies.base:
            note += f"; all of them are 0 for {json_text(dummies.base[0])}"
        if others:
            note += f". The model has no column for {listing(others, 5)}: these are refused"
        yield f"{note}."


def _refused(dummies: Dummies) -> list[str]:
    """Return the values for which the model has no column."""
    return [json_text(value) for value in dummies.without if value not in dummies.base]


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
