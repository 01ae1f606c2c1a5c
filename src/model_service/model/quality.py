"""How well the model predicts the target of the sample: `model/quality.json`, which verify writes.

It holds counts and no rows. Nothing but the model card reads it.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model_service.model.explanations import fingerprint
from model_service.model.model import Model

QUALITY_FILE = "quality.json"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CalibrationBin:
    """Rows with like probabilities: their mean, and the share of rows in which it came true."""

    predicted: float
    observed: float
    rows: int


@dataclass(frozen=True)
class ClassQuality:
    """How well classes are predicted; a class is written as in `probabilities`."""

    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]  # a row for each true class, a column for each predicted
    positive: str | None = None  # the class of the calibration
    calibration: tuple[CalibrationBin, ...] = ()

    @property
    def accuracy(self) -> float:
        """The share of rows whose class is predicted."""
        right = sum(row[place] for place, row in enumerate(self.confusion))
        return right / sum(map(sum, self.confusion))

    @property
    def most_frequent(self) -> tuple[str, float]:
        """The most frequent class, and its share of the rows."""
        counts = [sum(row) for row in self.confusion]
        largest = max(counts)
        return self.classes[counts.index(largest)], largest / sum(counts)


@dataclass(frozen=True)
class NumberQuality:
    """How well numbers are predicted; a residual is the prediction minus the truth."""

    mean_absolute: float
    mean_absolute_of_median: float  # if each answer were the median of the target
    quantiles: tuple[float, ...]  # of the residuals, at QUANTILES


QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Quality:
    """The model beside the true values of a column of the sample."""

    target: str
    rows: int
    subject: str  # of what it was measured: see `subject_hash`
    classes: ClassQuality | None = None
    numbers: NumberQuality | None = None
    doubt: str | None = None  # why the predictions seem to be of other values

    def to_json(self) -> dict[str, Any]:
        """Return the content of quality.json."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Quality:
        """Read the content of quality.json. Raises KeyError, TypeError and ValueError."""
        members = dict(document)
        if classes := members.pop("classes", None):
            confusion = tuple(tuple(map(int, row)) for row in classes["confusion"])
            bins = tuple(CalibrationBin(**entry) for entry in classes["calibration"])
            names = tuple(classes["classes"])
            members["classes"] = ClassQuality(names, confusion, classes.get("positive"), bins)
        if numbers := members.pop("numbers", None):
            quantiles = tuple(map(float, numbers.pop("quantiles")))
            members["numbers"] = NumberQuality(**numbers, quantiles=quantiles)
        return cls(**members)


def subject_hash(model: Model) -> str:
    """Return a hash of what decides the predictions: the model, its input and its output."""
    output = model.contract.output
    decision = [output.threshold, output.positive, output.transform, output.asks_for_classes]
    content = f"{fingerprint(model)} {json.dumps(decision, sort_keys=True)}"
    return hashlib.sha256(content.encode()).hexdigest()


def read_quality(folder: Path, model: Model) -> Quality | None:
    """Return the content of quality.json; None without one that was measured of this model."""
    try:
        text = (folder / QUALITY_FILE).read_text(encoding="utf-8")
        quality = Quality.from_json(json.loads(text))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        logger.warning("%s cannot be read: %s", QUALITY_FILE, type(error).__name__)
        return None
    return quality if quality.subject == subject_hash(model) else None
