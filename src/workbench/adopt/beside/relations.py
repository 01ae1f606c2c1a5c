"""Relate a fitted file beside the model to it: by names, by counts, by the values it has seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Literal

from workbench.adopt.beside.arrange import is_imputer, longest_paths
from workbench.adopt.beside.sample_evidence import (
    fits_ranges,
    has_other_values,
    is_scaled_by,
    knows_values,
)
from workbench.adopt.beside.transformer_columns import (
    TARGET_NAME,
    encoded_columns,
    is_of_target,
    names_column,
    scales_target,
    show_count,
    without_dummies,
)
from workbench.adopt.beside.transformer_files import Fitted, Neighbour
from workbench.adopt.case import Case
from workbench.adopt.csv.target_column import feature_columns
from workbench.errors import listing
from workbench.inspect import SeenValues, seen_values

SEVERAL = 2  # steps of a Pipeline that prepares its input itself, encoders of a dict
MAX_SHOWN = 4
# What is certain is applied, what is likely is asked for, and of what is possible there is a note.
Certainty = Literal["certain", "likely", "possible"]


@dataclass(frozen=True)
class Related:
    """Something fitted beside the model, and why it can belong before the model."""

    neighbour: Neighbour
    why: str  # a clause
    first: bool  # it is for some of the columns, so it comes before those for all
    certainty: Certainty = "certain"
    columns: tuple[str, ...] | None = None  # whose values it changes; None: all
    fills: bool = False  # it fills in missing values, so it comes before everything

    @property
    def sentence(self) -> str:
        """What it is and why it fits."""
        return f"{describe(self.neighbour)} {self.why}"


class Relations:
    """The model with the transformers of the answers, as a file beside them has to fit it."""

    def __init__(self, case: Case) -> None:
        self.case, self.model = case, case.model
        used = case.transformers.fitted
        self.encoded = encoded_columns(case)
        whole = [one for one in used if not is_for_some(one) and not self._takes_some(one)]
        self.has_whole = bool(whole)
        known = [one.facts.n_features for one in whole]
        self.needed = known[0] if known else self.model.n_features
        names = case.declared.names or self.model.feature_names
        of_used = [one.facts.feature_names for one in whole if one.facts.feature_names]
        self.names = (of_used[0] if of_used else None) or names
        # A nameless model was often fitted on an array of the sample's columns.
        self.features = frozenset(self.names or case.sample_columns)
        self.prepares_itself = len(self.model.steps) >= SEVERAL

    def _takes_some(self, one: Fitted) -> bool:
        """Return whether a transformer was fitted on a part of the model's named columns."""
        return set(one.facts.feature_names or ()) < set(self.model.feature_names or ())

    def for_columns(self, neighbour: Neighbour) -> Related | None:
        """Return a neighbour that is for some of the features."""
        if not neighbour.fitted or (self.case.code is not None and self.case.code.prepares):
            return None
        if len(neighbour.fitted) > 1 or neighbour.fitted[0].facts.encodes_labels:
            return self._encoders(neighbour)
        (one,) = neighbour.fitted
        names = one.facts.feature_names
        if self._scales_target(one):
            why = "of one column, which seems to be what is predicted"
            return Related(neighbour, why, first=False, columns=())
        if one.facts.of_user and self._texts:
            why = f"of your own, and the model takes numbers where {listing(self._texts)} are text"
            return Related(neighbour, why, True, "likely")  # its code would run
        if is_imputer(one):
            return self._imputer(neighbour, one)
        if names is None or one.facts.takes_texts or not names:
            return None
        placed = Fitted(one.part, one.file, one.facts, names, one.answer)
        if without_dummies(placed, self.model.feature_names) is not None:
            why = f"of {listing(names)}, which makes columns of the model"
            makes = Related(neighbour, why, first=True, columns=names)
            return makes if self._fits_sample(placed) else _doubted(makes)
        if not set(names) < self.features or not one.facts.one_to_one:
            return None
        if one.facts.categories is not None and set(names) & self.encoded:
            return None
        count = self.model.n_features
        if self.names is None and count is not None and len(names) >= count:
            return None
        why = f"for {listing(names)}, which the model takes too"
        related = self._judged(neighbour, why, self._votes(one, names), first=True)
        if related is None:
            return None
        related = replace(related, columns=names)
        return related if self._fits_sample(placed) else _doubted(related)

    def _fits_sample(self, one: Fitted) -> bool:
        """Return whether nothing in the sample is against a transformer of these columns."""
        sample = self.case.sample
        if sample is None:
            return True
        names = self._input(one)
        fits = fits_ranges(sample, one, names) is not False or is_scaled_by(sample, one, names)
        return fits and knows_values(sample, one, names)

    def _imputer(self, neighbour: Neighbour, one: Fitted) -> Related | None:
        """Return what fills in missing values, if the sample has such values in its columns."""
        names = one.facts.feature_names
        if names is None and one.facts.n_features == self.needed:
            names = tuple(self.names or ())
        if self.prepares_itself or self.case.sample is None or not names:
            return None
        columns = self.case.sample.columns
        missing = [name for name in names if name in columns and columns[name].missing]
        if not missing or not set(names) <= self.features:
            return None
        why = f"for the missing values of {listing(missing)}"
        return Related(neighbour, why, True, "possible", fills=True)

    def scaled_sample(self, scalers: Iterable[Fitted]) -> Fitted | None:
        """Return the scaler that has scaled the values of the sample already, or None."""
        if (sample := self.case.sample) is None:
            return None
        return next((one for one in scalers if is_scaled_by(sample, one, self._input(one))), None)

    def _input(self, one: Fitted) -> Sequence[str]:
        """Return the names of the columns that a transformer is for, as far as they are known."""
        names, count = one.columns or one.facts.feature_names or self.names, one.facts.n_features
        if names is None and count is not None:
            return self._columns_by_position(count)
        return names if names is not None and count in (None, len(names)) else ()

    def _scales_target(self, one: Fitted) -> bool:
        named = TARGET_NAME.search(one.author_name) is not None
        return named and scales_target(one, self.case, sorted(self.features))

    @cached_property
    def _texts(self) -> list[str]:
        """The features that are text in the sample, where the model takes numbers."""
        facts = self.model
        if self.prepares_itself or facts.categories or facts.encoded or facts.takes_texts:
            return []
        if "catboost" in facts.distributions or self.case.sample is None:
            return []
        columns = self.case.sample.columns
        return [
            name
            for name in self.names or ()
            if name in columns and columns[name].type in ("category", "text")
            if name not in self.encoded
        ]

    def _judged(
        self, neighbour: Neighbour, why: str, votes: Collection[bool | None], *, first: bool
    ) -> Related | None:
        """Return a relation by what the columns say of whether the model has seen scaled values."""
        if votes == {False}:
            return None
        if votes == {True}:
            why += ", and the values that the model compares them with are scaled ones"
            return Related(neighbour, why, first)
        if self.prepares_itself:
            return Related(neighbour, why, first, "possible")
        return Related(neighbour, why, first, "likely" if votes else "certain")

    def _encoders(self, neighbour: Neighbour) -> Related | None:
        """Return encoders of single features, told by their names or by the sample."""
        columns: list[str] = []
        doubts: list[bool] = []
        for one in neighbour.fitted:
            if not one.facts.encodes_labels and not one.facts.categories:
                continue
            if is_of_target(one, self.case, sorted(self.features)):
                continue
            last = (one.part.member or "").rpartition(".")[2]
            free = sorted(self.features - self.encoded)
            found = [last] if last in free else []
            if not found and one.facts.encodes_labels:
                named = [name for name in free if names_column(one, name)]
                found = named if len(named) == 1 else self._by_values(one, free)
                # If only the values tell, it can be the target's as well.
                by_values = bool(found) and found != named
                doubts.append(by_values and len(one.facts.labels) == self._class_count)
            columns += found
            placed = replace(one, columns=tuple(found))
            doubts.append(bool(found) and not self._fits_sample(placed))
        if not columns or self.prepares_itself:
            return None
        are_for = f"that are for {listing(columns)}"
        which = are_for if len(neighbour.fitted) > 1 else f"for {listing(columns)}"
        related = Related(neighbour, f"{which}, which the model takes too", first=True)
        related = replace(related, columns=tuple(columns))
        return _doubted(related) if any(doubts) else related

    @property
    def _class_count(self) -> int:
        return len(self.model.classes or self.model.binary or ())

    def _by_values(self, one: Fitted, free: Sequence[str]) -> list[str]:
        """Return the only text column of the sample whose values an encoder knows."""
        columns = self.case.sample.columns if self.case.sample is not None else {}
        found = [
            name
            for name in free
            if name in columns
            and not columns[name].numeric
            and (values := columns[name].categories)
            and set(values) <= set(one.facts.labels)
        ]
        return found if len(found) == 1 else []

    def notes_on_scaling(self) -> Iterator[str]:
        """Yield a note if the sample's values are not those that the model was trained on."""
        sample = self.case.sample
        if sample is None or self.case.transformers.fitted:
            return
        if self.prepares_itself or (self.case.code is not None and self.case.code.prepares):
            return
        outside = []
        for number, name in enumerate(self.names or self._columns_by_position(self.needed)):
            column, seen = sample.columns.get(name), self._seen.columns.get(number, ())
            if column is not None and has_other_values(column, seen):
                outside.append(
                    f"{name} with {min(seen):.4g} to {max(seen):.4g}, and the sample has "
                    f"{column.minimum:g} to {column.maximum:g}"
                )
        if outside:
            yield (
                f"The model compares {'; '.join(outside[:MAX_SHOWN])}. So it was trained on "
                "other values, such as scaled ones, and its answers are wrong for those of the "
                f"sample. Give the fitted scaler: {self.case.answers.names.transformers}=FILE"
            )

    def _columns_by_position(self, count: int | None) -> tuple[str, ...]:
        """Return the columns of the sample that can be features, if they are as many."""
        if self.case.sample is None:
            return ()
        facts = replace(self.model, n_features=count)
        found = feature_columns(facts, self.case.sample).features
        return found if len(found) == count else ()

    def orders(self, neighbours: Sequence[Neighbour]) -> list[list[Related]]:
        """Return the orders of neighbours for all of the columns that fit before the model."""
        pool = {
            id(n.fitted[0]): n for n in neighbours if len(n.fitted) == 1 and self._can_come_first(n)
        }
        paths = longest_paths([n.fitted[0] for n in pool.values()], self.needed)
        found = []
        for path in paths:
            order = [self._for_all(pool[id(one)], one, path) for one in path]
            found.append([related for related in order if related is not None])
        return [order for order in found if order]

    def _can_come_first(self, neighbour: Neighbour) -> bool:
        """Return whether a neighbour for all columns is not known to be for something else."""
        (one,) = neighbour.fitted
        facts = one.facts
        if facts.encodes_labels or is_imputer(one) or facts.of_user:
            return False
        if self.case.code is not None and self.case.code.prepares:
            return False
        if self.needed is None or self.needed == 1 or self.model.takes_texts:
            return False
        if facts.takes_texts:
            return not self.has_whole
        names = facts.feature_names
        if facts.one_to_one and names is not None and self.names is not None:
            return set(names) == set(self.names) and self._votes(one, names) != {False}
        by_position = self.names or tuple(map(str, range(self.needed)))
        if facts.one_to_one and self._votes(one, by_position) == {False}:
            return False
        return not facts.categories or not set(names or ()) & self.encoded

    def _for_all(self, neighbour: Neighbour, one: Fitted, path: Sequence[Fitted]) -> Related | None:
        facts = one.facts
        gives = f"that gives {show_count(facts.n_outputs)}"
        if facts.one_to_one and facts.n_features is not None:
            gives = f"for {show_count(facts.n_features)}"
        taken = "as many as the model takes"
        if facts.n_outputs != self.model.n_features:
            taken = "as many as the next one takes"
        names = facts.feature_names or self.names or tuple(map(str, range(self.needed or 0)))
        votes = self._votes(one, names) if facts.one_to_one else frozenset()
        if one is not path[-1] and votes not in ({True}, {False}):
            votes = frozenset()  # the model has not seen what it gives
        related = self._judged(neighbour, f"{gives}, {taken}", votes, first=False)
        if related is None or related.certainty != "certain" or votes == {True}:
            return related
        if self.has_whole:  # what comes first is answered already
            return replace(related, certainty="possible")
        # Behind another one it was fitted on an array, which has no names.
        fits = self._fits_sample(one) if one is path[0] else facts.feature_names is None
        return related if fits and not self._is_of_another(one, path) else _doubted(related)

    def are_certain(self, found: Sequence[Related]) -> bool:
        """Return whether what was found belongs before the model, and in one way only."""
        # The transformers of a model that is retrained were decided once.
        if self.case.previous is not None or any(r.certainty != "certain" for r in found):
            return False
        # A file that holds transformers besides the model is complete, as far as is known.
        if self.case.transformers.in_model_file and self.case.transformers.fitted:
            return False
        used = [
            Related(Neighbour(one.answer, (one,)), "", first=columns is not None, columns=columns)
            for one in self.case.transformers.fitted
            if not scales_target(one, self.case, sorted(self.features))
            for columns in [self._columns_of_used(one)]
        ]
        return not any(_compete(one, other) for one, other in combinations([*used, *found], 2))

    def _columns_of_used(self, one: Fitted) -> tuple[str, ...] | None:
        return tuple(self._input(one)) if is_for_some(one) or self._takes_some(one) else None

    def _is_of_another(self, one: Fitted, path: Sequence[Fitted]) -> bool:
        """Return whether a scaler that is told by a count can be of another model beside."""
        if len(path) > 1 or not one.facts.one_to_one:
            return False
        if self.names is not None and set(one.facts.feature_names or ()) == set(self.names):
            return False
        sample = self.case.sample
        if sample is not None and fits_ranges(sample, one, self._input(one)):
            return False
        return self.model.n_features in self.case.columns_of_others

    def _votes(self, one: Fitted, names: Sequence[str]) -> frozenset[bool | None]:
        """Return what the columns say of whether the model has seen values that a scaler gives.

        None stands for rows that are not those of the scaler at all, if no other column votes.
        """
        columns = self.model.feature_names or self.names or tuple(names)
        seen = [
            (scaling, self._seen.columns.get(columns.index(name), []))
            for name, scaling in zip(names, one.facts.scalings, strict=False)
            if name in columns
        ]
        votes = {scaling.was_applied(values) for scaling, values in seen} - {None}
        if votes or self._seen.are_thresholds:  # which are too few to say that
            return frozenset(votes)
        others = any(scaling.is_of_others(values) for scaling, values in seen)
        return frozenset({None} if others else ())

    @cached_property
    def _seen(self) -> SeenValues:
        """What the model compares its input with; of no use behind other transformers."""
        return SeenValues() if self.has_whole else seen_values(self.case.model_root)


