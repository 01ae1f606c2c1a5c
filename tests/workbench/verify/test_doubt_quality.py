"""Predictions that are no better than a guess on the sample are doubted, weak ones are not."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from model_service.model.quality import ClassQuality
from workbench.verify.doubt_quality import doubt_classes, doubt_numbers

PRICES = np.random.default_rng(0).lognormal(12, 0.6, 200)
NOISE = np.random.default_rng(1).normal(1, 0.1, 200)


@pytest.mark.parametrize(
    ("function", "shown"),
    [
        (math.log1p, '"transform": "expm1"'),
        (math.log, '("exp" if your code has log, not log1p)'),
        (math.log10, '"transform": "pow10"'),
        (math.sqrt, '"transform": "square"'),
    ],
)
def test_a_transformed_target_is_recognised(function: Callable[[float], float], shown: str) -> None:
    pairs = [(price, function(price * noise)) for price, noise in zip(PRICES, NOISE, strict=True)]
    doubt = doubt_numbers(pairs, "price", transformed=False)
    assert doubt is not None
    assert doubt.is_explained
    assert shown in doubt.sentence
    assert doubt.sentence.endswith("make verify ACCEPT=answers")


def test_a_wrong_scale_without_a_transform_is_doubted() -> None:
    pairs = [(price, -price) for price in PRICES]
    doubt = doubt_numbers(pairs, "price", transformed=False)
    assert doubt is not None
    assert not doubt.is_explained
    assert "Compare the answers with your app's" in doubt.sentence


@pytest.mark.parametrize("shown", [PRICES.mean(), float(np.median(PRICES))])
def test_a_weak_model_of_numbers_is_not_doubted(shown: float) -> None:
    assert doubt_numbers([(price, shown) for price in PRICES], "price", transformed=False) is None


@pytest.mark.parametrize(
    ("confusion", "doubted"),
    [
        (((90, 0), (10, 0)), True),  # always the same class
        (((0, 90), (10, 0)), True),  # exchanged
        (((80, 10), (5, 5)), False),
        (((60, 30), (1, 9)), False),  # less accurate than the most frequent class, but no guess
        (((0, 0), (10, 90)), False),  # the sample has one class only
        (((30, 0, 0), (30, 0, 0), (30, 0, 0)), True),
    ],
)
def test_classes_that_are_a_guess_are_doubted(
    confusion: tuple[tuple[int, ...], ...], *, doubted: bool
) -> None:
    quality = ClassQuality(tuple(map(str, range(len(confusion)))), confusion)
    doubt = doubt_classes(quality, "churn")
    assert (doubt is not None) == doubted
