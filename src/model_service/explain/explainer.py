"""The explanations of a model: what verify built and proved, read from explain.npz."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from model_service.columns.builder import InputBuilder
from model_service.contract.batch import Batch
from model_service.contract.contract import Contract
from model_service.errors import ServiceError
from model_service.explain.blackbox import BlackBox, Budget
from model_service.explain.components import Component, NoSum, decompose, unwrapped
from model_service.explain.numbers import ModelInput, Steps, naming
from model_service.explain.owners import words_of
from model_service.explain.parts import Explained, LinearPart, Part, TreePart, Word
from model_service.explain.responses import (
    Kind,
    Respond,
    TargetColumns,
    response_of,
    targets_of,
)
from model_service.fast_path.data import RowTransform

FORMAT = 1
# A row with more columns is solved by NumPy.
MAX_ROW_COLUMNS = 100


class WrongFile(ValueError):
    """explain.npz does not belong to this model, or cannot be read."""


@dataclass(frozen=True)
class Subject:
    """The model to explain."""

    estimator: Any
    contract: Contract
    builder: InputBuilder
    task: str
    classes: Sequence[Any] | None  # of one target, or of each of several
    probabilities: bool
    compiled: bool  # verify proved the fast path

    @property
    def targets(self) -> tuple[TargetColumns, ...]:
        """The targets with their columns in the response."""
        return targets_of(self.contract.output.targets, self.classes)

    def response(self) -> tuple[Respond, bool]:
        """Return what is explained, and whether it is a margin."""
        return response_of(
            self.estimator, self.task, self.targets, probabilities=self.probabilities
        )

    @property
    def model_input(self) -> ModelInput:
        """The way to the model's input."""
        return ModelInput(self.contract, self.builder, compiled=self.compiled)


@dataclass(frozen=True)
class Importance:
    """What a feature does over the whole sample, for one column of the response."""

    feature: str
    mean_absolute: float  # contribution
    # For numbers: from -1 to 1, whether higher values push up. For categories: that which pushes
    # up most, and that which pushes down most.
    direction: float | None = None
    highest: str | None = None
    lowest: str | None = None


