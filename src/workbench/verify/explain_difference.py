"""Explain answers that all differ from the expected ones in the same way.

The author's app often does something with what the model predicts: it takes the exponential of a
logarithm, calls class 1 "Yes", or decides by a threshold of its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from model_service.contract.contract import Output
from model_service.contract.json_values import json_text
from model_service.contract.typed_text import is_number
from workbench.adopt.csv.expected_answers import agrees
from workbench.errors import listing

FEW_ROWS = 3  # fewer agree by chance
DIGITS = range(1, 16)
INVERSE: Mapping[str, Callable[[float], float]] = {
    "exp": math.exp,
    "expm1": math.expm1,
    "pow10": lambda value: math.pow(10.0, value),
    "square": lambda value: value * value,
}
# What the expected answers can be of the model's, if no transform of the contract makes them.
FORWARD: Mapping[str, Callable[[float], float]] = {
    "log": math.log,
    "log1p": math.log1p,
    "log10": math.log10,
    "sqrt": math.sqrt,
    "floor": math.floor,
    "ceil": math.ceil,
    "the whole number, int,": math.trunc,
}


@dataclass(frozen=True)
class Explanation:
    """What makes all answers agree, and the members of the contract's output that do it."""

    sentence: str
    output: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Answers:
    expected: Sequence[Any]
    predictions: Sequence[Mapping[str, Any]]
    typed: bool

    @property
    def actual(self) -> list[Any]:
        return [prediction["prediction"] for prediction in self.predictions]

    @property
    def all_of_them(self) -> str:
        return f"All {len(self.expected)} answers agree"

    def agree(self, made: Sequence[Any]) -> bool:
        pairs = zip(self.expected, made, strict=True)
        return all(value is not None and agrees(e, value, self.typed, True) for e, value in pairs)

    def numbers(self) -> list[tuple[float, float]] | None:
        """Return the pairs of expected and actual answers, None if one is no number."""
        pairs = []
        for expected, actual in zip(self.expected, self.actual, strict=True):
            number = _number(expected, self.typed)
            if number is None or isinstance(actual, bool) or not isinstance(actual, int | float):
                return None
            pairs.append((number, float(actual)))
        return pairs


def explain(
    document: Mapping[str, Any], predictions: Sequence[Mapping[str, Any]], task: str, output: Output
) -> Explanation | None:
    """Return what makes all answers of expected.json agree, or None if nothing does."""
    expected = [entry.get("prediction") for entry in document["predictions"]]
    answers = _Answers(expected, predictions, document["typed"])
    if len(expected) < FEW_ROWS or output.targets is not None:
        return None
    ways = _of_numbers(answers) if task == "regression" else _of_classes(answers, output)
    return next(ways, None)


def _of_numbers(answers: _Answers) -> Iterator[Explanation]:
    pairs = answers.numbers()
    if pairs is None:
        return
    for name, function in INVERSE.items():
        if answers.agree([_applied(function, actual) for _, actual in pairs]):
            yield _with_output(answers, {"transform": name})
    for name, function in FORWARD.items():
        if answers.agree([_applied(function, actual) for _, actual in pairs]):
            yield Explanation(
                f"{answers.all_of_them} after {name} of the model's predictions, which the service "
                "does not take. Write the model's own predictions, model.predict(X), into the "
                "column expected."
            )
    linear = _linear(pairs)
    if linear is not None:
        multiply, add = linear
        if answers.agree([actual * multiply + add for _, actual in pairs]):
            yield _with_output(answers, {"transform": {"multiply": multiply, "add": add}})


def _applied(function: Callable[[float], float], value: float) -> float | None:
    try:
        return function(value)
    except (ValueError, OverflowError):
        return None


