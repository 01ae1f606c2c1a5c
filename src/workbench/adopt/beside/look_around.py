"""Ask about what is fitted beside the model, related to it, and not among the answers.

A fitted file that belongs before the model and is forgotten gives wrong answers that nothing else
shows. So a file that fits is either answered or left out on purpose (-scaler.pkl).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.adopt.answers import Part, joined, split
from workbench.adopt.beside.names_beside import names_beside
from workbench.adopt.beside.relations import (
    Related,
    Relations,
    describe,
    is_for_some,
    without_copies,
)
from workbench.adopt.beside.transformer_columns import is_of_target
from workbench.adopt.beside.transformer_files import Fitted
from workbench.adopt.beside.whole_models import problem_of_whole
from workbench.adopt.case import Case
from workbench.adopt.csv.sample import EXPECTED_COLUMN
from workbench.adopt.problems import Changes, Notes, Problem, Repair
from workbench.errors import listing

MAX_ALTERNATIVES = 4


@dataclass(frozen=True)
class Found:
    """What is beside the model: the problem to solve first, if there is one, and the notes."""

    problem: Problem | None = None
    notes: Notes = ()


def look_around(case: Case) -> Found:
    """Return the fitted files beside the model that the answers neither name nor leave out."""
    if case.transformers.problems:
        return Found()
    if case.wholes and not case.transformers.fitted:
        return Found(problem_of_whole(case.wholes[0], case.answers))
    relations = Relations(case)
    if (scaler := relations.scaled_sample(case.transformers.fitted)) is not None:
        return Found(_scaled_already(case, relations, scaler))
    for_columns = without_copies(
        [found for n in case.neighbours if (found := relations.for_columns(n)) is not None]
    )
    orders = relations.orders(
        [n for n in case.neighbours if n not in [f.neighbour for f in for_columns]]
    )
    related = [*for_columns, *(found for order in orders[:1] for found in order)]
    belong = [found for found in related if found.certainty != "possible"]
    notes = tuple(
        f"{found.sentence}, and it is not applied. If your app applies it, run in the project: "
        f"{_make_adopt(case, found)}"
        for found in related
        if found.certainty == "possible"
    )
    if not belong and (named := names_beside(case, relations.needed)) is not None:
        return Found(named, notes)
    if not belong:
        return Found(None, (*notes, *_notes_on_labels(case), *relations.notes_on_scaling()))
    if len(orders) > 1 and any(found in belong for found in orders[0]):
        return Found(_which_order(case, for_columns, orders), notes)
    return Found(_forgotten(case, belong, relations), notes)


def _forgotten(case: Case, related: Sequence[Related], relations: Relations) -> Problem:
    """Return the problem that files beside the model were not answered."""
    name = case.answers.names.transformers
    names = listing([_shown(case, found) for found in related])
    sentences = ". ".join(found.sentence for found in related)
    answer, out = _answer(case, related), _left_out(case, related)
    changes, otherwise = {"transformers": answer}, {"transformers": out}
    scaler = relations.scaled_sample(f for found in related for f in found.neighbour.fitted)
    certain = relations.are_certain(related) and (scaler is None or _can_be_left_out(case))
    one = len(related) == 1
    if certain:
        message = f"{sentences}. So {'it is' if one else 'they are'} applied"
        when = f"If {names} {'does' if one else 'do'} not belong to the model:"
    else:
        were, them = ("it was", "it") if one else ("they were", "them")
        message = (
            f"{sentences}. If {were} applied in training, answer {name}={answer}; if not, leave "
            f"{them} out on purpose with {name}={out}"
        )
        when = f"To leave {names} out on purpose:"
    if scaler is not None:
        message += f". {_scaled_sample(case, scaler, certain=certain)}"
        changes.update(_without_sample(case, relations, scaler))
        otherwise["sample_data"] = case.answers.sample_data
    return Problem(None, message, Repair(changes, otherwise=((when, otherwise),), certain=certain))


def _scaled_already(case: Case, relations: Relations, scaler: Fitted) -> Problem:
    """Return the problem that the sample is the output of a scaler of the answers."""
    typed = case.answers.shown_path(scaler.answer)
    before, after = given_transformers(case)
    kept = [item for item in (*before, *after) if item != typed]
    out = joined([*kept, *_dashes(case), f"-{typed}"])
    otherwise: Changes = {"transformers": out, "sample_data": case.answers.sample_data}
    changes = _without_sample(case, relations, scaler)
    certain = _can_be_left_out(case)
    message = _scaled_sample(case, scaler, certain=certain)
    when = "If callers send scaled values:"
    return Problem(None, message, Repair(changes, otherwise=((when, otherwise),), certain=certain))


def _scaled_sample(case: Case, scaler: Fitted, *, certain: bool) -> str:
    assert case.sample is not None
    found = f"{case.sample.path.name} holds values that {scaler.name} has scaled already"
    question = case.answers.names.sample_data
    if certain:
        return (
            f"{found}, and callers send unscaled ones: it is not used as the sample. Give the rows "
            f"before scaling, {question}=FILE, for their ranges."
        )
    return (
        f"{found}, and callers send unscaled ones: give the rows before scaling, {question}=FILE, "
        "or none."
    )


def _can_be_left_out(case: Case) -> bool:
    """Return whether the sample can be left out unasked: no expected answers are lost with it."""
    return case.previous is None and EXPECTED_COLUMN not in case.sample_columns


def _without_sample(case: Case, relations: Relations, scaler: Fitted) -> Changes:
    """Return the answers without the sample, of which only the names are used."""
    if relations.names is None and not scaler.facts.feature_names:
        return {"sample_data": "", "features": case.answers.sample_data}
    return {"sample_data": ""}


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
        some = [is_for_some(one) for one in parts.values()]
    else:
        ones = [_first_of(case, answers.beside_model(item)) for item in typed]
        some = [one is not None and is_for_some(one) for one in ones]
    count = next((n for n, is_some in enumerate(some) if not is_some), len(typed))
    return typed[:count], typed[count:]


def _first_of(case: Case, part: Part) -> Fitted | None:
    return next((one for one in case.transformers.fitted if one.answer == part), None)


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
                f"{describe(neighbour)} of {len(one.facts.labels)} labels, as many as the model "
                "has classes. To answer with them, run in the project: "
                f"{_make_adopt(case, related)}"
            )


def _make_adopt(case: Case, related: Related) -> str:
    """Return the command that takes a file in later, from the project's folder."""
    answers = case.answers
    before, after = given_transformers(case)
    items = [*before, _shown(case, related), *after, *_dashes(case)]
    if related.fills:
        items = [_shown(case, related), *before, *after, *_dashes(case)]
    elif not related.first:
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