def without_copies(found: Sequence[Related]) -> list[Related]:
    """Leave out encoders that another file has too, among encoders of other columns.

    The loop that makes a dict of encoders leaves the last one behind, and it is saved as well.
    """
    return [one for one in found if not any(_is_in(one, other) for other in found)]


def _is_in(one: Related, other: Related) -> bool:
    """Return whether the only encoder of a file is one of the several of another file."""
    own, several = one.neighbour.fitted, other.neighbour.fitted
    if (
        len(own) != 1
        or len(several) < SEVERAL
        or not {*(one.columns or ())} <= {*(other.columns or ())}
    ):
        return False
    labels = own[0].facts.labels
    return own[0].facts.encodes_labels and any(f.facts.labels == labels for f in several)


def _compete(one: Related, other: Related) -> bool:
    """Return whether only one of two can be applied: both change the values of one column."""
    if one.columns is None and other.columns is None:
        return False  # their order is known
    if one.columns is not None and other.columns is not None:
        return bool({*one.columns} & {*other.columns}) and _encodes(one) == _encodes(other)
    some, every = (one, other) if other.columns is None else (other, one)
    (fitted,) = every.neighbour.fitted
    if not some.columns:
        return False
    return not _encodes(some) if fitted.facts.one_to_one else fitted.facts.feature_names is not None


def _encodes(related: Related) -> bool:
    return any(f.facts.categories or f.facts.encodes_labels for f in related.neighbour.fitted)


def _doubted(related: Related) -> Related:
    """Return what is to be asked for, if it was certain."""
    is_certain = related.certainty == "certain"
    return replace(related, certainty="likely") if is_certain else related


def is_for_some(one: Fitted) -> bool:
    return one.columns is not None or one.facts.encodes_labels or one.part != one.answer


def describe(neighbour: Neighbour) -> str:
    where = "in the same file" if neighbour.in_model_file else "beside the model"
    if len(neighbour.fitted) > 1:
        kinds = listing(list(dict.fromkeys(one.facts.name for one in neighbour.fitted)))
        return f"{neighbour.name} {where} holds {len(neighbour.fitted)} transformers ({kinds})"
    name = neighbour.fitted[0].facts.name
    return f"{neighbour.name} {where} is {'an' if name[:1] in 'AEIOU' else 'a'} {name}"