@dataclass(frozen=True)
class About:
    """What is known about the explanations beside their arrays."""

    kind: Kind
    fingerprint: str
    background_count: int
    background: str  # "sample", "positive" or "examples"
    parts: tuple[str, ...]  # "linear" or "trees"; none for a model that is evaluated as a whole
    classes: tuple[Any, ...] | None = None  # of clusters, which no model names
    medians: Mapping[str, float] = field(default_factory=dict)  # of numbers, in the background
    importance: Mapping[str, tuple[Importance, ...]] = field(default_factory=dict)

    def to_text(self) -> str:
        """Return it as JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> About:
        """Read it from JSON. Raises WrongFile."""
        document = json.loads(text)
        if document.get("format") != FORMAT:
            raise WrongFile("it was written by another version; run make verify")
        # A file of an earlier engine can have members that are not used any more.
        members = {f.name: document[f.name] for f in fields(cls)}
        members["importance"] = {
            key: tuple(Importance(**entry) for entry in entries)
            for key, entries in document["importance"].items()
        }
        members["parts"] = tuple(document["parts"])
        if document["classes"] is not None:
            members["classes"] = tuple(document["classes"])
        return cls(**members)


class NotAdditive(ServiceError):
    """Base and contributions do not add up to the value: a defect, and no explanation."""

    summary = "The explanation is wrong"


class NotFinite(ServiceError):
    """The model has no finite number for a row, or for a mixture of it with the background."""

    summary = "There is no explanation for these values"

    def __init__(self) -> None:
        super().__init__("The model has no finite number for them, or for some of them together.")


@dataclass(frozen=True)
class _Term:
    """A part of the model with the steps before it."""

    component: Component
    part: Part
    steps: Steps
    words: Sequence[str]  # of each column; empty if the columns are no words


class Explainer:
    """Explains rows of one model."""

    def __init__(
        self,
        subject: Subject,
        about: About,
        parts: Sequence[Part],
        background: Batch | None = None,
        player: Any = None,
    ) -> None:
        """`parts` are those of `decompose`; without parts, background rows are needed."""
        self.about, self.parts, self.player = about, tuple(parts), player
        self._contract = subject.contract
        self.targets = subject.targets
        self._input = subject.model_input
        self._terms: list[_Term] = []
        self._black_box: BlackBox | None = None
        if parts:
            for component, part in zip(decompose(subject.estimator), parts, strict=True):
                words = _words_of_columns(component, part)
                self._terms.append(
                    _Term(component, part, Steps(component.steps, self._input), words)
                )
        else:
            assert background is not None
            self._black_box = _black_box(subject, self._input, background, player)

    @property
    def is_inline(self) -> bool:
        """Whether a row takes so little time that no other thread is worth it."""
        return bool(self._terms) and self._input.compiled and all(p.is_quick for p in self.parts)

    @cached_property
    def tolerance(self) -> float:
        """The largest relative difference of the sum from the value."""
        return max((part.tolerance for part in self.parts), default=1e-9)

    @property
    def byte_count(self) -> int:
        """How much memory the explanations take."""
        return sum(part.byte_count for part in self.parts)

    def explain(
        self, batch: Batch, columns: Sequence[Sequence[int]], budget: Budget
    ) -> list[dict[int, Explained]]:
        """Return for each row the explanations of its columns of the response.

        Raises DoesNotFit, NotAdditive and what the model raises.
        """
        found = self._without_matrix(batch, columns)
        if found is None:  # a look at the clock takes as long as one row without a matrix
            with budget:
                solve = self._in_closed_form if self._black_box is None else self._by_mixing
                found = solve(batch, columns, budget)
        for explanations in found:
            for explained in explanations.values():
                _require_sum(explained, self.tolerance)
        return found

    def _by_mixing(
        self, batch: Batch, columns: Sequence[Sequence[int]], budget: Budget
    ) -> list[dict[int, Explained]]:
        assert self._black_box is not None
        return [
            {
                column: Explained(
                    solution.contributions[column].tolist(),
                    float(solution.base[column]),
                    float(solution.value[column]),
                    None if solution.error is None else solution.error[column].tolist(),
                )
                for column in wanted
            }
            for solution, wanted in zip(self._black_box.solve(batch, budget), columns, strict=True)
        ]

    def _in_closed_form(
        self, batch: Batch, columns: Sequence[Sequence[int]], budget: Budget
    ) -> list[dict[int, Explained]]:
        root = self._input.root(batch)
        matrices = [term.steps.matrix(root) for term in self._terms]
        found = []
        for number, wanted in enumerate(columns):
            budget.require(number, len(columns))
            rows = [matrix[number : number + 1] for matrix in matrices]
            found.append({column: self._solve(rows, column) for column in wanted})
        return found

    def _without_matrix(
        self, batch: Batch, columns: Sequence[Sequence[int]]
    ) -> list[dict[int, Explained]] | None:
        """Explain one row of a linear model as Python values; None if that is not possible.

        Whatever fails here is left to the matrix of the row, which decides whether it is an error.
        """
        if self._linear_row is None or len(batch) != 1:
            return None
        part, transform = self._linear_row
        with suppress(Exception):
            values = transform(self._input.row(batch))
            if math.isfinite(sum(values)):
                return [{column: part.solve_values(values, column) for column in columns[0]}]
        return None

    @cached_property
    def _linear_row(self) -> tuple[LinearPart, RowTransform] | None:
        """The only linear model and the way of one row through its steps, if there are such."""
        term = self._terms[0] if len(self._terms) == 1 else None
        if term is None or term.words or term.steps.row is None:
            return None
        part, component = term.part, term.component
        if not isinstance(part, LinearPart) or len(part.player) > MAX_ROW_COLUMNS:
            return None
        is_whole = component.weight == 1.0 and component.first_output == 0
        return (part, term.steps.row) if is_whole else None

    def _solve(self, rows: Sequence[Any], column: int) -> Explained:
        contributions = np.zeros(len(self._contract.features))
        base, value = 0.0, 0.0
        words: tuple[Word, ...] = ()
        term_count = 0
        for term, row in zip(self._terms, rows, strict=True):
            output = column - term.component.first_output
            if not 0 <= output < len(term.part.base):
                continue
            term_count += 1
            terms, weight = term.part.solve(row, output), term.component.weight
            contributions += weight * np.asarray(terms.contributions)
            base, value = base + weight * terms.base, value + weight * terms.value
            if term.words and weight == 1.0 and isinstance(term.part, LinearPart):
                words = _words(term.words, term.part, row, output)
        if term_count > 1:  # the words of one of them do not add up to the contribution
            words = ()
        return Explained(contributions.tolist(), base, value, None, words)

    def arrays(self) -> dict[str, Any]:
        """Return the arrays of explain.npz."""
        found = {"about": np.frombuffer(self.about.to_text().encode(), dtype=np.uint8)}
        if self.player is not None:
            found["player"] = np.asarray(self.player)
        for number, part in enumerate(self.parts):
            found |= {f"{number}.{name}": array for name, array in part.arrays().items()}
        return found


def _black_box(
    subject: Subject, model_input: ModelInput, background: Batch, player: Any
) -> BlackBox:
    respond, _ = subject.response()
    if player is None:
        return BlackBox(model_input, respond, background)
    steps, last = unwrapped(subject.estimator)
    respond_last, _ = response_of(
        last, subject.task, subject.targets, probabilities=subject.probabilities
    )
    with_names = naming(last)
    return BlackBox(
        model_input,
        respond,
        background,
        steps=Steps(steps, model_input),
        player=player,
        respond_last=lambda matrix: respond_last(with_names(matrix)),
    )


def _words_of_columns(component: Component, part: Part) -> Sequence[str]:
    if not isinstance(part, LinearPart):
        return ()
    words = words_of(component.steps)
    # A vectorizer of a later scikit-learn could have other columns than its vocabulary.
    return words if words is not None and len(words) == len(part.player) else ()


def _words(names: Sequence[str], part: LinearPart, row: Any, output: int) -> tuple[Word, ...]:
    columns, added = part.by_column(row, output)
    present = [Word(names[c], float(a)) for c, a in zip(columns.tolist(), added, strict=True)]
    terms = part.solve(row, output)
    rest = sum(terms.contributions) - float(added.sum())
    present.sort(key=lambda word: -abs(word.contribution))
    return (*present, Word(None, rest))


def _require_sum(explained: Explained, tolerance: float) -> None:
    contributions = explained.contributions
    total = explained.base + sum(contributions)
    if not math.isfinite(total) or not math.isfinite(explained.value):
        raise NotFinite
    scale = max(abs(explained.base), abs(explained.value), *map(abs, contributions), 1e-6)
    if not abs(total - explained.value) <= tolerance * scale:
        raise NotAdditive(f"base and contributions are {total}, the value is {explained.value}")


def read_explainer(
    content: bytes, subject: Subject, fingerprint: str, examples: Batch | None
) -> Explainer:
    """Return the explanations in a file. Raises WrongFile."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        about = About.from_text(bytes(arrays.pop("about")).decode())
    except WrongFile:
        raise
    except Exception as error:  # whatever NumPy and the zip file in it raise
        raise WrongFile(f"it cannot be read ({type(error).__name__})") from error
    if about.fingerprint != fingerprint:
        raise WrongFile("it belongs to another model or contract; run make verify")
    player = arrays.pop("player", None)
    parts: list[Part] = []
    for number, kind in enumerate(about.parts):
        prefix = f"{number}."
        own = {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
        of_kind = LinearPart if kind == "linear" else TreePart
        parts.append(of_kind.from_arrays(own))
    if about.classes is not None:
        subject = replace(subject, classes=about.classes)
    try:
        return Explainer(subject, about, parts, examples, player)
    except (NoSum, ValueError, AssertionError) as error:
        raise WrongFile("it belongs to another model; run make verify") from error
