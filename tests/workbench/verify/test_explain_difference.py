"""Expected answers that all differ in the same way: which way, and the answer to paste."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from model_service.contract.contract import Output
from workbench.verify.explain_difference import explain

NUMBERS = [1.5, 2.25, 3.0, 4.125, 5.75]
# (what the notebook gives for a number, members of the output or words of the sentence)
OF_NUMBERS: list[tuple[Callable[[float], float], dict[str, Any] | str]] = [
    (math.exp, {"transform": "exp"}),
    (math.expm1, {"transform": "expm1"}),
    (lambda number: 10**number, {"transform": "pow10"}),
    (lambda number: number * number, {"transform": "square"}),
    (lambda number: number * 4 + 100, {"transform": {"multiply": 4.0, "add": 100.0}}),
    (lambda number: 1 - number, {"transform": {"multiply": -1.0, "add": 1.0}}),
    (math.log, "after log of the model's predictions"),
    (math.sqrt, "after sqrt of"),
    (int, "after floor of"),
]
CHANCES = [0.1, 0.45, 0.6, 0.9]
OF_CLASSES: list[tuple[list[str], dict[str, Any] | str]] = [
    (["No", "No", "Yes", "Yes"], {"labels": {"0": "No", "1": "Yes"}}),
    (["0", "1", "1", "1"], {"positive": 1, "threshold": 0.3}),
    (["0", "0", "0", "1"], {"positive": 1, "threshold": 0.8}),
    (["1", "1", "0", "0"], "0 and 1 are exchanged"),
    (["0.1", "0.45", "0.6", "0.9"], "the probability of 1"),
]


def document(answers: list[Any], *, typed: bool) -> dict[str, Any]:
    return {"typed": typed, "predictions": [{"prediction": answer} for answer in answers]}


@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize(("notebook", "found"), OF_NUMBERS)
def test_one_function_of_all_numbers(notebook: Any, found: Any, typed: bool) -> None:
    answers = [notebook(number) for number in NUMBERS]
    expected = document(answers if typed else [repr(answer) for answer in answers], typed=typed)
    predictions = [{"prediction": number} for number in NUMBERS]
    explained = explain(expected, predictions, "regression", Output())
    assert explained is not None
    if isinstance(found, str):
        assert found in explained.sentence
    elif isinstance(found["transform"], str):
        assert explained.output == found
    else:
        assert explained.output["transform"] == pytest.approx(found["transform"])


@pytest.mark.parametrize(("answers", "found"), OF_CLASSES)
def test_one_rule_for_all_classes(answers: list[str], found: Any) -> None:
    predictions = [
        {"prediction": int(p > 0.5), "probabilities": {"0": 1 - p, "1": p}} for p in CHANCES
    ]
    expected = document(answers, typed=False)
    explained = explain(expected, predictions, "classification", Output())
    assert explained is not None
    if isinstance(found, str):
        assert found in explained.sentence
    else:
        assert explained.output == found


@pytest.mark.parametrize("answers", [[1.5, 2.25, 3.0, 4.125, 9.0], [1.0, 2.0]])
def test_answers_without_a_rule_and_too_few_are_not_explained(answers: list[float]) -> None:
    predictions = [{"prediction": number} for number in NUMBERS[: len(answers)]]
    assert explain(document(answers, typed=True), predictions, "regression", Output()) is None
