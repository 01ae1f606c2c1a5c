"""Relate what is fitted beside the model to it: by names, by counts, and by the values it has seen.

A fitted file that belongs before the model and is forgotten gives wrong answers that nothing else
shows. So a file that fits is either answered or left out on purpose (-scaler.pkl).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from workbench.adopt.answers import Part, joined, split
from workbench.adopt.arrange import is_imputer, longest_paths
from workbench.adopt.case import Case
from workbench.adopt.problems import Changes, Notes, Problem, Repair
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
SEVERAL = 2  # steps of a Pipeline that prepares its input itself
MAX_ALTERNATIVES = 4


@dataclass(frozen=True)
class Related:
    """Something fitted beside the model, and why it can belong before the model."""

    neighbour: Neighbour
    why: str  # a clause
    first: bool  # it is for some of the columns, so it comes before those for all
    certain: bool = True

    @property
    def sentence(self) -> str:
        """What it is and why it fits."""
        return f"{_what(self.neighbour)} {self.why}"


@dataclass(frozen=True)
class Found:
    """What is beside the model: the problem to solve first, if there is one, and the notes."""

    problem: Problem | None = None
    notes: Notes = ()


def look_around(case: Case) -> Found:
    """Return the fitted files beside the model that the answers neither name nor leave out."""
    if case.transformers.problems:
        return Found()
    view = _View(case)
    for_columns = [found for n in case.neighbours if (found := view.for_columns(n)) is not None]
    orders = view.orders(
        [n for n in case.neighbours if n not in [f.neighbour for f in for_columns]]
    )
    related = [*for_columns, *(found for order in orders[:1] for found in order)]
    certain = [found for found in related if found.certain]
    notes = tuple(
        f"{found.sentence}, and it is not applied. If your app applies it, run in the project: "
        f"{_make_adopt(case, found)}"
        for found in related
        if not found.certain
    )
    if not certain and (listed := _list_of_names(case, view.needed)) is not None:
        return Found(listed, notes)
    if not certain:
        return Found(None, (*notes, *_notes_on_labels(case), *view.notes_on_scaling()))
    if len(orders) > 1 and any(found.certain for found in orders[0]):
        return Found(_which_order(case, for_columns, orders), notes)
    return Found(_forgotten(case, certain), notes)


def _forgotten(case: Case, related: Sequence[Related]) -> Problem:
    """Return the problem that files beside the model were not answered."""
    name = case.answers.names.transformers
    names = listing([case.answers.shown_path(found.neighbour.part) for found in related])
    sentences = ". ".join(found.sentence for found in related)
    answer = _answer(case, related)
    were, them = ("it was", "it") if len(related) == 1 else ("they were", "them")
    out = _left_out(case, related)
    message = (
        f"{sentences}. If {were} applied in training, answer {name}={answer}; if not, leave {them} "
        f"out on purpose with {name}={out}"
    )
    otherwise: Changes = {"transformers": out}
    return Problem(
        None,
        message,
        Repair(
            {"transformers": answer}, otherwise=((f"To leave {names} out on purpose:", otherwise),)
        ),
    )


def _list_of_names(case: Case, count: int | None) -> Problem | None:
    """Return the problem that a list beside the model has the names that nothing else has."""
    is_named = case.declared.features or case.model.feature_names is not None
    if is_named or count is None or case.model.takes_texts:
        return None
    if any(one.facts.feature_names or one.facts.takes_texts for one in case.transformers.fitted):
        return None
    lists = {
        neighbour.texts: neighbour
        for neighbour in case.neighbours
        if neighbour.texts is not None and len(neighbour.texts) == count
        if neighbour.part.path.suffix != ".npy" and neighbour.texts != case.sample_columns
        # With a sample its columns are the features, unless the list has another order of them.
        if case.sample is None or set(neighbour.texts) <= set(case.sample_columns)
    }
    if len(lists) != 1 or (case.bundle is not None and case.bundle.names(count) is not None):
        return None
    ((names, neighbour),) = lists.items()
    answer = case.answers.shown_path(neighbour.part)
    message = (
        f"{neighbour.name} beside the model lists {len(names or ())} names, as many columns as the "
        f"model takes ({listing(names or ())}). If they are its features in the order of training, "
        f"answer {case.answers.names.features}={answer}"
    )
    return Problem(None, message, Repair({"features": answer}))


def _which_order(
    case: Case, first: Sequence[Related], orders: Sequence[Sequence[Related]]
) -> Problem:
    """Return the problem that several files beside the model fit in several orders."""
    every = {found.neighbour.part: found for order in orders for found in order}
    name = case.answers.names.transformers
    sentences = ". ".join(found.sentence for found in every.values())
    answers = []
    for order in orders[:MAX_ALTERNATIVES]:
        parts = [found.neighbour.part for found in order]
        out = [f"-{_shown(case, found)}" for part, found in every.items() if part not in parts]
        answers.append(joined([_answer(case, [*first, *order]), *out]))
    none = _left_out(case, [*first, *every.values()])
    more = f" ({len(orders)} orders are possible)" if len(orders) > MAX_ALTERNATIVES else ""
    message = (
        f"{sentences}. Which of them did training apply, and in which order{more}? Answer "
        f"{' or '.join(f'{name}={answer}' for answer in answers)}; leave out the others, or all of "
        f"them, with a dash: {name}={none}"
    )
    otherwise: list[tuple[str, Changes]] = [
        (f"If it was {answer}:", {"transformers": answer}) for answer in answers[1:]
    ]
    otherwise.append(("If none of them was applied:", {"transformers": none}))
    return Problem(None, message, Repair({"transformers": answers[0]}, otherwise=tuple(otherwise)))


def _answer(case: Case, related: Sequence[Related]) -> str:
    """Return the answer with these files in their places."""
    before, after = given_transformers(case)
    firsts = [_shown(case, found) for found in related if found.first]
    rest = [_shown(case, found) for found in related if not found.first]
    return joined([*before, *firsts, *rest, *after, *_dashes(case)])


def _left_out(case: Case, related: Sequence[Related]) -> str:
    before, after = given_transformers(case)
    out = [f"-{_shown(case, found)}" for found in related]
    return joined([*before, *after, *_dashes(case), *out])


def _shown(case: Case, found: Related) -> str:
    return case.answers.shown_path(found.neighbour.part)


def _dashes(case: Case) -> list[str]:
    """Return what is left out already."""
    return [f"-{case.answers.shown_path(part)}" for part in case.answers.left_out]


def given_transformers(case: Case) -> tuple[list[str], list[str]]:
    """Return the transformers of the answers: those for some of the columns, then the rest."""
    answers = case.answers
    typed = [item for item in split(answers.transformers) if not item.startswith("-")]
    if not typed:
        parts = {one.answer: one for one in case.transformers.fitted}
        typed = [answers.shown_path(part) for part in parts]
        some = [_is_for_some(one) for one in parts.values()]
    else:
        ones = [_first_of(case, answers.beside_model(item)) for item in typed]
        some = [one is not None and _is_for_some(one) for one in ones]
    count = next((n for n, is_some in enumerate(some) if not is_some), len(typed))
    return typed[:count], typed[count:]


def _first_of(case: Case, part: Part) -> Fitted | None:
    return next((one for one in case.transformers.fitted if one.answer == part), None)


def _is_for_some(one: Fitted) -> bool:
    return one.columns is not None or one.facts.encodes_labels or one.part != one.answer


def _what(neighbour: Neighbour) -> str:
    where = "in the same file" if neighbour.in_model_file else "beside the model"
    if len(neighbour.fitted) > 1:
        kinds = listing(list(dict.fromkeys(one.facts.name for one in neighbour.fitted)))
        return f"{neighbour.name} {where} holds {len(neighbour.fitted)} transformers ({kinds})"
    name = neighbour.fitted[0].facts.name
    return f"{neighbour.name} {where} is {'an' if name[:1] in 'AEIOU' else 'a'} {name}"


class _View:
    """The model with the transformers of the answers, as one beside them has to fit it."""

    def __init__(self, case: Case) -> None:
        self.case, self.model = case, case.model
        used = case.transformers.fitted
        self.encoded = encoded_columns(case)
        whole = [one for one in used if not _is_for_some(one)]
        self.has_whole = bool(whole)
        known = [one.facts.n_features for one in whole]
        self.needed = known[0] if known else self.model.n_features
        names = case.declared.names or self.model.feature_names
        of_used = [one.facts.feature_names for one in whole if one.facts.feature_names]
        self.names = (of_used[0] if of_used else None) or names
        # A nameless model was often fitted on an array of the sample's columns.
        self.features = frozenset(self.names or case.sample_columns)
        self.prepares_itself = len(self.model.steps) >= SEVERAL

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
        if names is None or one.facts.takes_texts or is_imputer(one) or not names:
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
                f"The model compares {'; '.join(outside[:MAX_ALTERNATIVES])}. So it was trained on "
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


def _notes_on_labels(case: Case) -> Iterator[str]:
    """Yield a note for what gives the classes of the model their labels, if it is unused."""
    if any(is_of_target(one, case, case.feature_names) for one in case.transformers.fitted):
        return
    for neighbour in case.neighbours:
        if len(neighbour.fitted) != 1:
            continue
        (one,) = neighbour.fitted
        if is_of_target(one, case, case.feature_names):
            related = Related(neighbour, "", first=False)
            yield (
                f"{_what(neighbour)} of {len(one.facts.labels)} labels, as many as the model has "
                f"classes. To answer with them, run in the project: {_make_adopt(case, related)}"
            )


def _make_adopt(case: Case, related: Related) -> str:
    """Return the command that takes a file in later, from the project's folder."""
    answers = case.answers
    before, after = given_transformers(case)
    items = [*before, _shown(case, related), *after, *_dashes(case)]
    if not related.first:
        items = [*before, *after, _shown(case, related), *_dashes(case)]
    paths = joined([_from_project(case, item) for item in items])
    model = _from_project(case, answers.model_path)
    return f"make adopt MODEL={shlex.quote(model)} TRANSFORMERS={shlex.quote(paths)}"


def _from_project(case: Case, item: str) -> str:
    dash = "-" if item.startswith("-") else ""
    path = Path(item.removeprefix("-")).expanduser()
    if case.previous is not None or path.is_absolute():
        return f"{dash}{path.as_posix()}"
    return f"{dash}{(Path('..') / path).as_posix()}"
