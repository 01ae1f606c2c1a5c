"""Predictions as people read them: words, percentages, numbers of a few digits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_service.contract.contract import Output, json_text

DIGITS = 6
# Bars beyond these would hide the answer.
MOST_BARS = 10
OUTLIERS = {1: "usual", -1: "outlier"}


@dataclass(frozen=True)
class Bar:
    """The probability of one class, as a share of 1."""

    name: str
    share: float
    text: str
    predicted: bool


@dataclass(frozen=True)
class PredictionText:
    """One prediction in words; `native` is the model's own class where that reads otherwise."""

    name: str
    words: str
    native: str | None
    share: str | None  # the probability of what is predicted
    bars: tuple[Bar, ...]
    more: int  # classes without a bar


def said_of(answer: Mapping[str, Any], output: Output, task: str) -> list[PredictionText]:
    """Return an answer of /predict in words; one item a target."""
    if output.targets is None:
        return [_said(output.name, answer, output, task)]
    return [
        _said(
            target,
            {key: by_target[target] for key, by_target in answer.items() if target in by_target},
            output,
            task,
        )
        for target in output.targets
    ]


def _said(name: str, answer: Mapping[str, Any], output: Output, task: str) -> PredictionText:
    value = answer["prediction"]
    words = answer["label"] if "label" in answer else _words(value, output, task)
    shares: Mapping[str, float | None] = answer.get("probabilities") or {}
    predicted = json_text(value)
    bars = [
        Bar(output.labels.get(key, key), share, percent(share), key == predicted)
        for key, share in shares.items()
        if share is not None
    ]
    shown = sorted(bars, key=lambda bar: -bar.share)[:MOST_BARS] if len(bars) > MOST_BARS else bars
    return PredictionText(
        name=name,
        words=words,
        native=predicted if words != predicted and task != "regression" else None,
        share=next((bar.text for bar in bars if bar.predicted), None),
        bars=tuple(shown),
        more=len(bars) - len(shown),
    )


def _words(value: Any, output: Output, task: str) -> str:
    if value is None:
        return "no number"
    if task == "outlier" and value in OUTLIERS:
        return OUTLIERS[value]
    if task == "regression":
        return f"{number(value)} {output.unit}" if output.unit else number(value)
    return json_text(value)


def number(value: float) -> str:
    """Return a number with thousands separated and no more digits than people read."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    magnitude = math.floor(math.log10(abs(value)))
    if not -4 <= magnitude < 15:
        return f"{value:.{DIGITS}g}"
    decimals = max(0, DIGITS - 1 - magnitude)
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def percent(share: float) -> str:
    """Return a probability in percent; what is nearly 0 or 1 does not look certain."""
    if 0 < share < 0.001:
        return "under 0.1 %"
    if 0.999 < share < 1:
        return "over 99.9 %"
    return f"{100 * share:.1f} %"
