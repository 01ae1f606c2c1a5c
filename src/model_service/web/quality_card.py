"""How well the model predicts, as entries and plots of the model card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model_service.contract.contract import Output
from model_service.model.quality import CalibrationBin, ClassQuality, NumberQuality, Quality
from model_service.web.model_card import CardEntry
from model_service.web.wording import format_number, format_percent, format_together

MAX_CONFUSION = 12  # classes: a larger table is no longer read
# The area of the largest point of the calibration plot, which is 100 units wide.
MIN_RADIUS, MAX_RADIUS = 1.5, 5.0


@dataclass(frozen=True)
class Point:
    """A bin of the calibration plot, in hundredths of its width and height."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Residuals:
    """The quantiles of the residuals as a box and whiskers, in hundredths of the width."""

    places: tuple[float, ...]
    zero: float
    low: str
    high: str


@dataclass(frozen=True)
class QualityPlots:
    """The confusion matrix and the calibration of classes, or the residuals of numbers."""

    residuals: Residuals | None = None
    labels: tuple[str, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    positive: str = ""
    points: tuple[Point, ...] = ()
    text: str = ""  # of the calibration, for screen readers


def quality_entries(quality: Quality | None, output: Output) -> list[CardEntry]:
    """Return what was measured in words and numbers; nothing if nothing was."""
    if quality is None:
        return []
    rows = f"{quality.rows:,} rows of the sample, which can be the training data"
    measured: list[CardEntry] = []
    if quality.classes is not None:
        measured += _class_entries(quality.classes, output)
    if quality.numbers is not None:
        measured += _number_entries(quality.numbers, output)
    return [CardEntry("Compared with", (f"the column {quality.target} in {rows}",)), *measured]


def _class_entries(classes: ClassQuality, output: Output) -> Iterator[CardEntry]:
    name, share = classes.most_frequent
    yield CardEntry(
        "Accuracy",
        (
            format_percent(classes.accuracy),
            f"{format_percent(share)} if each answer were {output.label_of(name)}",
        ),
    )
    for place, name in enumerate(classes.classes[:MAX_CONFUSION]):
        count = sum(classes.confusion[place])
        if count:
            found = format_percent(classes.confusion[place][place] / count)
            yield CardEntry(f"Recall of {output.label_of(name)}", (f"{found} of {count:,} rows",))


def _number_entries(numbers: NumberQuality, output: Output) -> Iterator[CardEntry]:
    unit = f" {output.unit}" if output.unit else ""
    yield CardEntry(
        "Mean absolute error",
        (
            f"{format_number(numbers.mean_absolute)}{unit}",
            f"{format_number(numbers.mean_absolute_of_median)}{unit} if each answer were the "
            "median",
        ),
    )
    low, lower, median, upper, high = map(format_number, numbers.quantiles)
    yield CardEntry(
        "Residuals, prediction less truth",
        (
            f"half of the rows: {lower} to {upper}{unit}, median {median}{unit}",
            f"nine of ten rows: {low} to {high}{unit}",
        ),
    )


def quality_plots(quality: Quality | None, output: Output) -> QualityPlots | None:
    """Return the plots of what was measured; None if nothing can be plotted."""
    if quality is not None and quality.numbers is not None:
        return QualityPlots(_residuals(quality.numbers.quantiles))
    classes = quality.classes if quality is not None else None
    if classes is None or len(classes.classes) > MAX_CONFUSION:
        return None
    labels = tuple(output.label_of(name) for name in classes.classes)
    if classes.positive is None:
        return QualityPlots(labels=labels, confusion=classes.confusion)
    positive = output.label_of(classes.positive)
    return QualityPlots(
        labels=labels,
        confusion=classes.confusion,
        positive=positive,
        points=_points(classes.calibration),
        text="; ".join(
            f"of {b.rows:,} rows with about {format_percent(b.predicted)}, "
            f"{format_percent(b.observed)} were {positive}"
            for b in classes.calibration
        ),
    )


def _residuals(quantiles: Sequence[float]) -> Residuals | None:
    """Return the plot of the residuals; None if all of them are zero."""
    low, high = min(*quantiles, 0.0), max(*quantiles, 0.0)
    if low == high:
        return None
    *places, zero = (round(100 * (value - low) / (high - low), 1) for value in (*quantiles, 0.0))
    return Residuals(tuple(places), zero, *format_together(low, high))


def _points(bins: Sequence[CalibrationBin]) -> tuple[Point, ...]:
    largest = max(entry.rows for entry in bins)
    return tuple(
        Point(
            round(100 * entry.predicted, 1),
            round(100 - 100 * entry.observed, 1),
            round(max(MIN_RADIUS, MAX_RADIUS * (entry.rows / largest) ** 0.5), 1),
        )
        for entry in bins
    )
