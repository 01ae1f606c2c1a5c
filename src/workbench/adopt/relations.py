"""Relate a fitted file beside the model to it: by names, by counts, by the values it has seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from model_service.contract.typed_text import sample_number
from workbench.adopt.arrange import is_imputer, longest_paths
from workbench.adopt.case import Case
from workbench.adopt.sample import Sample
from workbench.adopt.transformer_columns import (
    TARGET_NAME,
    encoded_columns,
    is_of_target,
    names_column,
    scales_target,
    show_count,
    without_dummies,
)
from workbench.adopt.transformer_files import Fitted, Neighbour
from workbench.errors import listing
from workbench.inspect import SeenValues, seen_values

FEW_VALUES = 5  # say nothing about the values of a column
NARROW = 0.2  # share of the sample's range
TAIL = 20  # the lowest and highest 5 % of a column can be mistakes
SEVERAL = 2  # steps of a Pipeline that prepares its input itself
MAX_SHOWN = 4


@dataclass(frozen=True)
class Related:
    """Something fitted beside the model, and why it can belong before the model."""

    neighbour: Neighbour
    why: str  # a clause
    first: bool  # it is for some of the columns, so it comes before those for all
    certain: bool = True
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
            return Related(neighbour, "of one column, which seems to be what is predicted", False)
        if one.facts.of_user and self._texts:
            why = f"of your own, and the model takes numbers where {listing(self._texts)} are text"
            return Related(neighbour, why, True)
        if is_imputer(one):
            return self._imputer(neighbour, one)
        if names is None or one.facts.takes_texts or not names:
            return None
        placed = Fitted(one.part, one.file, one.facts, names, one.answer)
        if without_dummies(placed, self.model.feature_names) is not None:
            return Related(
                neighbour, f"of {listing(names)}, which makes columns of the model", True
            )
        if not set(names) < self.features or not one.facts.one_to_one:
            return None
        if one.facts.categories is not None and set(names) & self.encoded:
            return None
        count = self.model.n_features
        if self.names is None and count is not None and len(names) >= count:
            return None
        applied = self._was_applied(one, names)
        why = f"for {listing(names)}, which the model takes too"
        return self._judged(neighbour, why, applied, first=True)

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
        return Related(neighbour, why, first=True, certain=False, fills=True)

    def scaled_sample(self, scalers: Iterable[Fitted]) -> Fitted | None:
        """Return the scaler that has scaled the values of the sample already, or None."""
        if (sample := self.case.sample) is None:
            return None
        for one in scalers:
            names = one.columns or one.facts.feature_names or self.names
            names = names or tuple(self.case.sample_columns)
            votes = {
                scaling.was_applied(_middle(sample, name))
                for name, scaling in zip(names, one.facts.scalings, strict=False)
                if name in sample.columns and sample.columns[name].numeric
            }
            if True in votes and False not in votes:
                return one
        return None

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
        self, neighbour: Neighbour, why: str, applied: bool | None, *, first: bool
    ) -> Related | None:
        if applied is False:
            return None
        if applied:
            why += ", and the values that the model compares them with are scaled ones"
        certain = bool(applied) or not self.prepares_itself
        return Related(neighbour, why, first, certain)

    def _encoders(self, neighbour: Neighbour) -> Related | None:
        """Return encoders of single features, told by their names or by the sample."""
        columns = []
        for one in neighbour.fitted:
            if not one.facts.encodes_labels and not one.facts.categories:
                continue
            if is_of_target(one, self.case, sorted(self.features)):
                continue
            last = (one.part.member or "").rpartition(".")[2]
            free = sorted(self.features - self.encoded)
            if last in free:
                columns.append(last)
            elif one.facts.encodes_labels:
                named = [name for name in free if names_column(one, name)]
                columns += [named[0]] if len(named) == 1 else self._by_values(one, free)
        if not columns or self.prepares_itself:
            return None
        verb = "are" if len(neighbour.fitted) > 1 else ""
        encoded = f"{verb} for {listing(columns)}".strip()
        why = (
            f"that {encoded}, which the model takes too"
            if verb
            else f"{encoded}, which the model takes too"
        )
        return Related(neighbour, why, True)

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
        if sample is None or self.names is None or self.case.transformers.fitted:
            return
        if self.prepares_itself or (self.case.code is not None and self.case.code.prepares):
            return
        outside = []
        for number, name in enumerate(self.names):
            column, seen = sample.columns.get(name), set(self._seen.columns.get(number, ()))
            if column is None or not column.numeric or len(seen) < FEW_VALUES:
                continue
            beyond = sum(not column.minimum <= value <= column.maximum for value in seen)
            is_narrow = max(seen) - min(seen) < NARROW * (column.maximum - column.minimum)
            if beyond * 2 > len(seen) or (beyond and is_narrow):
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

    def orders(self, neighbours: Sequence[Neighbour]) -> list[list[Related]]:
        """Return the orders of neighbours for all of the columns that fit before the model."""
        pool = {
            id(n.fitted[0]): n for n in neighbours if len(n.fitted) == 1 and self._can_come_first(n)
        }
        paths = longest_paths([n.fitted[0] for n in pool.values()], self.needed)
        found = []
        for path in paths:
            order = [self._for_all(pool[id(one)], one) for one in path]
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
            return set(names) == set(self.names) and self._was_applied(one, names) is not False
        by_position = self.names or tuple(map(str, range(self.needed)))
        if facts.one_to_one and self._was_applied(one, by_position) is False:
            return False
        return not facts.categories or not set(names or ()) & self.encoded

    def _for_all(self, neighbour: Neighbour, one: Fitted) -> Related | None:
        facts = one.facts
        gives = f"that gives {show_count(facts.n_outputs)}"
        if facts.one_to_one and facts.n_features is not None:
            gives = f"for {show_count(facts.n_features)}"
        taken = "as many as the model takes"
        if facts.n_outputs != self.model.n_features:
            taken = "as many as the next one takes"
        names = facts.feature_names or self.names or tuple(map(str, range(self.needed or 0)))
        applied = self._was_applied(one, names) if facts.one_to_one else None
        related = self._judged(neighbour, f"{gives}, {taken}", applied, first=False)
        if related is not None and self.has_whole and applied is not True:
            # What comes first is answered already.
            return Related(neighbour, related.why, first=False, certain=False)
        return related

    def _was_applied(self, one: Fitted, names: Sequence[str]) -> bool | None:
        """Return whether the model has seen values that this scaler gives, None if unclear."""
        votes = set()
        columns = self.model.feature_names or self.names or tuple(names)
        for name, scaling in zip(names, one.facts.scalings, strict=False):
            seen = self._seen.columns.get(columns.index(name), []) if name in columns else []
            votes.add(scaling.was_applied(seen))
        votes.discard(None)
        return votes.pop() if len(votes) == 1 else None

    @cached_property
    def _seen(self) -> SeenValues:
        """What the model compares its input with; of no use behind other transformers."""
        return SeenValues() if self.has_whole else seen_values(self.case.model_root)


def _middle(sample: Sample, name: str) -> list[float]:
    """Return the numbers of a column without the lowest and the highest ones."""
    column = sample.columns[name]
    cells = (column.plain(str(row.get(name, ""))) for row in sample.rows)
    numbers = sorted(
        number for cell in cells if isinstance(number := sample_number(cell), float | int)
    )
    outer = len(numbers) // TAIL
    return numbers[outer : len(numbers) - outer]


def is_for_some(one: Fitted) -> bool:
    return one.columns is not None or one.facts.encodes_labels or one.part != one.answer


def describe(neighbour: Neighbour) -> str:
    where = "in the same file" if neighbour.in_model_file else "beside the model"
    if len(neighbour.fitted) > 1:
        kinds = listing(list(dict.fromkeys(one.facts.name for one in neighbour.fitted)))
        return f"{neighbour.name} {where} holds {len(neighbour.fitted)} transformers ({kinds})"
    name = neighbour.fitted[0].facts.name
    return f"{neighbour.name} {where} is {'an' if name[:1] in 'AEIOU' else 'a'} {name}"
