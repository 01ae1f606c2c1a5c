"""Predictions as text for people: labels, percentages and rounded numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model_service.contract.contract import Output
from model_service.contract.json_values import json_text
from model_service.contract.unusual import RowWarning

SIGNIFICANT_DIGITS = 4
MAX_BARS = 10  # more of them would push the rest of the page out of sight
OUTLIER_LABELS = {1: "usual", -1: "outlier"}


@dataclass(frozen=True)
class Bar:
    """A labelled bar: a class and its probability, or a value and its share of the sample."""

    label: str
    share: float  # 0 to 1
    text: str  # the share in percent
    is_predicted: bool = False


@dataclass(frozen=True)
class PredictionText:
    """One prediction, or that of one target, as a page shows it."""

    name: str  # of the output or the target
    text: str
    probability: str | None  # of the predicted class, in percent
    bars: tuple[Bar, ...]
    hidden_classes: int  # how many classes have no bar


def describe_prediction(
    prediction: Mapping[str, Any], output: Output, task: str
) -> list[PredictionText]:
    """Return a prediction in the shape of /predict as text, with one item for each target."""
    if output.targets is None:
        return [_prediction_text(output.name, prediction, output, task)]
    return [
        _prediction_text(
            target,
            {key: values[target] for key, values in prediction.items() if target in values},
            output,
            task,
        )
        for target in output.targets
    ]


def _prediction_text(
    name: str, prediction: Mapping[str, Any], output: Output, task: str
) -> PredictionText:
    value = prediction["prediction"]
    text = prediction["label"] if "label" in prediction else _value_text(value, output, task)
    probabilities: Mapping[str, float | None] = prediction.get("probabilities") or {}
    predicted = json_text(value)
    bars = [
        Bar(output.label_of(key), share, format_percent(share), key == predicted)
        for key, share in probabilities.items()
        if share is not None
    ]
    shown = sorted(bars, key=lambda bar: -bar.share)[:MAX_BARS] if len(bars) > MAX_BARS else bars
    return PredictionText(
        name=name,
        text=text,
        probability=next((bar.text for bar in bars if bar.is_predicted), None),
        bars=tuple(shown),
        hidden_classes=len(bars) - len(shown),
    )


def _value_text(value: Any, output: Output, task: str) -> str:
    if value is None:
        return "no number"
    if task == "outlier" and value in OUTLIER_LABELS:
        return OUTLIER_LABELS[value]
    if task == "regression":
        number = format_number(value)
        return f"{number} {output.unit}" if output.unit else number
    return json_text(value)


def summarize_warnings(warnings: Sequence[RowWarning]) -> str:
    """Return in one line how many values are unlike the sample, and what is said of the row."""
    count = sum(warning.feature is not None for warning in warnings)
    values = "1 value is" if count == 1 else f"{count} values are"
    of_row = [warning.message for warning in warnings if warning.feature is None]
    return "; ".join([*([f"{values} unlike the sample"] if count else []), *of_row])


def format_number(value: float) -> str:
    """Return a number with thousands separators: SIGNIFICANT_DIGITS, or all before the point."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    magnitude = math.floor(math.log10(abs(value)))
    if not -4 <= magnitude < 15:
        return f"{value:.{SIGNIFICANT_DIGITS}g}"
    decimals = max(0, SIGNIFICANT_DIGITS - 1 - magnitude)
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def format_value(value: float) -> str:
    """Return a number as `format_number` does, but without separators if it can be a year."""
    text = format_number(value)
    return text.replace(",", "") if abs(value) < 10_000 else text


def format_together(*values: float) -> list[str]:
    """Return numbers of one kind: all with separators if one of them is no year."""
    write = format_value if all(abs(value) < 10_000 for value in values) else format_number
    return [write(value) for value in values]


def format_percent(share: float) -> str:
    """Return a probability in percent; only exactly 0 and 1 are shown as 0.0 % and 100.0 %."""
    if 0 < share < 0.001:
        return "under 0.1 %"
    if 0.999 < share < 1:
        return "over 99.9 %"
    return f"{100 * share:.1f} %"
