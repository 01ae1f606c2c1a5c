"""Compare the model's predictions with the column of the sample that it predicts."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from model_service.columns.transformers import Stage, is_label_encoder
from model_service.contract.batch import Batch
from model_service.contract.contract import Output
from model_service.contract.json_values import json_text
from model_service.contract.typed_text import SAMPLE_MISSING
from model_service.model.model import Model
from model_service.model.predictions import Prediction
from model_service.model.quality import (
    QUANTILES,
    CalibrationBin,
    ClassQuality,
    NumberQuality,
    Quality,
    subject_hash,
)
from workbench.adopt.csv.kept_sample import Truths
from workbench.verify.doubt_quality import Doubt, doubt_classes, doubt_numbers, doubt_transformers
from workbench.verify.fast_path_proof import predict_in_batches

MIN_ROWS = 20
# A column with more values that are no class is not the target.
MIN_KNOWN_SHARE = 0.9
CALIBRATION_BINS, MIN_BIN_ROWS = 10, 5


@dataclass(frozen=True)
class Measured:
    """How well the model predicts the target, and why that is doubtful, if it is."""

    quality: Quality
    doubt: Doubt | None


def measure_quality(model: Model, truths: Truths) -> Measured | None:
    """Compare predictions with the target; None if its cells are not comparable."""
    measured = _measure(model, truths)
    scalers = [stage for stage in model.stages if _only_changes_values(stage)]
    if measured is None or not scalers:
        return measured
    rest = [stage for stage in model.stages if stage not in scalers]
    alone = Model(model.estimator, model.contract, model.manifest, None, model.prepare, rest)
    # A model can fail on values that are not scaled: then nothing speaks for them.
    with suppress(Exception):
        without = _measure(alone, truths)
        names = [type(stage.transformer).__name__ for stage in scalers]
        if without is not None:
            doubt = doubt_transformers(measured.quality, without.quality, names)
            return _doubted(measured.quality, doubt) if doubt is not None else measured
    return measured


def _only_changes_values(stage: Stage) -> bool:
    """Return whether the columns are the same numbers on another scale after a stage."""
    encodes = hasattr(stage.transformer, "categories_") or is_label_encoder(stage.transformer)
    return stage.after == stage.before and not encodes


def _measure(model: Model, truths: Truths) -> Measured | None:
    predictions = predict_in_batches(lambda r: model.predict(Batch.of_rows(r)), truths.rows)
    pairs = [
        (cell, prediction)
        for cell, prediction in zip(truths.cells, predictions, strict=True)
        if prediction is not None and cell not in SAMPLE_MISSING
    ]
    quality = Quality(truths.target, len(pairs), subject_hash(model))
    task = model.manifest.task
    if task.kind == "regression":
        numbers = [(_number(cell), _number(prediction["prediction"])) for cell, prediction in pairs]
        known = [(t, p) for t, p in numbers if t is not None and p is not None]
        if _are_enough(known, pairs):
            transformed = model.contract.output.transform is not None
            doubt = doubt_numbers(known, truths.target, transformed=transformed)
            measured = replace(quality, rows=len(known), numbers=_number_quality(known))
            return _doubted(measured, doubt)
    elif task.kind == "classification" and task.classes:
        names = class_names(task.classes, model.contract.output)
        found = [(names[cell], prediction) for cell, prediction in pairs if cell in names]
        if _are_enough(found, pairs):
            classes = _class_quality(found, task.classes, model.contract.output)
            measured = replace(quality, rows=len(found), classes=classes)
            return _doubted(measured, doubt_classes(classes, truths.target))
    return None


def _doubted(quality: Quality, doubt: Doubt | None) -> Measured:
    is_open = doubt is not None and not doubt.is_explained
    return Measured(replace(quality, doubt=doubt.sentence if doubt and is_open else None), doubt)


def _are_enough(known: Sequence[Any], pairs: Sequence[Any]) -> bool:
    return len(known) >= max(MIN_ROWS, MIN_KNOWN_SHARE * len(pairs))


def class_names(classes: Sequence[Any], output: Output) -> dict[str, str]:
    """Return for each text of a cell the class that it means, as in `probabilities`."""
    found: dict[str, str] = {}
    for value in classes:
        key = json_text(value)
        texts = [key, str(value), output.labels.get(key)]
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            texts += [str(float(value)), f"{value:g}"]
        for text in texts:
            if text is not None:
                found.setdefault(text, key)
    return found


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _class_quality(
    pairs: Sequence[tuple[str, Prediction]], classes: Sequence[Any], output: Output
) -> ClassQuality:
    keys = tuple(map(json_text, classes))
    places = {key: place for place, key in enumerate(keys)}
    confusion = [[0] * len(keys) for _ in keys]
    for truth, prediction in pairs:
        confusion[places[truth]][places[json_text(prediction["prediction"])]] += 1
    positive = None
    if len(keys) == 2:
        positive = json_text(output.positive) if output.positive is not None else keys[1]
    calibration = _calibration(pairs, positive) if positive is not None else ()
    return ClassQuality(
        keys, tuple(map(tuple, confusion)), positive if calibration else None, calibration
    )


def _calibration(
    pairs: Sequence[tuple[str, Prediction]], positive: str
) -> tuple[CalibrationBin, ...]:
    """Return the bins of equal width with at least MIN_BIN_ROWS rows."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(CALIBRATION_BINS)]
    for truth, prediction in pairs:
        probabilities: Mapping[str, float | None] = prediction.get("probabilities") or {}
        probability = probabilities.get(positive)
        if probability is not None:
            place = min(int(probability * CALIBRATION_BINS), CALIBRATION_BINS - 1)
            bins[place].append((probability, truth == positive))
    return tuple(
        CalibrationBin(
            round(statistics.fmean(p for p, _ in rows), 4),
            round(statistics.fmean(is_true for _, is_true in rows), 4),
            len(rows),
        )
        for rows in bins
        if len(rows) >= MIN_BIN_ROWS
    )


def _number_quality(pairs: Sequence[tuple[float, float]]) -> NumberQuality:
    residuals = sorted(predicted - truth for truth, predicted in pairs)
    median = statistics.median(truth for truth, _ in pairs)
    return NumberQuality(
        mean_absolute=_rounded(statistics.fmean(map(abs, residuals))),
        mean_absolute_of_median=_rounded(statistics.fmean(abs(t - median) for t, _ in pairs)),
        quantiles=tuple(_rounded(residuals[round(q * (len(residuals) - 1))]) for q in QUANTILES),
    )


def _rounded(value: float) -> float:
    """Return six significant digits: another processor changes later ones."""
    return float(f"{value:.6g}")