def _linear(pairs: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """Return the factor and the summand between the most distant answers."""
    (low, x), (high, z) = min(pairs, key=lambda pair: pair[1]), max(pairs, key=lambda p: p[1])
    if x == z or low == high:
        return None
    multiply = (high - low) / (z - x)
    return multiply, low - multiply * x


def _of_classes(answers: _Answers, output: Output) -> Iterator[Explanation]:
    if (labels := _labels(answers)) is not None:
        shown = listing([f"{code} is {label}" for code, label in labels.items()])
        yield _with_output(answers, {"labels": labels}, f" ({shown})")
    yield from _threshold(answers)
    swapped = _swapped(answers)
    if swapped and not output.labels:
        yield Explanation(
            f"{answers.all_of_them} if {swapped[0]} and {swapped[1]} are exchanged: the model's "
            "classes are coded the other way round in the app."
        )
    yield from _probabilities(answers)


def _labels(answers: _Answers) -> dict[str, str] | None:
    """Return the texts that stand for the classes, one for each and always the same."""
    found: dict[str, str] = {}
    for expected, actual in zip(answers.expected, answers.actual, strict=True):
        is_class = not answers.typed and isinstance(expected, str) and is_number(expected.strip())
        if not isinstance(expected, str) or is_class:
            return None
        if found.setdefault(json_text(actual), expected) != expected:
            return None
    one_each = len(set(found.values())) == len(found)
    return found if one_each and len(found) > 1 else None


def _probabilities(answers: _Answers) -> Iterator[Explanation]:
    """Yield the class of which the expected answers are the probabilities."""
    for name in answers.predictions[0].get("probabilities") or {}:
        if answers.agree([p["probabilities"].get(name) for p in answers.predictions]):
            yield Explanation(
                f"{answers.all_of_them} with the probability of {name}, which the service answers "
                f'beside the class: expect {{"probabilities": {{"{name}": …}}}} or the class.'
            )


def _threshold(answers: _Answers) -> Iterator[Explanation]:
    """Yield a threshold that separates the expected classes."""
    names = list(answers.predictions[0].get("probabilities") or {})
    classes = {json_text(actual): actual for actual in answers.actual}
    texts = [
        next((name for name in names if agrees(expected, _typed(name), answers.typed, False)), None)
        for expected in answers.expected
    ]
    if len(names) != 2 or None in texts:
        return
    for positive in reversed(names):
        scores = [p["probabilities"][positive] for p in answers.predictions]
        pairs = list(zip(texts, scores, strict=True))
        below = max((score for text, score in pairs if text != positive), default=0.0)
        above = min((score for text, score in pairs if text == positive), default=1.0)
        if below < above:
            value = classes.get(positive, _typed(positive))
            threshold = _shortest(below, above)
            more = f" (or any other threshold above {below:g} and up to {above:g})"
            yield _with_output(answers, {"positive": value, "threshold": threshold}, more)


def _shortest(low: float, high: float) -> float:
    """Return the number with the fewest digits above `low` and not above `high`."""
    middle = (low + high) / 2
    rounded = (round(middle, digits) for digits in DIGITS)
    return next((number for number in rounded if low < number <= high), high)


def _swapped(answers: _Answers) -> tuple[str, str] | None:
    classes = {json_text(actual): actual for actual in answers.actual}
    if len(classes) != 2:
        return None
    (one, first), (two, second) = classes.items()
    made = [second if json_text(actual) == one else first for actual in answers.actual]
    pairs = zip(answers.expected, made, strict=True)
    return (one, two) if all(agrees(e, m, answers.typed, False) for e, m in pairs) else None


def _typed(text: str) -> Any:
    """Return a class for its JSON text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _number(value: Any, typed: bool) -> float | None:
    if isinstance(value, str):
        return float(value.strip()) if not typed and is_number(value) else None
    is_plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_plain else None


def _with_output(answers: _Answers, output: Mapping[str, Any], more: str = "") -> Explanation:
    members = json.dumps(output, ensure_ascii=False)[1:-1]
    return Explanation(
        f"{answers.all_of_them} with {members} in the output of the features file{more}.", output
    )
