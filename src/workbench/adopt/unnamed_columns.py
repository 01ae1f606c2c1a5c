"""Propose features for a model without names, and a sample with other columns than it takes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import mul
from statistics import pvariance
from typing import Any

from model_service.contract.json_values import json_text
from model_service.contract.typed_text import sample_number
from workbench.adopt.answers import joined
from workbench.adopt.csv.column_layouts import (
    CONTRADICTED,
    Judge,
    Layout,
    Part,
    by_seen_values,
    layouts,
    no_judge,
)
from workbench.adopt.csv.sample import EXPECTED_COLUMN, ColumnFacts, Sample
from workbench.adopt.csv.target_column import feature_columns, is_target
from workbench.adopt.problems import Problem, Repair
from workbench.errors import listing
from workbench.inspect import LinearWeights, ModelFacts, Scaling, linear_weights, seen_values

MAX_ROWS, MAX_WIDTH = 100, 400  # of a sample on which linear models are tried
MAX_OTHERS = 3  # layouts that the message lists after the proposed one
CLEAR = 0.5  # the error of the best layout, of the next one's
NEAR = 1.0  # the distance of a column from what a scaler was fitted on


@dataclass(frozen=True)
class ProposedColumns:
    """A problem with a features file, and whether the model's file or the target speaks for it."""

    problem: Problem
    is_supported: bool


def propose_columns(
    facts: ModelFacts, root: object, scalings: Sequence[Scaling], sample: Sample
) -> ProposedColumns | None:
    """Return a features file that has as many columns as the model takes, or None.

    `root` is what the model is, as inspection reads it; None if it does not get the columns first.
    `scalings` are those of a scaler that gets them first.
    """
    columns, count = feature_columns(facts, sample), facts.n_features
    if count is None or facts.feature_names is not None or facts.takes_texts:
        return None
    names = [name for name in columns.features if name not in (EXPECTED_COLUMN, columns.likely)]
    target = columns.target or columns.likely
    others = [sample.columns[name] for name in names[:-1]]
    can_be_target = bool(others) and is_target(facts, sample.columns[names[-1]])
    guessed: list[str] = []
    if target is None and can_be_target and layouts(others, count, no_judge):
        target = names.pop()  # no feature, if the others are enough
        guessed = [target]
    seen, weights = seen_values(root).columns, linear_weights(root)
    if weights is not None and target is None and facts.task == "regression":
        target = names.pop() if len(names) > 1 else None  # whether it is, the errors show
    used = [sample.columns[name] for name in names]
    judge: Judge = no_judge
    reason = ""
    if seen:
        judge = by_seen_values(seen)
        reason = "the numbers that the model compares its columns with are among theirs"
    elif len(scalings) == count and all(scaling.is_evidence for scaling in scalings):
        judge, reason = _by_scalings(scalings, sample), "the scaler was fitted on such values"
    found = layouts(used, count, judge)
    if reason and (not found or found[0].contradicted):
        found, reason = layouts(used, count, no_judge), ""
    if found and weights is not None and target is not None and count <= MAX_WIDTH:
        found, is_clear = _by_error(found, weights, facts, sample, target)
        reason = f"with them its predictions are closest to {target}" if is_clear else ""
    if not found:
        return None
    problem = _problem(found, [*names, *guessed], facts, sample, reason)
    return ProposedColumns(problem, bool(reason))


def _by_scalings(scalings: Sequence[Scaling], sample: Sample) -> Judge:
    """Judge by what a scaler knows of each of the model's columns."""
    numbers: dict[Part, list[list[float]]] = {}

    def judge(part: Part, _column: ColumnFacts, position: int) -> tuple[float, int]:
        if part not in numbers:
            made = _columns(part, sample)
            numbers[part] = [[value for value in column if value is not None] for column in made]
        distances = [
            scaling.distance(values)
            for scaling, values in zip(scalings[position:], numbers[part], strict=False)
        ]
        contradicted = sum(distance > NEAR for distance in distances)
        return sum(min(distance, CONTRADICTED) for distance in distances), contradicted

    return judge


def _by_error(
    found: Sequence[Layout], weights: LinearWeights, facts: ModelFacts, sample: Sample, target: str
) -> tuple[list[Layout], bool]:
    """Return the layouts by the errors of a linear model, and whether the best one is clear."""
    truths = _truths(facts, sample, target)
    usual = _usual_error(truths, is_class=facts.task == "classification")
    errors = _errors(found, weights, facts, sample, truths)
    ranked = sorted(range(len(found)), key=lambda number: errors[number])
    best = errors[ranked[0]]
    if best > CLEAR * usual:
        return list(found), False
    is_clear = all(best < CLEAR * errors[number] for number in ranked[1:2])
    return [found[number] for number in ranked], is_clear


