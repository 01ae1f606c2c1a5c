"""Formatting model output: the same predictions column by column and row by row."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from model_service.contract.contract import Output
from model_service.model import predictions

SHARES = np.array([[0.25, 0.75], [np.nan, 0.5]])
TARGETS = ("a", "b")


@pytest.mark.parametrize(
    ("output", "values", "probabilities", "classes", "expected"),
    [
        (
            Output(),
            np.array([1.5, np.inf]),
            None,
            None,
            [{"prediction": 1.5}, {"prediction": None}],
        ),
        (
            Output(labels={"1": "one", "true": "yes"}),
            np.array([1, True, "n"], dtype=object),
            None,
            None,
            [
                {"prediction": 1, "label": "one"},
                {"prediction": True, "label": "yes"},
                {"prediction": "n"},
            ],
        ),
        (
            Output(labels={"1": ""}),
            np.array([1, 2]),
            None,
            None,
            [{"prediction": 1, "label": ""}, {"prediction": 2}],
        ),
        (
            Output(labels={"0": "no"}, positive=1, threshold=0.6),
            np.array([0, 1]),
            SHARES,
            np.array([0, 1]),
            [
                {"prediction": 1, "probabilities": {"0": 0.25, "1": 0.75}},
                {"prediction": 0, "label": "no", "probabilities": {"0": None, "1": 0.5}},
            ],
        ),
        (
            Output(targets=TARGETS, labels={"0": "no"}),
            np.array([[0, 1], [1, 1]]),
            [SHARES, SHARES[::-1]],
            [np.array([0, 1])] * 2,
            [
                {
                    "prediction": {"a": 0, "b": 1},
                    "label": {"a": "no"},
                    "probabilities": {"a": {"0": 0.25, "1": 0.75}, "b": {"0": None, "1": 0.5}},
                },
                {
                    "prediction": {"a": 1, "b": 1},
                    "probabilities": {"a": {"0": None, "1": 0.5}, "b": {"0": 0.25, "1": 0.75}},
                },
            ],
        ),
    ],
    ids=["a number", "labels", "an empty label", "a threshold", "two targets"],
)
def test_predictions_are_the_same_however_they_are_accessed(
    output: Output, values: Any, probabilities: Any, classes: Any, expected: list[Any]
) -> None:
    form = predictions.PredictionFormat(output, classes)
    made = form.format(values, probabilities)
    assert len(made) == len(expected)
    assert list(made) == expected
    assert [made[index] for index in range(len(made))] == expected
    assert list(made[1:]) == expected[1:]
    for path in [("prediction",), ("label",)] if output.labels and not output.targets else []:
        assert predictions.values_at(made, path) == predictions.values_at(expected, path)
    if output.targets is None:
        shares = [None] * len(values) if probabilities is None else probabilities.tolist()
        alone = [form.format_row(*row) for row in zip(values.tolist(), shares, strict=True)]
        assert [json.dumps(answer) for answer in alone] == [json.dumps(a) for a in expected]