def _problem(
    found: Sequence[Layout], names: Sequence[str], facts: ModelFacts, sample: Sample, reason: str
) -> Problem:
    best, count = found[0], facts.n_features
    used = [part.column for part in best.parts]
    left_out = [name for name in names if name not in used]
    columns = "1 column" if count == 1 else f"{count} columns"
    message = (
        f"The model takes {columns} and does not name them, and {sample.path.name} has "
        f"{listing(names)}. Proposed {'is' if len(used) == 1 else 'are'} {_shown(best)}"
    )
    message += f", because {reason}." if reason else ". It is a guess: the file does not say."
    if left_out:
        message += f" Left out: {listing(left_out)}."
    message += " Compare the columns and their order with your code."
    others = [_shown(layout) for layout in found[1 : MAX_OTHERS + 1]]
    if others and not reason:
        message += f" They can also be: {'; or '.join(others)}."
    if all(part.made == "number" for part in best.parts):
        return Problem(None, message, Repair({"features": joined(used)}))
    document = {"features": [dict(entry) for entry in best.entries]}
    return Problem(None, message, Repair(features=document))


def _shown(layout: Layout) -> str:
    return listing([_of_part(part) for part in layout.parts], 10)


def _of_part(part: Part) -> str:
    if part.made == "number":
        return part.column
    if part.made == "codes":
        codes = [f"{text} is {code}" for code, text in enumerate(part.categories)]
        return f"{part.column} ({listing(codes, 3)})"
    of = f"{part.column} (a column each for {listing(part.categories, 3)}"
    return f"{of})" if part.without is None else f"{of}; all 0 for {part.without})"


def _usual_error(truths: Sequence[float | None], *, is_class: bool) -> float:
    """Return the error of a model that knows the mean only, or nothing of the classes."""
    known = [truth for truth in truths if truth is not None]
    return math.log(2) if is_class else pvariance(known) if known else 0.0


def _errors(
    found: Sequence[Layout],
    model: LinearWeights,
    facts: ModelFacts,
    sample: Sample,
    truths: Sequence[float | None],
) -> list[float]:
    """Return how far a linear model's predictions are from the target, by layout."""
    numbers = {part: _columns(part, sample) for layout in found for part in layout.parts}
    errors = []
    for layout in found:
        columns = [column for part in layout.parts for column in numbers[part]]
        losses = []
        for truth, values in zip(truths, zip(*columns, strict=True), strict=True):
            known = [value for value in values if value is not None]
            if truth is not None and len(known) == len(model.weights):
                score = model.intercept + sum(map(mul, model.weights, known))
                losses.append(_loss(score, truth, is_class=facts.task == "classification"))
        errors.append(sum(losses) / len(losses) if losses else math.inf)
    return errors


def _truths(facts: ModelFacts, sample: Sample, target: str) -> list[float | None]:
    """Return the target of some rows: its number, or the place of its class."""
    cells = [row.get(target) for row in _some_rows(sample)]
    if facts.task != "classification":
        return [_number(sample, target, cell) for cell in cells]
    column = sample.columns[target]
    classes = [json_text(label) for label in facts.classes or ()]
    if not {json_text(value) for value in column.categories or ()} <= {*classes}:
        classes = [json_text(value) for value in column.categories or ()]
    places = {text: float(place) for place, text in enumerate(classes)}
    return [places.get(str(cell)) for cell in cells]


def _loss(score: float, truth: float, *, is_class: bool) -> float:
    if not is_class:
        return (score - truth) ** 2
    margin = score if truth else -score
    return math.log1p(math.exp(-abs(margin))) + max(-margin, 0.0)


def _columns(part: Part, sample: Sample) -> list[list[float | None]]:
    """Return the model's columns that a part makes of some rows."""
    cells = [row.get(part.column) for row in _some_rows(sample)]
    if part.made == "number":
        return [[_number(sample, part.column, cell) for cell in cells]]
    texts = [json_text(cell) for cell in cells]
    if part.made == "codes":
        codes = {text: float(code) for code, text in enumerate(part.categories)}
        return [[codes.get(text) for text in texts]]
    return [[float(text == category) for text in texts] for category in part.categories]


def _some_rows(sample: Sample) -> Sequence[Mapping[str, Any]]:
    """Return rows from everywhere in the sample, which can be sorted."""
    return sample.rows[:: max(1, len(sample.rows) // MAX_ROWS)]


def _number(sample: Sample, name: str, cell: object) -> float | None:
    column = sample.columns[name]
    return sample_number(column.plain(cell) if isinstance(cell, str) else cell)
